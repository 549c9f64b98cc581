//! What runs, for people and for programs.

use anyhow::Result;
use serde_json::{Map, Value, json};

use crate::fault;
use crate::place::Place;
use crate::process::{Condition, Identity};
use crate::state::{Process, State};

/// Prints the state of a cloud to standard output.
pub(crate) async fn print(state: &State, as_json: bool) -> Result<()> {
    let cuts = fault::cuts(state).await?;
    if as_json {
        println!("{:#}", document(state, &cuts));
    } else {
        print_tables(state, &cuts);
    }
    Ok(())
}

fn existing(process: &Process) -> Option<Identity> {
    process.running.filter(|r| r.condition() != Condition::Gone)
}

fn document(state: &State, cuts: &[(Place, Place)]) -> Value {
    let processes = state.processes.iter().map(|(name, process)| {
        let running = existing(process);
        let row = json!({
            "place": process.spec.place,
            "condition": process.condition(),
            "held": process.held,
            "pid": running.map(|r| r.pid),
            "residentBytes": running.map(Identity::resident_bytes),
            "exit": process.exit,
            "starts": process.starts,
            "log": state.log(name),
        });
        (name.clone(), row)
    });
    let places = state.places.iter().map(|(place, net)| (place.to_string(), json!(net)));
    json!({
        "dir": state.dir,
        "profile": state.profile,
        "tools": state.tools,
        "supervisor": state.supervisor_alive().then_some(state.supervisor.pid),
        "places": places.collect::<Map<_, _>>(),
        "cuts": cuts,
        "processes": processes.collect::<Map<_, _>>(),
    })
}

fn print_tables(state: &State, cuts: &[(Place, Place)]) {
    let alive = if state.supervisor_alive() {
        "runs"
    } else {
        "has lost its supervisor (playground down cleans up)"
    };
    println!("The cloud in {} {alive}.\n", state.dir.display());
    for (place, net) in &state.places {
        println!("{place:9} {:14} namespace {}", net.address.to_string(), net.netns);
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
        let running = existing(process);
        let memory = running.map_or(0, |r| r.resident_bytes() / 1_000_000);
        total += memory;
        let pid = running.map_or_else(String::new, |r| r.pid.to_string());
        println!(
            "{name:32} {condition:9} {pid:>8} {memory:>8}  {}",
            process.exit.as_deref().unwrap_or_default()
        );
    }
    println!("{:32} {:9} {:>8} {total:>8}", "total", "", "");
}
