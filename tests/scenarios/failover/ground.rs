//! The cloud of the steps, and the words for what moves.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use crds::object;
use playground::{Condition, Options, Profile, eventually};
use serde_json::{Value, json};

use crate::stage::{LI, NS, deployment, placement};
use crate::world::{World, condition};

/// A verdict takes 11 s, and a proof and a start a few more; these machines are slow.
pub(crate) const LONG: Duration = Duration::from_secs(120);
pub(crate) const EXAM: &str = "exam";
/// The hub, at a server that outlives jishi.
pub(crate) const HUB: &str = "hub@jiyidong";
/// Both operators.
pub(crate) const OPERATORS: [&str; 2] = ["operator@jishi", "operator@jiyidong"];
/// The agents of jishi.
pub(crate) const AGENTS: [&str; 2] = ["agent-1@jishi", "agent-2@jishi"];

/// At twenty records a second longer than a verdict takes, and than any right lasts without an answer.
pub(crate) const OUTLASTS: usize = 240;

/// Three centres with one node of real processes behind a gate in each metro centre.
pub(crate) async fn up() -> Result<World> {
    with(None).await
}

/// The same with other times of the arbiter.
pub(crate) async fn with(timing: Option<Value>) -> Result<World> {
    let options = Options {
        profile: Profile::Full,
        nodes: Some(6),
        runners: 1,
        gates: true,
        timing,
        ..Options::default()
    };
    World::with(options).await
}

/// A Deployment whose pods are real processes: `writer` or `http`.
pub(crate) fn real(name: &str, run: &str, replicas: i64) -> Value {
    let mut made = deployment(name, name, replicas);
    made["spec"]["template"]["metadata"]["labels"]["playground.xiangyun.io/run"] = json!(run);
    made["spec"]["template"]["spec"]["nodeSelector"] = json!({"playground.xiangyun.io/runner": "true"});
    made
}

/// An exclusive placement that runs in jishi.
pub(crate) fn exclusive(name: &str) -> Value {
    placement(
        name,
        name,
        json!({"mode": "Exclusive", "active": "jishi", "criticality": "Key"}),
    )
}

impl World {
    /// The hub, at a server that runs.
    pub(crate) fn hub(&self) -> Result<&'static str> {
        let runs = self.cloud.condition("hub-apiserver@jiyidong")? == Condition::Running;
        Ok(if runs { HUB } else { "hub@jishi" })
    }

    /// The operator that leads, by the process in the name that its lease has.
    pub(crate) async fn leader(&self) -> Result<&'static str> {
        eventually(LONG, "an operator leads", || async {
            let lease = self
                .get(self.hub()?, &["lease", object::CONTROLLER, "-n", object::SYSTEM])
                .await?;
            let holder = lease["spec"]["holderIdentity"].as_str().unwrap_or_default();
            let holds = |operator: &&str| {
                let pid = self.cloud.pid(operator).map(|pid| pid.to_string());
                pid.is_some_and(|pid| holder.split('-').any(|part| part == pid))
            };
            OPERATORS
                .into_iter()
                .find(holds)
                .with_context(|| format!("{holder:?} leads"))
        })
        .await
    }

    /// An exclusive placement of one writer, in jishi and armed.
    pub(crate) async fn made(&self, name: &str) -> Result<()> {
        self.all_made(&[name]).await
    }

    /// The same of several, which start together.
    pub(crate) async fn all_made(&self, names: &[&str]) -> Result<()> {
        for name in names {
            self.put(&real(name, "writer", 1)).await?;
            self.put(&exclusive(name)).await?;
        }
        for name in names {
            self.writes_in(name, "jishi").await?;
            self.armed(name, "Armed").await?;
        }
        Ok(())
    }

    /// The pods of a centre with these labels.
    pub(crate) async fn uids(&self, centre: &str, labels: &str) -> Result<Vec<Value>> {
        let found = self.get(centre, &["pods", "-n", NS, "-l", labels]).await?;
        let all = found["items"].as_array().context("pods")?;
        Ok(all.iter().map(|pod| pod["metadata"]["uid"].clone()).collect())
    }

    /// Names of all moves of a placement.
    pub(crate) async fn moves_of(&self, placement: &str) -> Result<Vec<String>> {
        let found = self.get(self.hub()?, &["failovers", "-n", NS]).await?;
        let all = found["items"].as_array().context("moves")?.iter();
        let of = all.filter(|f| f["spec"]["placementRef"]["name"] == placement);
        Ok(of
            .filter_map(|f| f["metadata"]["name"].as_str().map(ToOwned::to_owned))
            .collect())
    }

    /// Records of that exclusive placement that landed so far.
    pub(crate) fn landed(&self, name: &str) -> Result<usize> {
        let judged = self.cloud.judge_writes()?;
        Ok(judged.get(&format!("{NS}/{name}")).map_or(0, |verdict| verdict.writes))
    }

    /// Waits until more of it lands, all of it from that centre.
    pub(crate) async fn writes_in(&self, name: &str, centre: &str) -> Result<()> {
        let before = self.landed(name)?;
        eventually(LONG, &format!("{name} writes in {centre}"), || async {
            let judged = self.cloud.judge_writes()?;
            let verdict = judged.get(&format!("{NS}/{name}")).context("nothing landed")?;
            let last = verdict.turns.last().context("nobody wrote")?;
            ensure!(
                last.place == centre && verdict.writes >= before + 20,
                "{} more, last from {} under {}",
                verdict.writes - before,
                last.place,
                last.epoch
            );
            Ok(())
        })
        .await
    }

    /// Waits until so many more records of it landed, all from jishi.
    pub(crate) async fn goes_on(&self, name: &str, more: usize) -> Result<()> {
        let before = self.landed(name)?;
        eventually(LONG, &format!("{name} goes on"), || async {
            let landed = self.landed(name)? - before;
            ensure!(landed >= more, "{landed} of {more} more records");
            Ok(())
        })
        .await?;
        self.writes_in(name, "jishi").await
    }

    /// No two places ever wrote for one scope.
    pub(crate) fn nobody_wrote_twice(&self) -> Result<()> {
        for (scope, verdict) in self.cloud.judge_writes()? {
            ensure!(verdict.violations.is_empty(), "{scope}: {:?}", verdict.violations);
            let silence = verdict.silence.map(playground::Silence::ms);
            println!("{scope}: {} records, longest silence {silence:?} ms", verdict.writes);
        }
        Ok(())
    }

    /// Asks for a move.
    pub(crate) async fn moves(&self, name: &str, placement: &str, kind: &str, [from, to]: [&str; 2]) -> Result<()> {
        let object = json!({"apiVersion": "xiangyun.io/v1alpha1", "kind": "Failover",
            "metadata": {"name": name, "namespace": NS},
            "spec": {"placementRef": {"name": placement}, "type": kind, "from": from, "to": to, "comment": "演练"}});
        self.apply(self.hub()?, LI, &object).await
    }

    /// Says that word as that person about a move.
    pub(crate) async fn says(&self, person: &str, failover: &str, word: &str) -> Result<()> {
        let found = self.get(self.hub()?, &["failover", failover, "-n", NS]).await?;
        let said = json!({"apiVersion": "xiangyun.io/v1alpha1", "kind": "FailoverApproval",
            "metadata": {"name": format!("{failover}-{}", person.replace('.', "-")), "namespace": NS},
            "spec": {"failoverRef": {"name": failover, "uid": found["metadata"]["uid"]},
                "word": word, "comment": "机房值班确认"}});
        self.apply(self.hub()?, Some(person), &said).await
    }

    /// Waits until a move is in that phase for that reason; answers what it says.
    pub(crate) async fn because(&self, name: &str, phase: &str, reason: &str) -> Result<String> {
        eventually(LONG, &format!("move {name} is {phase}, {reason}"), || async {
            let found = self.get(self.hub()?, &["failover", name, "-n", NS]).await?;
            let why = condition(&found, "Complete").context("no word yet")?;
            let is = found["status"]["phase"] == phase && why["reason"] == reason;
            ensure!(is, "{} {} {}", found["status"]["phase"], why["reason"], why["message"]);
            Ok(why["message"].as_str().unwrap_or_default().to_owned())
        })
        .await
    }

    /// Waits until a move is in that phase.
    pub(crate) async fn phase(&self, name: &str, phase: &str) -> Result<Value> {
        eventually(LONG, &format!("move {name} is {phase}"), || async {
            let found = self.get(self.hub()?, &["failover", name, "-n", NS]).await?;
            let why = condition(&found, "Complete").map(|c| (&c["reason"], &c["message"]));
            ensure!(found["status"]["phase"] == phase, "{} {why:?}", found["status"]);
            Ok(found)
        })
        .await
    }

    /// Waits until the arbiter says that of a centre.
    pub(crate) async fn witness(&self, centre: &str, state: &str) -> Result<Value> {
        eventually(LONG, &format!("{centre} is {state}"), || async {
            let found = self.get(self.hub()?, &["dcn", centre]).await?;
            let witness = &found["status"]["witness"];
            ensure!(witness["state"] == state, "{witness}");
            Ok(witness.clone())
        })
        .await
    }

    /// Waits until the condition FailoverArmed of a placement gives that reason.
    pub(crate) async fn armed(&self, name: &str, reason: &str) -> Result<()> {
        eventually(LONG, &format!("{name} is {reason}"), || async {
            let found = self.get(self.hub()?, &["dap", name, "-n", NS]).await?;
            let says = condition(&found, "FailoverArmed");
            ensure!(says.is_some_and(|c| c["reason"] == reason), "{says:?}");
            Ok(())
        })
        .await
    }

    /// Processes of a place that run.
    pub(crate) fn running(&self, place: playground::Place) -> Result<Vec<String>> {
        let all = self.cloud.processes(place)?.into_iter();
        Ok(all.filter(|process| self.cloud.pid(process).is_some()).collect())
    }

    /// Every process of a place stands still, its pods and gates too.
    pub(crate) async fn freeze_place(&self, place: playground::Place) -> Result<()> {
        for process in self.running(place)? {
            self.cloud.freeze(&process).await?;
        }
        Ok(())
    }

    pub(crate) async fn thaw_place(&self, place: playground::Place) -> Result<()> {
        for process in self.running(place)? {
            self.cloud.thaw(&process).await?;
        }
        Ok(())
    }

    /// The agents of jishi stand still, and nothing else.
    pub(crate) async fn freeze_agents(&self) -> Result<()> {
        for agent in AGENTS {
            self.cloud.freeze(agent).await?;
        }
        Ok(())
    }

    pub(crate) async fn thaw_agents(&self) -> Result<()> {
        for agent in AGENTS {
            self.cloud.thaw(agent).await?;
        }
        Ok(())
    }
}

/// How long a move took, as it is written on it.
pub(crate) fn rto(failover: &Value) -> Result<f64> {
    let text = failover["status"]["rtoSeconds"].as_str().context("no RTO")?;
    Ok(text.parse()?)
}
