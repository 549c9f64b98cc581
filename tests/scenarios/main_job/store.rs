//! The stores below the API servers, spoken to with etcdctl.

use anyhow::{Context as _, Result, ensure};
use playground::Place;
use serde_json::Value;

use crate::world::World;

/// A store, by the port of its voter in jishi.
#[derive(Clone, Copy)]
pub(crate) enum Store {
    Hub = 12379,
    #[allow(dead_code, reason = "another suite looks at this one")]
    Jishi = 2379,
}

/// Compacts a store up to its newest revision.
pub(crate) async fn compact(w: &World, store: Store) -> Result<()> {
    let status: Value = serde_json::from_str(&etcdctl(w, store, &["endpoint", "status", "-w", "json"]).await?)?;
    let revision = status[0]["Status"]["header"]["revision"].as_i64();
    let revision = revision.context("a revision")?.to_string();
    etcdctl(w, store, &["compact", &revision, "--physical"]).await.map(drop)
}

pub(crate) async fn etcdctl(w: &World, store: Store, args: &[&str]) -> Result<String> {
    let pki = |flag: &str, file: &str| format!("--{flag}={}", w.cloud.dir().join("pki").join(file).display());
    let flags = [
        format!(
            "--endpoints=https://{}:{}",
            w.cloud.address(Place::Jishi)?,
            store as u16
        ),
        pki("cacert", "etcd-ca.crt"),
        pki("cert", "etcd-jishi.crt"),
        pki("key", "etcd-jishi.key"),
    ];
    let args: Vec<&str> = flags.iter().map(String::as_str).chain(args.iter().copied()).collect();
    let program = w.cloud.tool("etcdctl")?;
    let output = w.cloud.exec(Place::Jishi, &program.to_string_lossy(), &args).await?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "etcdctl {args:?}: {said}");
    Ok(String::from_utf8(output.stdout)?)
}
