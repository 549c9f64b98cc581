//! Our own programs: operators and agents, as processes in the places' namespaces.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::arbiter;
use crate::cluster::kubeconfig;
use crate::fault::{Fault, relay_port};
use crate::place::{OPERATOR_PLACES, Place, RUNNER_PLACES, port};
use crate::process::{Spec, Stage};
use crate::ready::Ready;
use crate::state::State;

/// The `xiangyun` program: the one named, or the one that cargo built beside this program.
pub(crate) fn find_binary(named: Option<&Path>) -> Result<PathBuf> {
    if let Some(named) = named {
        if !named.is_file() {
            bail!("no program {}", named.display());
        }
        return Ok(std::path::absolute(named)?);
    }
    find("xiangyun").context("the `xiangyun` program is not built: run `cargo build`, or name it with --xiangyun-bin")
}

/// A program beside this one. Tests run from target/debug/deps, the playground from target/debug.
pub(crate) fn find(program: &str) -> Option<PathBuf> {
    let own = std::env::current_exe().ok()?;
    let near = own.ancestors().skip(1).take(2);
    near.map(|dir| dir.join(program)).find(|path| path.is_file())
}

/// This program itself.
pub(crate) fn own() -> Result<PathBuf> {
    find("playground").context("the `playground` program is not built: run `cargo build`")
}

/// The operators and agents of a cloud.
pub(crate) fn specs(state: &State, binary: &Path) -> Result<Vec<Spec>> {
    let mut all = Vec::new();
    for place in OPERATOR_PLACES {
        all.push(operator(state, place, binary)?);
    }
    for place in state.profile.centres() {
        for number in 1..=state.profile.agents() {
            all.push(agent(state, *place, number, binary)?);
        }
    }
    Ok(all)
}

fn operator(state: &State, place: Place, binary: &Path) -> Result<Spec> {
    let name = format!("operator@{place}");
    let hub = kubeconfig(state, &hub_of(state, place), "xiangyun:controller");
    let mut args = vec![
        "operator".to_owned(),
        format!("--kubeconfig={}", hub.display()),
        format!("--fail-point-file={}", state.order(&name).display()),
    ];
    if arbiter::exists(state.profile) {
        args.push(format!("--arbiter-config={}", arbiter::file(state, place).display()));
        args.push(format!("--place={place}"));
    }
    spec(state, name, place, port::OPERATOR, args, binary)
}

/// Each of ours uses the hub's server in its own place, where there is one.
fn hub_of(state: &State, place: Place) -> String {
    if state.profile.hub_places().contains(&place) {
        format!("hub@{place}")
    } else {
        "hub".to_owned()
    }
}

fn agent(state: &State, place: Place, number: u16, binary: &Path) -> Result<Spec> {
    let user = format!("xiangyun:centre:{place}");
    let name = format!("agent-{number}@{place}");
    let mut args = vec![
        "agent".to_owned(),
        format!("--centre={place}"),
        format!(
            "--hub-kubeconfig={}",
            kubeconfig(state, &hub_of(state, place), &user).display()
        ),
        format!(
            "--centre-kubeconfig={}",
            kubeconfig(state, place.name(), &user).display()
        ),
        format!("--fail-point-file={}", state.order(&name).display()),
    ];
    if arbiter::exists(state.profile) {
        args.push(format!("--arbiter-config={}", arbiter::file(state, place).display()));
        if state.runners.gates && RUNNER_PLACES.contains(&place) {
            let address = state.address(place)?;
            args.push(format!("--permits-addr={address}:{}", port::PERMITS + number));
        }
    }
    spec(state, name, place, port::OPERATOR + number, args, binary)
}

/// Name of the relay for connections that `place` opens to `other`.
pub(crate) fn relay_name(fault: &str, place: Place, other: Place) -> String {
    format!("{fault}-{other}@{place}")
}

/// The relay of a fault between a place and another one. It is this program itself, which need not lie where a test's
/// own program lies.
pub(crate) fn relay(state: &State, fault: Fault, place: Place, other: Place) -> Result<Spec> {
    let (name, delay) = match fault {
        Fault::Delay(delay) => ("delay", Some(format!("--delay={}", delay.as_millis()))),
        _ => ("blackhole", None),
    };
    let port = relay_port(fault, other);
    let name = relay_name(name, place, other);
    let mut args = vec!["relay".to_owned(), format!("--port={port}")];
    args.push(format!("--order-file={}", state.order(&name).display()));
    args.extend(delay);
    let program = own()?;
    Ok(Spec {
        name,
        place,
        stage: Stage::Ours,
        program,
        args,
        ready: Ready::Port(state.address(place)?, port),
        restart: true,
        netns: None,
        pod: None,
    })
}

fn spec(state: &State, name: String, place: Place, port: u16, mut args: Vec<String>, binary: &Path) -> Result<Spec> {
    let address = state.address(place)?;
    args.push(format!("--metrics-addr={address}:{port}"));
    args.push("--playground".to_owned());
    args.push(format!("--clock-offset-file={}", state.clock(place).display()));
    let ready = Ready::Port(address, port);
    let program = binary.to_owned();
    Ok(Spec {
        name,
        place,
        stage: Stage::Ours,
        program,
        args,
        ready,
        restart: true,
        netns: None,
        pod: None,
    })
}
