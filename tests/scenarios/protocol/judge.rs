//! What must hold at every revision.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, ensure};
use crds::{LedgerState, QuotaLedger, ResourceRequest, Resources, find_condition};
use plan::check;
use plan::ledger::{Holding, Ledger};
use plan::quota::Grant;
use plan::request::Request;
use serde_json::Value;

/// One object at one revision; none where it was deleted.
pub(crate) struct Change {
    pub(crate) revision: i64,
    /// `PLURAL/NAME` or `PLURAL/NAMESPACE/NAME`.
    pub(crate) key: String,
    pub(crate) object: Option<Value>,
}

/// The store as of the last revision, and all that was wrong on the way there.
#[derive(Default)]
pub(crate) struct Judge {
    pub(crate) wrong: Vec<String>,
    /// How many revisions of the ledger and of requests were judged.
    judged: usize,
    revision: i64,
    /// With its uid.
    ledger: Option<(String, Ledger)>,
    requests: Vec<Request>,
    /// What each pool can commit in each centre, as a ledger adopted it last.
    committable: BTreeMap<(String, String), Resources>,
    /// The record of each request that was ever granted, by uid.
    granted: BTreeMap<String, String>,
}

impl Judge {
    pub(crate) fn see(&mut self, change: Change) {
        self.revision = change.revision;
        let (outcome, counts) = match change.key.split('/').collect::<Vec<_>>().as_slice() {
            ["quotaledgers", _] => (self.see_ledger(change.object), true),
            ["resourcerequests", tenant, name] => {
                let before = self.counted(tenant, name);
                let outcome = self.see_request(tenant, name, change.object);
                (outcome, before != self.counted(tenant, name))
            }
            _ => return,
        };
        self.judged += 1;
        if let Err(error) = outcome {
            self.say(&format!("{}: {error:#}", change.key));
        }
        // Of the thousands that only wait nothing is summed up.
        if counts {
            self.sums();
        }
    }

    /// What the sums have of a request: nothing, while it holds nothing and no record of it is open.
    fn counted(&self, tenant: &str, name: &str) -> Option<(String, Grant)> {
        let found = self
            .requests
            .iter()
            .find(|r| r.name() == name && r.tenant() == tenant)?;
        let recorded = |(_, ledger): &(String, Ledger)| ledger.records.contains_key(found.uid());
        let counts = !found.holds.is_empty() || self.ledger.as_ref().is_some_and(recorded);
        counts.then(|| (found.uid().to_owned(), found.holds.clone()))
    }

    fn say(&mut self, what: &str) {
        self.wrong.push(format!("at revision {}: {what}", self.revision));
    }

    fn see_ledger(&mut self, object: Option<Value>) -> Result<()> {
        let Some(object) = object else {
            self.ledger = None;
            return Ok(());
        };
        let object: QuotaLedger = serde_json::from_value(object)?;
        let ledger = Ledger::try_from(&object.spec)?;
        for (pool, entry) in &ledger.pools {
            for (centre, c) in entry.centres.iter().filter(|(_, c)| !c.committable.is_zero()) {
                self.committable.insert((pool.clone(), centre.clone()), c.committable);
            }
        }
        let uid = object.metadata.uid.context("a uid")?;
        let older = self.ledger.as_ref().filter(|(known, _)| *known == uid);
        let in_order = older.is_none_or(|(_, l)| l.sequence < ledger.sequence && l.epoch <= ledger.epoch);
        self.ledger = Some((uid, ledger));
        ensure!(in_order, "its sequence or its epoch fell");
        Ok(())
    }

    fn see_request(&mut self, tenant: &str, name: &str, object: Option<Value>) -> Result<()> {
        let place = self
            .requests
            .iter()
            .position(|r| r.tenant() == tenant && r.name() == name);
        let before = place.map(|i| self.requests.swap_remove(i));
        let Some(object) = object else {
            return self.gone(&before.context("deleted, but never there")?);
        };
        let object: ResourceRequest = serde_json::from_value(object)?;
        let after = Request::read(object, true)?;
        self.requests.push(after.clone());
        let before = before.filter(|b| b.uid() == after.uid());
        let held_before = before.as_ref().is_some_and(|b| !b.holds.is_empty());
        match (held_before, after.holds.is_empty()) {
            (false, false) => self.granted(&after),
            (true, true) => self.lowered(&after),
            // A change, or what is left of an ended grant: decided like any other.
            (true, false) if before.is_some_and(|b| b.holds != after.holds) => self.covered(&after),
            (true, false) | (false, true) => Ok(()),
        }
    }

    /// A grant needs an open record of its own, and there is one in the life of a request.
    fn granted(&mut self, request: &Request) -> Result<()> {
        let allocation = request.allocation().context("an allocation")?;
        let record = allocation.record.clone();
        let earlier = self.granted.insert(request.uid().to_owned(), record.clone());
        ensure!(earlier.is_none(), "granted twice: {earlier:?}, then {record}");
        ensure!(allocation.ended.is_none(), "it ended, and rose");
        self.covered(request)
    }

    fn lowered(&self, request: &Request) -> Result<()> {
        ensure!(request.ended(), "it holds nothing, but did not end");
        self.covered(request)
    }

    /// The ledger that the allocation was decided in shows the record that it was written from.
    fn covered(&self, request: &Request) -> Result<()> {
        let allocation = request.allocation().context("an allocation")?;
        let decided = self.ledger.as_ref().filter(|(uid, l)| {
            // One that is lost can show nothing any more; the recount of its successor counts what was written.
            *uid == allocation.ledger && l.state == LedgerState::Open
        });
        let record = decided.map(|(_, l)| l.records.get(request.uid()));
        ensure!(
            record.is_none_or(|r| r.is_some_and(|r| r.id == allocation.record && r.to == request.holds)),
            "{} was written, but the ledger has {record:?}",
            allocation.record
        );
        Ok(())
    }

    fn gone(&self, request: &Request) -> Result<()> {
        ensure!(request.holds.is_empty(), "gone while it held {:?}", request.holds);
        let record = self.ledger.as_ref().and_then(|(_, l)| l.records.get(request.uid()));
        ensure!(record.is_none(), "gone while a record was open: {record:?}");
        Ok(())
    }

    /// No pool is oversold, by what requests hold and by what the ledger says; the ledger is never too low.
    fn sums(&mut self) {
        let held = check::recounted(&Ledger::default(), &self.requests);
        let ledger = self.ledger.as_ref().map(|(_, l)| l);
        let open = ledger.filter(|l| l.state == LedgerState::Open);
        let mut wrong = open.map_or_else(Vec::new, |l| check::violations(l, &self.requests, true));
        for (what, sums) in [("held", Some(&held)), ("charged", open)] {
            for (pool, entry) in sums.iter().flat_map(|l| &l.pools) {
                for (centre, c) in &entry.centres {
                    let key = (pool.clone(), centre.clone());
                    let committable = self.committable.get(&key).copied().unwrap_or_default();
                    if !c.charged.fits(committable) {
                        wrong.push(format!(
                            "{pool}@{centre} is oversold: {what} {}, committable {committable}",
                            c.charged
                        ));
                    }
                }
            }
        }
        for what in &wrong {
            self.say(what);
        }
    }

    /// Nothing is under way, nothing is leaving, and the ledger is exactly what requests hold.
    pub(crate) fn at_rest(&self) -> Result<String> {
        let (_, ledger) = self.ledger.as_ref().context("no ledger")?;
        ensure!(ledger.state == LedgerState::Open, "it recounts");
        ensure!(ledger.records.is_empty(), "open records: {:?}", ledger.records.keys());
        let leaving: Vec<&str> = self
            .requests
            .iter()
            .filter(|r| r.deleting())
            .map(Request::name)
            .collect();
        ensure!(leaving.is_empty(), "not let go: {leaving:?}");
        let holdings = self.requests.iter().map(|r| Holding {
            uid: r.uid(),
            tenant: r.tenant(),
            grant: &r.holds,
        });
        let differences = ledger.clone().recount(holdings);
        ensure!(
            differences.is_empty(),
            "the ledger is not what requests hold: {differences:?}"
        );
        Ok(format!("{} revisions judged", self.judged))
    }

    /// Uid and sequence of the ledger.
    pub(crate) fn ledger(&self) -> Option<(&str, i64)> {
        self.ledger.as_ref().map(|(uid, l)| (uid.as_str(), l.sequence))
    }

    /// Names of the requests that have an open record.
    pub(crate) fn under_way(&self) -> Vec<String> {
        let records = self.ledger.iter().flat_map(|(_, l)| l.records.values());
        records.map(|r| r.name.clone()).collect()
    }

    /// Whole vCPU that the ledger charges in a centre of a pool.
    pub(crate) fn charged(&self, pool: &str, centre: &str) -> Option<i128> {
        let (_, ledger) = self.ledger.as_ref()?;
        ledger.centre(pool, centre).map(|c| c.charged.cpu / 1000)
    }

    /// Names of all requests by that prefix.
    pub(crate) fn names(&self, prefix: &str) -> Vec<String> {
        self.of(prefix).map(|r| r.name().to_owned()).collect()
    }

    /// Requests by that prefix of their name.
    pub(crate) fn of<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = &'a Request> {
        self.requests.iter().filter(move |r| r.name().starts_with(prefix))
    }

    /// Names of those that hold something and did not end.
    pub(crate) fn live(&self, prefix: &str) -> Vec<String> {
        let live = self.of(prefix).filter(|r| !r.holds.is_empty() && !r.ended());
        live.map(|r| r.name().to_owned()).collect()
    }

    /// vCPU that a request holds, and the reason of its condition Ready.
    pub(crate) fn stands(&self, name: &str) -> Option<(i128, String)> {
        let request = self.requests.iter().find(|r| r.name() == name)?;
        let status = request.object().status.as_ref()?;
        let reason = find_condition(&status.conditions, crds::condition::READY)?
            .reason
            .clone();
        Some((request.holds.values().map(|g| g.n.cpu / 1000).sum(), reason))
    }

    /// How many say for that reason that they are not ready.
    pub(crate) fn because(&self, prefix: &str, reason: &str) -> usize {
        let says = |r: &&Request| {
            let status = r.object().status.as_ref()?;
            Some(find_condition(&status.conditions, crds::condition::READY)?.reason == reason)
        };
        self.of(prefix).filter(|r| says(r) == Some(true)).count()
    }
}

#[cfg(test)]
mod tests {
    use plan::ledger::Record;
    use plan::quota::{Part, PoolGrant, to_stored};
    use serde_json::json;

    use super::*;

    fn grant(vcpu: i128) -> Grant {
        let cpu = vcpu * 1000;
        let n = Resources { cpu, ..Resources::ZERO };
        let centres = [("jishi".to_owned(), Part { share: n, survival: n })].into();
        Grant::from([("x86".to_owned(), PoolGrant { n, centres })])
    }

    /// Room for 8 vCPU.
    fn ledger() -> Ledger {
        let mut ledger = Ledger {
            state: LedgerState::Open,
            ..Ledger::default()
        };
        let centres = &mut ledger.pools.entry("x86".to_owned()).or_default().centres;
        centres.entry("jishi".to_owned()).or_default().committable.cpu = 8000;
        ledger
    }

    fn open(ledger: &mut Ledger, uid: &str, vcpu: i128) {
        let record = Record {
            id: format!("record-{uid}"),
            name: uid.to_owned(),
            tenant: "t".to_owned(),
            to: grant(vcpu),
            ..Record::default()
        };
        ledger.open(uid, record);
    }

    fn see(judge: &mut Judge, key: &str, object: Option<Value>) {
        let (revision, key) = (judge.revision + 1, key.to_owned());
        judge.see(Change { revision, key, object });
    }

    fn swap(judge: &mut Judge, ledger: &mut Ledger) {
        ledger.sequence += 1;
        let mut object = json!(QuotaLedger::new("province", (&*ledger).into()));
        object["metadata"]["uid"] = json!("L");
        see(judge, "quotaledgers/province", Some(object));
    }

    fn write(judge: &mut Judge, uid: &str, holds: Option<&Grant>) {
        let allocation = holds.map(
            |grant| json!({"record": format!("record-{uid}"), "ledger": "L", "epoch": 1, "pools": to_stored(grant)}),
        );
        let request = json!({"apiVersion": "xiangyun.io/v1alpha1", "kind": "ResourceRequest",
            "metadata": {"name": uid, "namespace": "t", "uid": uid},
            "spec": {"displayName": uid, "type": "New"}, "status": {"allocation": allocation}});
        see(judge, &format!("resourcerequests/t/{uid}"), Some(request));
    }

    fn says(judge: &mut Judge, part: &str) {
        let wrong = std::mem::take(&mut judge.wrong).join("\n");
        assert!(wrong.contains(part), "{part:?} is not in {wrong:?}");
    }

    #[test]
    fn a_sound_life_is_silent_and_ends_at_rest() {
        let (mut judge, mut ledger) = (Judge::default(), ledger());
        swap(&mut judge, &mut ledger);
        write(&mut judge, "a", None);
        open(&mut ledger, "a", 8);
        swap(&mut judge, &mut ledger);
        assert!(judge.at_rest().is_err());
        write(&mut judge, "a", Some(&grant(8)));
        ledger.settle("a", &grant(8));
        swap(&mut judge, &mut ledger);
        assert_eq!(judge.wrong, Vec::<String>::new());
        judge.at_rest().unwrap();
    }

    #[test]
    fn what_is_wrong_is_said() {
        let (mut judge, mut ledger) = (Judge::default(), ledger());
        swap(&mut judge, &mut ledger);
        write(&mut judge, "a", Some(&grant(8)));
        says(&mut judge, "the ledger has Some(None)");
        write(&mut judge, "b", Some(&grant(1)));
        says(&mut judge, "oversold: held cpu 9");
        write(&mut judge, "b", Some(&grant(0)));
        says(&mut judge, "b was written, but the ledger has Some(None)");
        see(&mut judge, "resourcerequests/t/a", None);
        says(&mut judge, "gone while it held");
        open(&mut ledger, "c", 9);
        swap(&mut judge, &mut ledger);
        says(&mut judge, "oversold: charged cpu 9");
        write(&mut judge, "b", None);
        says(&mut judge, "did not end");
        write(&mut judge, "b", Some(&grant(1)));
        says(&mut judge, "granted twice");
        ledger.sequence -= 1;
        swap(&mut judge, &mut ledger);
        says(&mut judge, "its sequence or its epoch fell");
    }
}
