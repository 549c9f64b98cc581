//! What no decision may do, by what was so when it was made.

use crds::Resources;
use plan::cycle::{CyclePlan, Snapshot};
use plan::ledger::Record;

use crate::fixtures::Facts;

/// Raises that the plan opens and that do not fit into what there is, or ask for cards in one node where none has them.
pub(crate) fn wrong(facts: &Facts, snapshot: &Snapshot, plan: &CyclePlan) -> Vec<String> {
    let Some(next) = &plan.swap else {
        return Vec::new();
    };
    let known = |uid: &String, record: &Record| snapshot.ledger.records.get(uid).is_some_and(|r| r.id == record.id);
    let mut wrong = Vec::new();
    for (_, record) in next.records.iter().filter(|(uid, record)| !known(uid, record)) {
        for (pool, grant) in &record.to {
            for (centre, part) in &grant.centres {
                let before = record.from.get(pool).and_then(|g| g.centres.get(centre));
                let before = before.map_or(Resources::ZERO, |p| p.charge());
                let (charged, most) = (next.centre(pool, centre).unwrap().charged, facts.committable(pool));
                let raised = || {
                    part.charge()
                        .iter()
                        .zip(before.iter())
                        .filter(|((_, n), (_, old))| n > old)
                };
                if raised().any(|((resource, _), _)| charged[resource] > most[resource]) {
                    wrong.push(format!("{} raises {pool}@{centre} to {charged} of {most}", record.name));
                }
                if facts.scattered && raised().any(|((resource, _), _)| resource == "accelerators") {
                    wrong.push(format!("{} gets cards that are not together", record.name));
                }
            }
        }
    }
    wrong
}
