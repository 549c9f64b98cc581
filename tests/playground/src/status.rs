//! What runs, for people and for programs.

use anyhow::Result;
use serde_json::json;

use crate::fault;
use crate::process::Condition;
use crate::state::State;

/// Prints the state of a cloud to standard output.
pub(crate) async fn print(state: &State, as_json: bool) -> Result<()> {
    let cuts = fault::cuts(state).await?;
    if as_json {
        let processes = state.processes.iter().map(|(name, process)| {
            let running = process.running.filter(|r| r.condition() != Condition::Gone);
            let row = json!({
                "place": process.spec.place,
                "condition": process.condition(),
                "held": process.held,
                "pid": running.map(|r| r.pid),
                "residentBytes": running.map(|r| r.resident_bytes()),
                "exit": process.exit,
                "starts": process.starts,
                "log": state.log(name),
            });
            (name.clone(), row)
        });
        let places = state.places.iter().map(|(place, net)| (place.to_string(), json!(net)));
        let all = json!({
            "dir": state.dir,
            "profile": state.profile,
            "tools": state.tools,
            "supervisor": state.supervisor.filter(|_| state.supervisor_alive()).map(|s| s.pid),
            "places": places.collect::<serde_json::Map<_, _>>(),
            "cuts": cuts.iter().map(|(a, b)| json!([a, b])).collect::<Vec<_>>(),
            "processes": processes.collect::<serde_json::Map<_, _>>(),
        });
        println!("{all:#}");
        return Ok(());
    }
    let alive = if state.supervisor_alive() {
        "runs"
    } else {
        "has lost its supervisor (playground down cleans up)"
    };
    println!("The cloud in {} {alive}.\n", state.dir.display());
    for (place, net) in &state.places {
        println!("{place:9} {:14} namespace {}", net.address, net.netns);
    }
    for (place, other) in cuts {
        println!("cut: {place} from {other}");
    }
    println!(
        "\n{:32} {:9} {:>8} {:>8}  last end",
        "PROCESS", "CONDITION", "PID", "MB"
    );
    let mut total = 0;
    for (name, process) in &state.processes {
        let condition = format!("{:?}", process.condition()).to_lowercase();
        let running = process.running.filter(|r| r.condition() != Condition::Gone);
        let memory = running.map_or(0, |r| r.resident_bytes() / 1_000_000);
        total += memory;
        let pid = running.map_or_else(String::new, |r| r.pid.to_string());
        println!(
            "{name:32} {condition:9} {pid:>8} {memory:>8}  {}",
            process.exit.as_deref().unwrap_or_default()
        );
    }
    println!("{:32} {:9} {:>8} {total:>8}", "total", "", "");
    Ok(())
}
