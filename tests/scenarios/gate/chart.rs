//! What the agent's chart makes of a gate, as helm prints it.

use std::process::{Command, Output};

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use tests::repository;

use crate::process::Programs;

fn helm(programs: &Programs, values: &[&str]) -> Result<Output> {
    let mut command = Command::new(playground::tools(None)?.join("helm"));
    command
        .args(["template", "agent"])
        .arg(repository().join("charts/agent"));
    command.args(["--kube-version=1.37.2", "--set=centre=jishi"]);
    command.args(values.iter().map(|value| format!("--set={value}")));
    let home = programs.path().with_file_name("helm");
    command.envs(["HELM_CACHE_HOME", "HELM_CONFIG_HOME", "HELM_DATA_HOME"].map(|name| (name, &home)));
    command.output().context("cannot run helm")
}

fn gate(printed: &Output) -> Result<Option<Value>> {
    ensure!(printed.status.success(), "{}", String::from_utf8_lossy(&printed.stderr));
    let objects: Vec<Value> = serde_saphyr::from_multiple(&String::from_utf8_lossy(&printed.stdout))?;
    Ok(objects.into_iter().find(|object| object["kind"] == "DaemonSet"))
}

/// Off unless it is asked for; then with the host's network, one capability, a root that cannot be written but for what
/// was held, and only with agents to ask.
pub(crate) fn off_by_default_with_one_capability(programs: &Programs) -> Result<()> {
    ensure!(gate(&helm(programs, &[])?)?.is_none());
    let on = ["gate.enabled=true", "gate.agents={http://10.96.0.20:9403}"];
    let pod = gate(&helm(programs, &on)?)?.context("a DaemonSet")?["spec"]["template"]["spec"].clone();
    ensure!(
        pod["hostNetwork"] == true && pod["automountServiceAccountToken"] == false,
        "{pod}"
    );
    let container = &pod["containers"][0];
    let rights = json!({"allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true,
        "capabilities": {"drop": ["ALL"], "add": ["NET_ADMIN"]}});
    ensure!(container["securityContext"] == rights, "{container}");
    ensure!(container["resources"]["limits"]["memory"].is_string(), "{container}");
    let mounts = container["volumeMounts"].as_array().context("mounts")?;
    let written: Vec<_> = mounts
        .iter()
        .filter(|mount| mount["readOnly"] != true)
        .map(|mount| &mount["name"])
        .collect();
    ensure!(written == ["held"], "{written:?}");
    // Its arguments are those of the program.
    let args = container["args"].as_array().context("arguments")?;
    let help = programs.gate(&["run", "--help"])?;
    for arg in args
        .iter()
        .filter_map(Value::as_str)
        .filter_map(|arg| arg.split('=').next())
        .skip(1)
    {
        ensure!(help.contains(arg), "the gate has no {arg}");
    }
    for refused in [
        ["gate.enabled=true", "gate.cycleMs=500"],
        ["gate.agents={10.96.0.20}", "gate.enabled=true"],
    ] {
        ensure!(!helm(programs, &refused)?.status.success(), "{refused:?} was accepted");
    }
    let slow = [&on[..], &["gate.callTimeoutMs=1500"]].concat();
    let said = String::from_utf8_lossy(&helm(programs, &slow)?.stderr).into_owned();
    ensure!(said.contains("must be less than 2000"), "{said}");
    Ok(())
}
