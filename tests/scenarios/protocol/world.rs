//! A running cloud with two operators and a small pool, and the words in which the steps speak to it.

use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use crds::{QuotaLedger, ResourceRequest, object};
use futures::future::try_join_all;
use k8s_openapi::api::coordination::v1::Lease;
use kube::api::{DeleteParams, PostParams};
use kube::{Api, Client};
use playground::{Cloud, Condition, Cut, Fault, Options, Place, eventually};
use serde_json::{Value, json};
use tests::repository;

use crate::history::History;
use crate::judge::Judge;

pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
pub(crate) const TENANT: &str = "dept-yibao";
/// Has room for five requests in each centre.
pub(crate) const FIVE: &str = "x86";
/// Has room for fifty.
pub(crate) const FIFTY: &str = "arm";
/// Both operators, each in a place of its own.
pub(crate) const OPERATORS: [(&str, Place); 2] =
    [("operator@jishi", Place::Jishi), ("operator@jiyidong", Place::Jiyidong)];

pub(crate) struct World {
    pub(crate) cloud: Cloud,
    history: History,
    admin: Client,
    department: Client,
}

impl World {
    pub(crate) async fn up() -> Result<Self> {
        let cloud = Cloud::up(Options::default()).await?;
        let world = Self {
            history: History::watch(&cloud)?,
            admin: cloud.client("hub", None).await?,
            department: cloud.client("hub", Some("li.na")).await?,
            cloud,
        };
        // A relay in the way of each operator, which passes everything on until it is told otherwise.
        for (_, place) in OPERATORS {
            let pair = Cut {
                port: Some(7443),
                ..Cut::pair(place, Place::Hub)
            };
            world.cloud.fault(Fault::Delay(Duration::ZERO), pair).await?;
        }
        for file in ["00-centres.yaml", "20-tenants.yaml"] {
            let path = repository().join("examples").join(file);
            world
                .kubectl("hub", Some("zhao.min"), &["apply", "-f", &path.to_string_lossy()])
                .await?;
        }
        for (pool, architecture, room) in [(FIVE, "amd64", 5), (FIFTY, "arm64", 50)] {
            world.pool(pool, architecture, room).await?;
        }
        let ready = ["wait", "--for=condition=Ready", "--timeout=90s"];
        for object in ["qpool/x86", "qpool/arm", "dept/dept-yibao"] {
            world
                .kubectl("hub", None, &[ready.as_slice(), &[object]].concat())
                .await?;
        }
        Ok(world)
    }

    /// A pool with room for so many requests of 4 vCPU in each centre.
    pub(crate) async fn pool(&self, name: &str, architecture: &str, room: i32) -> Result<()> {
        let amounts = json!({"cpu": (4 * room).to_string(), "memory": format!("{}Gi", 16 * room)});
        let centre = |name: &str| json!({"name": name, "source": "Declared", "amounts": amounts});
        self.apply(
            &json!({"apiVersion": "xiangyun.io/v1alpha1", "kind": "QuotaPool", "metadata": {"name": name},
            "spec": {"displayName": name, "architecture": architecture, "zone": "GovExtranet",
                "centres": [centre("jishi"), centre("jiyidong")]}}),
        )
        .await
    }

    /// What kubectl printed; fails when it was refused.
    pub(crate) async fn kubectl(&self, cluster: &str, user: Option<&str>, args: &[&str]) -> Result<String> {
        let output = self.cloud.kubectl(cluster, user, args).await?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "kubectl {args:?} as {user:?}: {said}");
        Ok(String::from_utf8(output.stdout)?)
    }

    /// Applies an object of the platform team's.
    pub(crate) async fn apply(&self, object: &Value) -> Result<()> {
        let file = self.cloud.dir().join("platform.json");
        std::fs::write(&file, object.to_string())?;
        let apply = ["apply", "--server-side", "-f", &file.to_string_lossy()];
        self.kubectl("hub", Some("zhao.min"), &apply).await.map(drop)
    }

    /// Changes a part of an object of the platform team's.
    pub(crate) async fn patch(&self, object: &str, patch: &Value) -> Result<()> {
        let patch = patch.to_string();
        let args = ["patch", object, "--type=merge", "-p", &patch];
        self.kubectl("hub", Some("zhao.min"), &args).await.map(drop)
    }

    /// Waits until a request holds so many vCPU and its condition Ready has that reason.
    pub(crate) async fn stands(&self, name: &str, vcpu: i128, reason: &str) -> Result<()> {
        self.until(&format!("{name} holds {vcpu}, {reason}"), |judge| {
            let found = judge.stands(name).context("not there")?;
            ensure!(found == (vcpu, reason.to_owned()), "{found:?}");
            Ok(())
        })
        .await
    }

    /// Asks the judge of the history.
    pub(crate) fn ask<T>(&self, question: impl FnOnce(&Judge) -> T) -> Result<T> {
        self.history.ask(question)
    }

    /// Waits until the history says so. Anything wrong in it ends the wait.
    pub(crate) async fn until(&self, what: &str, question: impl Fn(&Judge) -> Result<()>) -> Result<()> {
        self.within(PATIENCE, what, question).await
    }

    /// The same for what takes longer.
    pub(crate) async fn within(
        &self,
        limit: Duration,
        what: &str,
        question: impl Fn(&Judge) -> Result<()>,
    ) -> Result<()> {
        // To wait on would not mend what is wrong.
        let attempt = || async { self.ask(&question).unwrap_or(Ok(())) };
        eventually(limit, what, attempt).await?;
        self.ask(|_| ())
    }

    pub(crate) async fn at_rest(&self) -> Result<String> {
        self.until("all is at rest", |judge| judge.at_rest().map(drop)).await?;
        self.ask(Judge::at_rest)?
    }

    pub(crate) fn requests(&self) -> Api<ResourceRequest> {
        Api::namespaced(self.department.clone(), TENANT)
    }

    /// Those of any tenant, as an administrator has them.
    pub(crate) fn requests_of(&self, tenant: &str) -> Api<ResourceRequest> {
        Api::namespaced(self.admin.clone(), tenant)
    }

    /// So many requests of 4 vCPU at once, `PREFIX-00` and so on.
    pub(crate) async fn ask_for(&self, pool: &str, prefix: &str, count: usize) -> Result<()> {
        let spec = |name: &str| {
            json!({"displayName": name, "type": "New",
                "project": {"approvalNo": "1", "funding": "AnnualBudget"},
                "pools": [{"name": pool, "amounts": {"cpu": "4", "memory": "16Gi"}}],
                "compliance": {"classified": false, "mlpsLevel": 2}, "term": {"months": 12}})
        };
        let names: Vec<String> = (0..count).map(|n| format!("{prefix}-{n:02}")).collect();
        try_join_all(names.iter().map(|name| self.create(name, spec(name)))).await?;
        Ok(())
    }

    pub(crate) async fn create(&self, name: &str, spec: Value) -> Result<()> {
        self.create_in(TENANT, name, spec).await
    }

    /// A request of any tenant, made by an administrator where it is not the department's own.
    pub(crate) async fn create_in(&self, tenant: &str, name: &str, spec: Value) -> Result<()> {
        let request = json!({"apiVersion": "xiangyun.io/v1alpha1", "kind": "ResourceRequest",
            "metadata": {"name": name, "namespace": tenant}, "spec": spec});
        let request: ResourceRequest = serde_json::from_value(request)?;
        let client = if tenant == TENANT {
            &self.department
        } else {
            &self.admin
        };
        let api: Api<ResourceRequest> = Api::namespaced(client.clone(), tenant);
        let params = PostParams::default();
        eventually(PATIENCE, &format!("{name} is created"), || async {
            match api.create(&params, &request).await {
                // An answer that was lost: it is there already.
                Err(kube::Error::Api(status)) if status.code == 409 => Ok(()),
                other => other.map(drop).context("create"),
            }
        })
        .await
    }

    /// Waits until exactly so many are granted and so many others wait for room.
    pub(crate) async fn granted(&self, prefix: &str, granted: usize, waiting: usize) -> Result<()> {
        self.until(&format!("{granted} of {prefix} are granted"), |judge| {
            let (live, wait) = (judge.live(prefix).len(), judge.because(prefix, "WaitingForQuota"));
            ensure!(live == granted && wait == waiting, "{live} granted, {wait} waiting");
            Ok(())
        })
        .await
    }

    /// Asks to release whatever of these is granted, and waits until it ended.
    pub(crate) async fn release(&self, prefix: &str) -> Result<()> {
        let live = self.ask(|judge| judge.live(prefix))?;
        self.ask_to_release(&live).await?;
        self.until("all ended", |judge| {
            let still = judge
                .of(prefix)
                .filter(|r| live.iter().any(|l| l == r.name()) && !r.ended());
            ensure!(still.count() == 0, "some did not");
            Ok(())
        })
        .await
    }

    pub(crate) async fn ask_to_release(&self, names: &[String]) -> Result<()> {
        let spec = |name: &str| json!({"displayName": "释放", "type": "Release", "allocationRef": {"name": name}});
        let names = names.iter().map(|name| (format!("{name}-release"), spec(name)));
        let names: Vec<_> = names.collect();
        try_join_all(names.iter().map(|(name, spec)| self.create(name, spec.clone()))).await?;
        Ok(())
    }

    /// Deletes these and waits until they are gone; none of them may hold a live grant.
    pub(crate) async fn delete(&self, names: &[String]) -> Result<()> {
        self.ask_to_delete(names).await?;
        self.gone(names).await
    }

    pub(crate) async fn ask_to_delete(&self, names: &[String]) -> Result<()> {
        let api = self.requests();
        try_join_all(names.iter().map(|name| {
            let api = &api;
            eventually(PATIENCE, "it is deleted", move || async move {
                match api.delete(name, &DeleteParams::default()).await {
                    Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
                    other => other.map(drop).context("delete"),
                }
            })
        }))
        .await?;
        Ok(())
    }

    pub(crate) async fn gone(&self, names: &[String]) -> Result<()> {
        self.until(&format!("{names:?} are gone"), |judge| {
            let left = judge.names("");
            let left: Vec<&String> = left.iter().filter(|name| names.contains(name)).collect();
            ensure!(left.is_empty(), "{left:?} are there");
            Ok(())
        })
        .await
    }

    /// Gives everything back, so that the next step finds the pool empty. Those that wait go first, or they would be
    /// granted what the others leave.
    pub(crate) async fn clear(&self, prefix: &str) -> Result<()> {
        let live = self.ask(|judge| judge.live(prefix))?;
        let mut waiting = self.ask(|judge| judge.names(prefix))?;
        waiting.retain(|name| !live.contains(name));
        self.delete(&waiting).await?;
        self.release(prefix).await?;
        self.delete(&self.ask(|judge| judge.names(prefix))?).await
    }

    /// The operator that leads, and its place.
    pub(crate) async fn leader(&self) -> Result<(&'static str, Place)> {
        let leases: Api<Lease> = Api::namespaced(self.admin.clone(), object::SYSTEM);
        eventually(PATIENCE, "an operator leads", || async {
            let lease = leases.get(object::CONTROLLER).await?;
            let holder = lease.spec.and_then(|s| s.holder_identity).unwrap_or_default();
            for (name, place) in OPERATORS {
                let pid = self.cloud.pid(name).map(|p| p.to_string());
                if holder.split('-').any(|part| Some(part) == pid.as_deref()) {
                    return Ok((name, place));
                }
            }
            bail!("{holder:?} is none of ours")
        })
        .await
    }

    pub(crate) fn other(operator: &str) -> Result<&'static str> {
        let other = OPERATORS.into_iter().find(|(name, _)| *name != operator);
        Ok(other.context("two operators")?.0)
    }

    /// Nobody waits for the lease of an operator that is dead.
    pub(crate) async fn forget_lease(&self) -> Result<()> {
        let leases: Api<Lease> = Api::namespaced(self.admin.clone(), object::SYSTEM);
        leases.delete(object::CONTROLLER, &DeleteParams::default()).await?;
        Ok(())
    }

    /// Deletes the ledger by hand.
    pub(crate) async fn lose_ledger(&self) -> Result<()> {
        let ledgers: Api<QuotaLedger> = Api::all(self.admin.clone());
        ledgers.delete(object::PROVINCE, &DeleteParams::default()).await?;
        Ok(())
    }

    /// Waits until that operator stands still at the step that it was armed for.
    pub(crate) async fn frozen(&self, operator: &str) -> Result<()> {
        eventually(PATIENCE, "it stands still", || async {
            let found = self.cloud.condition(operator)?;
            ensure!(found == Condition::Frozen, "{found:?}");
            Ok(())
        })
        .await
    }

    /// How many writes of the operators on that resource the hub refused as out of date, by its audit log.
    pub(crate) fn conflicts(&self, resource: &str) -> Result<usize> {
        let resource = format!("\"resource\":\"{resource}\"");
        self.audited(&["\"username\":\"xiangyun:controller\"", "\"code\":409", &resource])
    }

    /// How many lines of the hub's audit log have all of these marks.
    pub(crate) fn audited(&self, marks: &[&str]) -> Result<usize> {
        let log = std::fs::read_to_string(self.cloud.audit_log("hub")?)?;
        Ok(log
            .lines()
            .filter(|line| marks.iter().all(|m| line.contains(m)))
            .count())
    }

    /// Passes on what was held back: it arrives, and is refused.
    pub(crate) async fn land(&self, place: Place, resource: &str) -> Result<()> {
        let before = self.conflicts(resource)?;
        self.cloud.withhold(place, Place::Hub, None)?;
        eventually(PATIENCE, "what comes late is refused", || async {
            ensure!(self.conflicts(resource)? > before, "nothing was refused");
            Ok(())
        })
        .await
    }

    /// How often a text is in the log of a process.
    pub(crate) fn logged(&self, process: &str, text: &str) -> Result<usize> {
        Ok(std::fs::read_to_string(self.cloud.log(process)?)?.matches(text).count())
    }
}
