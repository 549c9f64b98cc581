//! What is remembered comes from a copy that is older than a move.

use anyhow::{Context as _, Result, ensure};
use playground::{Place, Store, eventually};

use crate::ground::{EXAM, HUB, LONG};
use crate::stage::NS;
use crate::world::World;

impl World {
    /// `xiangyun arbiter restore` with the records of those centres; what it said, and whether it did it.
    async fn begins_anew(&self, centres: &[&str], more: &[&str]) -> Result<(bool, String)> {
        let folder = std::env::current_exe()?;
        let folder = folder.parent().and_then(|deps| deps.parent());
        let program = folder.context("the folder of the programs")?.join("xiangyun");
        let config = self.cloud.dir().join("arbiter/arbiter-jishi.json");
        let mut line = vec!["arbiter".to_owned(), "restore".to_owned()];
        line.push(format!("--arbiter-config={}", config.display()));
        for centre in centres {
            let file = self.cloud.kubeconfig(centre, None)?;
            line.push(format!("--centre={centre}={}", file.display()));
        }
        line.extend(more.iter().map(|s| (*s).to_owned()));
        let line: Vec<&str> = line.iter().map(String::as_str).collect();
        let ended = self.cloud.exec(Place::Jishi, &program.to_string_lossy(), &line).await?;
        let said = [ended.stdout, ended.stderr].concat();
        Ok((ended.status.success(), String::from_utf8_lossy(&said).into_owned()))
    }

    /// Waits until an agent of the centre logs such a line.
    async fn an_agent_says(&self, centre: &str, words: &[&str]) -> Result<()> {
        eventually(LONG, &format!("an agent of {centre} says {words:?}"), || async {
            let mut all = String::new();
            for agent in ["agent-1", "agent-2"] {
                let log = self.cloud.log(&format!("{agent}@{centre}"))?;
                all.push_str(&std::fs::read_to_string(log)?);
            }
            let said = |line: &str| words.iter().all(|word| line.contains(word));
            ensure!(all.lines().any(said), "nobody did");
            Ok(())
        })
        .await
    }
}

/// The store of hub and arbiter is restored from a copy that was taken before a move. Nobody goes by the copy; one command
/// begins the arbiter's next life; and each placement goes on where it really ran last.
pub(crate) async fn a_restored_store_undoes_no_move(w: &World) -> Result<()> {
    w.made("vault").await?;
    let copy = w.cloud.dir().join("before-the-move.db");
    w.cloud.save_store(Store::Hub, &copy).await?;
    w.moves("vault-away", "vault", "Planned", ["jishi", "jiyidong"]).await?;
    w.phase("vault-away", "Succeeded").await?;
    w.writes_in("vault", "jiyidong").await?;

    w.cloud.restore_store(Store::Hub, &copy).await?;
    eventually(LONG, "the holder says that the store is a copy", || async {
        let found = w.get(HUB, &["dap", EXAM, "-n", NS]).await?;
        let says = found["status"]["centres"].to_string();
        ensure!(says.contains("StoreCopied"), "{says}");
        Ok(())
    })
    .await?;
    let ended = ["may no longer run here", "dept-yibao/vault"];
    w.an_agent_says("jiyidong", &ended).await?;
    let (shut, exam) = (w.landed("vault")?, w.landed(EXAM)?);

    let (done, said) = w.begins_anew(&["jishi", "jiyidong"], &[]).await?;
    ensure!(!done && said.contains("no record of baicheng"), "{said}");
    let one = ["--without=baicheng", "--person=li.na"];
    let (done, said) = w.begins_anew(&["jishi", "jiyidong"], &one).await?;
    ensure!(!done && said.contains("1 of 2 people"), "{said}");
    ensure!(
        (w.landed("vault")?, w.landed(EXAM)?) == (shut, exam),
        "it wrote by a copy"
    );

    let all = ["jishi", "jiyidong", "baicheng"];
    let (done, said) = w.begins_anew(&all, &[]).await?;
    ensure!(done && said.contains("life 2 of the arbiter begins"), "{said}");
    w.writes_in("vault", "jiyidong").await?;
    w.writes_in(EXAM, "jishi").await?;
    for centre in all {
        w.witness(centre, "Granted").await?;
    }
    let (done, said) = w.begins_anew(&all, &[]).await?;
    ensure!(done && said.contains("nothing to do"), "{said}");
    let found = w.get(HUB, &["dap", "vault", "-n", NS]).await?;
    ensure!(found["status"]["epoch"]["incarnation"] == 2, "{}", found["status"]);
    ensure!(
        found["status"]["active"] == serde_json::json!(["jiyidong"]),
        "{}",
        found["status"]
    );
    w.nobody_wrote_twice()
}

/// A centre's own store is restored from a copy that was taken before a move: its API server shows the pod that ran then,
/// and a record that says so. The gates remember a later one. What moved stays away, and never speaks here again.
pub(crate) async fn a_restored_centre_undoes_no_move(w: &World) -> Result<()> {
    w.made("safe").await?;
    let (copy, jishi) = (w.cloud.dir().join("jishi-before.db"), Store::Centre(Place::Jishi));
    w.cloud.save_store(jishi, &copy).await?;
    w.moves("safe-away", "safe", "Planned", ["jishi", "jiyidong"]).await?;
    w.phase("safe-away", "Succeeded").await?;
    w.writes_in("safe", "jiyidong").await?;

    w.cloud.restore_store(jishi, &copy).await?;
    let older = ["record stored", "\"restored\":true"];
    w.an_agent_says("jishi", &older).await?;
    eventually(LONG, "nothing of it is left in jishi", || async {
        let deployment = w.get("jishi", &["deploy", "safe", "-n", NS]).await?;
        let pods = w.uids("jishi", "name=safe").await?;
        let replicas = &deployment["spec"]["replicas"];
        ensure!(*replicas == 0 && pods.is_empty(), "{replicas} replicas, {pods:?}");
        Ok(())
    })
    .await?;
    w.writes_in("safe", "jiyidong").await?;
    w.writes_in(EXAM, "jishi").await?;
    w.witness("jishi", "Granted").await?;
    w.nobody_wrote_twice()
}
