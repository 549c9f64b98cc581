//! A centre lost with a thousand placements in it, and all of them brought back, each beside the same writes by a bare
//! loop. Every place is on one machine: whoever is lost takes no processor from those who carry on.

mod ground;
mod raw;

use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use controllers::clock::Clock;
use crds::{Failover, FailoverPhase, FailoverStep, FailoverType};
use jiff::Timestamp;
use kube::ResourceExt as _;
use kube::api::PostParams;
use playground::Place;
use serde_json::{Map, Value, json};

use crate::grant::percentile;
use crate::report::Keep;
use ground::{Ground, REAL, at_once};

/// Placements that move.
const PLACEMENTS: usize = 1000;
/// What the bare loop does.
const RAW_FAILOVER: &str = "each placement: 1 Failover created, 1 status of a Failover, 1 status of the placement, 1 Deployment in the surviving centre applied from 0 to 1 copies; until all copies are ready";
const RAW_FAILBACK: &str = "the same to the other centre, and 1 more status of the placement and 1 Deployment applied from 1 to 0 copies where it ran";

const RATIO: &str = "raw_s / moved_s, where a move ends when it is verified; the goal is at least 0.5";

/// Both benchmarks on one cloud. `smaller`: so many placements, to see that it works.
pub(crate) async fn run(smaller: Option<usize>, keep: Keep) -> Result<()> {
    let ground = Ground::lay(smaller.unwrap_or(PLACEMENTS)).await?;
    let mut lost = ground.is_carried().await?;
    let back = ground.comes_back().await?;
    keep("failback", &back)?;
    let refused = ground.falls_silent(Fall::Refused).await?.0;
    lost.insert("verdict_refused_s".into(), rounded(refused));
    keep("failover", &lost)
}

fn rounded(seconds: f64) -> Value {
    json!((seconds * 1000.0).round() / 1000.0)
}

fn figures<const N: usize>(all: [(&str, f64); N]) -> Map<String, Value> {
    let each = all.into_iter();
    each.map(|(name, value)| (name.to_owned(), rounded(value))).collect()
}

/// How a centre is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fall {
    /// Its processes are killed: connections are refused.
    Refused,
    /// They stand still: connections stay open, and nothing answers.
    BlackHoled,
}

/// The latest moment at which a move reached that step.
fn last(done: &[Failover], step: FailoverStep) -> Result<Timestamp> {
    let mut latest = Timestamp::UNIX_EPOCH;
    for one in done {
        let at = one
            .reached(step)
            .with_context(|| format!("{} without {step:?}", one.name_any()))?;
        latest = latest.max(at.parse()?);
    }
    Ok(latest)
}

fn seconds(from: Timestamp, to: Timestamp) -> f64 {
    to.duration_since(from).as_secs_f64()
}

impl Ground {
    /// Ends jishi that way. Answers the seconds to the verdict, the moment that is written on it, and the incident.
    async fn falls_silent(&self, how: Fall) -> Result<(f64, Timestamp, String)> {
        let begin = Clock::default().now();
        for process in self.running(Place::Jishi)? {
            match how {
                Fall::Refused => self.cloud.kill(&process).await?,
                Fall::BlackHoled => self.cloud.freeze(&process).await?,
            }
        }
        let witness = self.witness("Lost").await?;
        let since: Timestamp = witness.since.parse()?;
        let verdict = seconds(begin, since);
        println!("{how:?}: verdict after {verdict:.1} s");
        Ok((verdict, since, witness.incident.context("an incident")?))
    }

    /// The centre stands still, and the other one carries everything.
    async fn is_carried(&self) -> Result<Map<String, Value>> {
        let writes = self.hub_writes().await?;
        let (verdict, since, incident) = self.falls_silent(Fall::BlackHoled).await?;
        let of_it = |f: &Failover| f.spec.incident.as_ref() == Some(&incident) && f.phase() == FailoverPhase::Succeeded;
        let done = self
            .until(&self.failovers, "every placement moved", self.number, of_it)
            .await?;
        let writes = self.hub_writes().await? - writes;
        let moved = seconds(since, last(&done, FailoverStep::Verified)?);
        let serves = seconds(since, last(&done, FailoverStep::AppReady)?);
        let mut rto = Vec::new();
        for one in &done {
            let text = one.status.as_ref().and_then(|s| s.rto_seconds.as_ref());
            rto.push(text.context("no RTO")?.parse::<f64>()?);
        }
        println!(
            "{} moved {moved:.1} s after the verdict, all serve after {serves:.1} s",
            done.len()
        );
        let (raw, raw_writes) = self.raw_failover(&done).await?;
        let number = f64::from(u32::try_from(self.number)?);
        let mut all = figures([
            ("verdict_black_holed_s", verdict),
            ("moved_s", moved),
            ("all_ready_s", serves),
            ("rto_p50_s", percentile(&mut rto, 50)?),
            ("rto_p99_s", percentile(&mut rto, 99)?),
            ("raw_s", raw),
            ("raw_writes_s", raw_writes),
            ("ratio", raw / moved),
            ("hub_writes_per_move", writes / number),
            ("placements", number),
        ]);
        all.insert("raw_is".into(), RAW_FAILOVER.into());
        all.insert("ratio_is".into(), RATIO.into());
        Ok(all)
    }

    /// The centre is there again, and everything goes back while clients ask for some of it.
    async fn comes_back(&self) -> Result<Map<String, Value>> {
        for process in self.running(Place::Jishi)? {
            self.cloud.thaw(&process).await?;
        }
        self.witness("Returned").await?;
        self.runs_in(Place::Jiyidong, "jishi has let go").await?;
        self.has_nodes(Place::Jishi).await?;
        let clients = self.ask().await?;
        let (begin, clock, writes) = (Clock::default().now(), Instant::now(), self.hub_writes().await?);
        at_once(0..self.number, |i| self.sends_back(i)).await?;
        let of_it = |f: &Failover| f.spec.type_ == FailoverType::Failback && f.phase() == FailoverPhase::Succeeded;
        let done = self
            .until(&self.failovers, "every placement is back", self.number, of_it)
            .await?;
        let moved = seconds(begin, last(&done, FailoverStep::Verified)?);
        self.runs_in(Place::Jishi, "jiyidong has let go").await?;
        let (settled, writes) = (clock.elapsed().as_secs_f64(), self.hub_writes().await? - writes);
        let (asked, lost, switched) = self.asked(clients).await?;
        ensure!(switched == REAL, "{switched} of {REAL} clients were led back to jishi");
        println!(
            "{} back after {moved:.1} s, {lost} of {asked} requests lost",
            done.len()
        );
        let (raw, raw_writes) = self.raw_failback(&done).await?;
        let number = f64::from(u32::try_from(self.number)?);
        let mut all = figures([
            ("moved_s", moved),
            ("let_go_s", settled),
            ("raw_s", raw),
            ("raw_writes_s", raw_writes),
            ("ratio", raw / moved),
            ("requests", asked),
            ("lost_requests", lost),
            ("hub_writes_per_move", writes / number),
            ("placements", number),
        ]);
        all.insert("raw_is".into(), RAW_FAILBACK.into());
        all.insert("ratio_is".into(), RATIO.into());
        self.witness("Granted").await?;
        Ok(all)
    }

    async fn sends_back(&self, i: usize) -> Result<()> {
        let name = ground::name(i);
        let object = json!({"apiVersion": "xiangyun.io/v1alpha1", "kind": "Failover",
            "metadata": {"name": format!("{name}-home"), "namespace": ground::TENANT},
            "spec": {"placementRef": {"name": name}, "type": "Failback", "from": "jiyidong", "to": "jishi"}});
        let object = serde_json::from_value(object)?;
        self.failovers.create(&PostParams::default(), &object).await?;
        Ok(())
    }
}
