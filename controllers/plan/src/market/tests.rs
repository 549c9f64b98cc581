//! Which pool, and with survival `None` which centre, a need is served from.

use serde_json::{Value, json};

use super::*;
use crate::ledger::CentreEntry;
use crate::pool::{Capacity, Sort};
use crate::quota::{Part, Slot, parts};

const CENTRES: [&str; 2] = ["jishi", "jiyidong"];

/// vCPU and Gi.
fn compute(vcpu: i128, gi: i128) -> Resources {
    Resources {
        cpu: vcpu * 1000,
        memory: gi << 30,
        ..Resources::ZERO
    }
}

fn cards(n: i128) -> Resources {
    Resources {
        accelerators: n,
        ..Resources::ZERO
    }
}

/// What can be committed in a centre, and what is charged there.
type Row = (Resources, Resources);

#[derive(Default)]
struct Stand {
    pools: BTreeMap<String, Pool>,
    ledger: Ledger,
    base: Grant,
}

impl Stand {
    /// A pool of compute, or with `None` one of cards.
    fn with(mut self, name: &str, architecture: Option<Architecture>, rows: [Row; 2]) -> Self {
        let mut pool = crate::pool::testing::cards();
        pool.name = name.into();
        if let Some(architecture) = architecture {
            pool.sort = Sort::Compute(architecture);
        }
        let mut entry = PoolEntry::default();
        for (centre, (committable, charged)) in CENTRES.into_iter().zip(rows) {
            pool.slots.push(Slot {
                name: centre.into(),
                weight: 1,
                primary: centre == "jishi",
            });
            let capacity = Capacity {
                gross: committable,
                known: true,
                ..Capacity::default()
            };
            pool.capacity.insert(centre.to_owned(), capacity);
            let centre_entry = CentreEntry {
                charged,
                committable,
                report: 1,
                reported_at: None,
            };
            entry.centres.insert(centre.to_owned(), centre_entry);
        }
        self.pools.insert(name.to_owned(), pool);
        self.ledger.pools.insert(name.to_owned(), entry);
        self
    }

    /// The nodes with cards of a centre: cards of each, how many are free, and how many nodes.
    fn layout(mut self, pool: &str, centre: &str, row: (i64, i64, i64)) -> Self {
        let capacity = self.pools.get_mut(pool).and_then(|p| p.capacity.get_mut(centre));
        capacity.unwrap().cards = vec![crds::CardNodes {
            cards: row.0,
            free: row.1,
            nodes: row.2,
        }];
        self
    }

    /// What is altered draws `n` from that pool, all of which survives.
    fn holding(mut self, pool: &str, n: Resources) -> Self {
        let centres = parts(n, SurvivalRule::Full, &self.pools[pool].slots, 1);
        self.base.insert(pool, PoolGrant { n, centres });
        self
    }

    fn asks(&self, spec: &Value) -> Result<Choice, String> {
        let mut whole = json!({"displayName": "x", "type": "New", "term": {"months": 12}});
        whole.as_object_mut().unwrap().extend(spec.as_object().unwrap().clone());
        let open: Vec<&Pool> = self.pools.values().collect();
        let asker = Asker {
            wish: &Wish::read(&serde_json::from_value(whole).unwrap()),
            lowered: &BTreeMap::new(),
            open: &open,
            base: &self.base,
        };
        let market = Market {
            pools: &self.pools,
            ledger: &self.ledger,
            subtrees: &Subtrees::default(),
            kept: &Kept::new(),
        };
        let choices = resolve(asker, market).map_err(|refusal| format!("{}: {}", refusal.reason, refusal.message()))?;
        assert_eq!(choices.len(), 1);
        Ok(choices.into_iter().next().unwrap())
    }

    /// The centre of a grant that lives in one, and whether it fits there now.
    fn lives_in(&self, resources: &Value) -> (String, bool) {
        let choice = self.asks(&json!({"resources": resources, "survival": "None"})).unwrap();
        let centres: Vec<&Name> = choice.grant.centres.keys().collect();
        assert_eq!(centres.len(), 1);
        (centres[0].to_string(), choice.fits)
    }
}

/// The pool of ARM has no room for more than a third of its capacity, the one of x86 all of it.
fn two_architectures() -> Stand {
    let free = (compute(1000, 1000), Resources::ZERO);
    let busy = (compute(300, 300), compute(200, 200));
    Stand::default()
        .with("arm", Some(Architecture::Arm64), [busy; 2])
        .with("x86", Some(Architecture::Amd64), [free; 2])
}

fn change(vcpu: i128) -> Value {
    json!({"type": "Change", "allocationRef": {"name": "r"},
        "resources": {"cpu": vcpu.to_string(), "memory": format!("{vcpu}Gi")}})
}

#[test]
fn a_change_stays_in_the_architecture_of_its_grant() {
    let stand = two_architectures().holding("arm", compute(64, 64));
    for (vcpu, fits) in [(96, true), (32, true), (164, true), (165, false)] {
        let choice = stand.asks(&change(vcpu)).unwrap();
        assert_eq!(
            (&*choice.pool, choice.fits, choice.because),
            ("arm", fits, Because::Only)
        );
        assert_eq!(choice.raises(), vcpu > 64);
        assert_eq!(choice.base.n, compute(64, 64));
    }
    // Where its pool can never hold it, that is said, however much room another one has.
    let refused = stand.asks(&change(301)).unwrap_err();
    assert!(
        refused.starts_with(reason::EXCEEDS_MAX_QUOTA)
            && refused.contains("arm: asked 301 cpu, largest possible grant 300 cpu"),
        "{refused}"
    );
    // What is new goes to amd64, and who names the architecture gets it.
    assert_eq!(&*two_architectures().asks(&change(96)).unwrap().pool, "x86");
    let mut moves = change(96);
    moves["architecture"] = "amd64".into();
    assert_eq!(&*stand.asks(&moves).unwrap().pool, "x86");
}

fn two_centres(rows: [Row; 2]) -> Stand {
    Stand::default().with("x86", Some(Architecture::Amd64), rows)
}

#[test]
fn a_centre_that_fits_goes_before_one_with_more_vcpu() {
    let stand = two_centres([
        (compute(500, 10), Resources::ZERO),
        (compute(480, 2048), Resources::ZERO),
    ]);
    let lives = |cpu: &str, memory: &str| stand.lives_in(&json!({"cpu": cpu, "memory": memory}));
    assert_eq!(lives("16", "64Gi"), ("jiyidong".to_owned(), true));
    assert_eq!(lives("490", "4Gi"), ("jishi".to_owned(), true));
    // Both have room, and one has more.
    assert_eq!(lives("16", "4Gi"), ("jishi".to_owned(), true));
    // No centre has enough of both, though one has enough of each.
    let refused = stand.asks(&json!({"resources": {"cpu": "490", "memory": "64Gi"}, "survival": "None"}));
    let refused = refused.unwrap_err();
    assert!(refused.contains("largest possible grant 10Gi memory"), "{refused}");
}

#[test]
fn a_centre_that_can_hold_it_later_goes_before_one_that_never_can() {
    let stand = two_centres([
        (compute(1000, 1000), compute(990, 0)),
        (compute(500, 1000), compute(100, 0)),
    ]);
    let lives = |cpu: &str| stand.lives_in(&json!({"cpu": cpu, "memory": "1Gi"}));
    assert_eq!(lives("600"), ("jishi".to_owned(), false));
    assert_eq!(lives("450"), ("jiyidong".to_owned(), false));
    let refused = stand.asks(&json!({"resources": {"cpu": "1001", "memory": "1Gi"}, "survival": "None"}));
    let refused = refused.unwrap_err();
    assert!(
        refused.contains("asked 1001 cpu, largest possible grant 1000 cpu"),
        "{refused}"
    );
    // Of two alike the primary is taken.
    let alike = two_centres([(compute(8, 8), Resources::ZERO); 2]);
    assert_eq!(alike.lives_in(&json!({"cpu": "4", "memory": "4Gi"})).0, "jishi");
}

#[test]
fn cards_go_where_they_lie_together() {
    let stand = Stand::default()
        .with("gpu", None, [(cards(80), cards(70)), (cards(80), cards(72))])
        .layout("gpu", "jishi", (8, 1, 10))
        .layout("gpu", "jiyidong", (8, 8, 1));
    let asked = json!({"accelerators": [{"use": "Training", "count": 8, "perNode": 8}]});
    assert_eq!(stand.lives_in(&asked), ("jiyidong".to_owned(), true));
}

#[test]
fn a_named_centre_or_that_of_the_grant_stays() {
    let stand = two_centres([
        (compute(100, 100), compute(90, 90)),
        (compute(500, 500), Resources::ZERO),
    ]);
    let asked = json!({"resources": {"cpu": "50", "memory": "50Gi"}, "survival": "None", "centre": "jishi"});
    let choice = stand.asks(&asked).unwrap();
    assert!(choice.grant.centres.contains_key("jishi") && !choice.fits);
    let refused = json!({"resources": {"cpu": "101", "memory": "50Gi"}, "survival": "None", "centre": "jishi"});
    let refused = stand.asks(&refused).unwrap_err();
    assert!(refused.contains("largest possible grant 100 cpu"), "{refused}");
    let mut held = stand;
    let n = compute(10, 10);
    let part = Part { share: n, survival: n };
    let grant = PoolGrant {
        n,
        centres: [("jishi", part)].into(),
    };
    held.base.insert("x86", grant);
    let mut asked = change(60);
    asked["survival"] = "None".into();
    let choice = held.asks(&asked).unwrap();
    assert!(choice.grant.centres.contains_key("jishi") && !choice.fits);
}

#[test]
fn the_largest_possible_grant_is_that_of_the_survival() {
    let stand = two_centres([(compute(11_520, 100_000), Resources::ZERO); 2]);
    let asks = |cpu: &str, survival: &str| {
        stand.asks(&json!({"resources": {"cpu": cpu, "memory": "1Gi"}, "survival": survival}))
    };
    for (survival, most) in [("Full", 11_520), ("60%", 19_200), ("50%", 23_040), ("None", 11_520)] {
        assert!(asks(&most.to_string(), survival).unwrap().fits, "{survival}");
        let refused = asks(&(most + 1).to_string(), survival).unwrap_err();
        let words = format!("asked {} cpu, largest possible grant {most} cpu;", most + 1);
        assert!(refused.contains(&words), "{survival}: {refused}");
    }
}

#[test]
fn the_largest_grant_of_any_pool_is_said() {
    let stand = Stand::default()
        .with(
            "arm",
            Some(Architecture::Arm64),
            [(compute(500, 500), Resources::ZERO); 2],
        )
        .with(
            "x86",
            Some(Architecture::Amd64),
            [(compute(1000, 100), Resources::ZERO); 2],
        );
    let refused = |cpu: &str, memory: &str| {
        stand
            .asks(&json!({"resources": {"cpu": cpu, "memory": memory}}))
            .unwrap_err()
    };
    for (cpu, memory, words) in [
        (
            "1",
            "501Gi",
            "arm: asked 501Gi memory, largest possible grant 500Gi memory",
        ),
        ("1001", "1Gi", "x86: asked 1001 cpu, largest possible grant 1000 cpu"),
        // Each has enough of one.
        (
            "501",
            "101Gi",
            "x86: asked 101Gi memory, largest possible grant 100Gi memory",
        ),
    ] {
        assert!(refused(cpu, memory).contains(words), "{}", refused(cpu, memory));
    }
}
