//! What drills ask of a cloud with real processes: a client that counts, and what writers wrote.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::{Context, Result};

use crate::arbiter;
use crate::cloud::{Cloud, READY};
use crate::place::Place;
use crate::process::{Spec, Stage};
use crate::ready::Ready;
use crate::supervisor::{self, Request};
use crate::work::{Counted, Verdict, judge, read_writes};
use crate::workers;

/// Where clients stand: no cut hides a centre from them.
const CLIENT_PLACE: Place = Place::Hub;

impl Cloud {
    /// The folder with the logs of writers, of the sink and of clients, one JSON line each.
    pub fn writes(&self) -> PathBuf {
        self.dir().join("writes")
    }

    /// The writes of every scope so far, judged. Only those of exclusive placements need be free of violations.
    pub fn judge_writes(&self) -> Result<BTreeMap<String, Verdict>> {
        let (writes, landed) = read_writes(&self.writes())?;
        Ok(judge(&writes, &landed))
    }

    /// The file with which our own programs in a place reach the arbiter (profile `full`).
    pub fn arbiter_config(&self, place: Place) -> Result<PathBuf> {
        Ok(arbiter::file(&self.state()?, place))
    }

    /// Where the pods of a place are reached from outside; the path `/NAMESPACE/PLACEMENT` says whose.
    pub fn ingress(&self, place: Place) -> Result<String> {
        Ok(format!(
            "http://{}:{}",
            self.address(place)?,
            crate::place::port::INGRESS
        ))
    }

    /// Starts a client that asks a placement, `NAMESPACE/NAME`, from outside, so many times a second, until
    /// [`Cloud::end_client`].
    pub async fn start_client(&self, name: &str, placement: &str, rate: u32) -> Result<()> {
        let state = self.state()?;
        let log = self.writes().join(format!("client-{name}.jsonl"));
        let spec = Spec {
            name: client(name),
            place: CLIENT_PLACE,
            stage: Stage::Ours,
            program: workers::own()?,
            args: vec![
                format!("--dir={}", state.dir.display()),
                "client".to_owned(),
                format!("--placement={placement}"),
                format!("--rate={rate}"),
                format!("--log={}", log.display()),
            ],
            ready: Ready::Started,
            restart: false,
            netns: None,
            pod: None,
        };
        supervisor::ask(&state, &Request::Start(Box::new(spec.clone()))).await?;
        self.ready(&spec, READY).await
    }

    /// Ends a client and returns what it counted.
    pub async fn end_client(&self, name: &str) -> Result<Counted> {
        let process = client(name);
        self.stop_process(&process).await?;
        let log = self.log(&process)?;
        let text = std::fs::read_to_string(&log).with_context(|| format!("{}", log.display()))?;
        let last = text.lines().last().with_context(|| format!("{process} said nothing"))?;
        serde_json::from_str(last).with_context(|| format!("{process} said {last}"))
    }
}

fn client(name: &str) -> String {
    format!("client-{name}@{CLIENT_PLACE}")
}
