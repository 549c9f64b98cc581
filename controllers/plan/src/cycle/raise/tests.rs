//! Cards that are free, but not together: a big request among small ones.

use std::sync::Arc;

use crds::{CardNodes, LedgerState, Resources};
use jiff::SignedDuration;
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::ceilings::Ceiling;
use crate::cycle::cycle;
use crate::pool::{Capacity, Pool, testing};
use crate::quota::Slot;
use crate::tenants::TenantFacts;

const DAY: SignedDuration = SignedDuration::from_hours(24);

fn cards(n: i128) -> Resources {
    Resources {
        accelerators: n,
        ..Resources::ZERO
    }
}

/// So many nodes of eight cards in one centre, one card of each is free.
fn pool(nodes: i64) -> Pool {
    let layout = CardNodes {
        cards: 8,
        free: 1,
        nodes,
    };
    let capacity = Capacity {
        gross: cards(i128::from(nodes) * 8),
        known: true,
        cards: vec![layout],
        ..Capacity::default()
    };
    Pool {
        slots: vec![Slot {
            name: "jishi".into(),
            weight: 1,
            primary: true,
        }],
        capacity: [("jishi".to_owned(), capacity)].into(),
        ..testing::cards()
    }
}

fn asks(name: &str, count: i64, per_node: i64, created: Timestamp) -> Arc<Request> {
    let need = json!({"use": "Training", "count": count, "perNode": per_node});
    let object = json!({"apiVersion": "xiangyun.io/v1alpha1", "kind": "ResourceRequest",
        "metadata": {"name": name, "namespace": "dept", "uid": name, "creationTimestamp": created.to_string(),
            "finalizers": ["xiangyun.io/charged"]},
        "spec": {"displayName": name, "type": "New", "survival": "None", "term": {"months": 12},
            "resources": {"accelerators": [need]}}});
    Arc::new(Request::read(serde_json::from_value(object).unwrap(), false).unwrap())
}

/// A request for eight cards in one node has waited so long, and small ones came after it.
fn world(nodes: i64, waited: SignedDuration, small: &[i64]) -> Snapshot {
    let pool = pool(nodes);
    let now = Timestamp::UNIX_EPOCH + DAY * 30;
    let mut ledger = Ledger {
        state: LedgerState::Open,
        ..Ledger::default()
    };
    ledger.adopt_pool(&pool);
    let slot = ledger.pools.get_mut("gpu").unwrap().centres.get_mut("jishi").unwrap();
    slot.charged = cards(i128::from(nodes) * 7);
    let tenant = TenantFacts {
        generation: 1,
        ceilings: Arc::new([("gpu", Ceiling::plain(cards(1000)))].into()),
        ..TenantFacts::default()
    };
    let later = |(i, count): (usize, &i64)| asks(&format!("small-{i:02}"), *count, 1, now);
    let mut requests = vec![asks("big", 8, 8, now - waited)];
    requests.extend(small.iter().enumerate().map(later));
    Snapshot {
        now,
        epoch: 1,
        ledger,
        pools: [("gpu".to_owned(), pool)].into(),
        tenants: [("dept".to_owned(), tenant)].into(),
        standing: [("dept".to_owned(), Ok(()))].into(),
        requests,
        ..Snapshot::default()
    }
}

fn granted(plan: &CyclePlan) -> Vec<&str> {
    let records = plan
        .swap
        .as_ref()
        .map(|l| l.records.keys().map(String::as_str).collect());
    records.unwrap_or_default()
}

#[test]
fn cards_that_are_not_together_are_kept_for_the_first_that_needs_them_together() {
    // Ten are free, one in each of ten nodes.
    let before = cycle(&world(10, DAY * 2, &[4]));
    let refusal = before.assessment(0).unwrap().refusal.as_ref().unwrap();
    assert_eq!(refusal.reason, reason::FRAGMENTED);
    assert_eq!(granted(&before), ["small-00"]);
    assert!(before.keepers.is_empty());

    let after = cycle(&world(10, DAY * 3, &[4, 2]));
    assert_eq!(granted(&after), ["small-01"]);
    assert_eq!(after.keepers["gpu"].uid, "big");
    assert_eq!(after.keepers["gpu"].centres["jishi"], cards(8));

    let mut together = world(10, DAY * 3, &[4, 2]);
    let capacity = together
        .pools
        .get_mut("gpu")
        .unwrap()
        .capacity
        .get_mut("jishi")
        .unwrap();
    capacity.cards[0].nodes = 9;
    capacity.cards.push(CardNodes {
        cards: 8,
        free: 8,
        nodes: 1,
    });
    assert_eq!(granted(&cycle(&together)), ["big", "small-01"]);
}

proptest! {
    /// However many small ones come, of any size.
    #[test]
    fn small_ones_never_take_what_is_kept(nodes in 8i64..24, small in prop::collection::vec(1i64..9, 0..12)) {
        let plan = cycle(&world(nodes, DAY * 3, &small));
        prop_assert_eq!(&plan.keepers["gpu"].uid, "big");
        let left = plan.swap.map_or(cards(nodes.into()), |l| l.free("gpu", "jishi"));
        prop_assert!(cards(8).fits(left), "{} are left", left);
    }
}
