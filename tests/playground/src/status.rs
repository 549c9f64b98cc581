//! What runs, for people and for programs.

use std::io::Write as _;

use anyhow::Result;
use serde_json::{Map, Value, json};

use crate::fault::{self, Found};
use crate::mode::Mode;
use crate::place::Place;
use crate::process::{Condition, Identity};
use crate::state::{Process, State};

/// Prints the state of a cloud to standard output.
pub(crate) async fn print(state: &State, as_json: bool) -> Result<()> {
    let faults = fault::found(state).await?;
    let text = if as_json {
        format!("{:#}\n", document(state, &faults))
    } else {
        tables(state, &faults)
    };
    // A reader that went away, such as `head`, is no failure.
    let _ = std::io::stdout().write_all(text.as_bytes());
    Ok(())
}

/// Clocks that are moved, by how many seconds.
fn clocks(state: &State) -> Vec<(Place, i64)> {
    let offset = |place: &Place| {
        let text = std::fs::read_to_string(state.clock(*place)).ok()?;
        Some((
            *place,
            text.split_whitespace().next()?.parse().ok().filter(|o| *o != 0)?,
        ))
    };
    state.places.keys().filter_map(offset).collect()
}

fn existing(process: &Process) -> Option<Identity> {
    process.running.filter(|r| r.condition() != Condition::Gone)
}

fn document(state: &State, faults: &[Found]) -> Value {
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
        "mode": state.mode,
        "faults": faults,
        "clocks": clocks(state).into_iter().map(|(place, offset)| (place.to_string(), json!(offset))).collect::<Map<_, _>>(),
        "processes": processes.collect::<Map<_, _>>(),
    })
}

fn tables(state: &State, faults: &[Found]) -> String {
    let alive = if state.supervisor_alive() {
        "runs"
    } else {
        "has lost its supervisor (playground down cleans up)"
    };
    let mut lines = vec![format!("The cloud in {} {alive}.\n", state.dir.display())];
    for (place, net) in &state.places {
        let netns = match state.mode {
            Mode::Loopback => "loopback".to_owned(),
            Mode::Netns | Mode::Rootless => format!("namespace {}", net.netns),
        };
        lines.push(format!("{place:9} {:14} {netns}", net.address.to_string()));
    }
    lines.extend(
        faults
            .iter()
            .map(|f| format!("{}: {} from {}", f.fault, f.place, f.from)),
    );
    lines.extend(
        clocks(state)
            .iter()
            .map(|(place, offset)| format!("clock: {place} {offset:+} s")),
    );
    lines.push(format!(
        "\n{:32} {:9} {:>8} {:>8}  last end",
        "PROCESS", "CONDITION", "PID", "MB"
    ));
    let mut total = 0;
    for (name, process) in &state.processes {
        let condition = format!("{:?}", process.condition()).to_lowercase();
        let running = existing(process);
        let memory = running.map_or(0, |r| r.resident_bytes() / 1_000_000);
        total += memory;
        let pid = running.map_or_else(String::new, |r| r.pid.to_string());
        let exit = process.exit.as_deref().unwrap_or_default();
        lines.push(format!("{name:32} {condition:9} {pid:>8} {memory:>8}  {exit}"));
    }
    lines.push(format!("{:32} {:9} {:>8} {total:>8}\n", "total", "", ""));
    lines.join("\n")
}
