//! What the world is made of: compute with an over-commit ratio, compute with a reserve, and cards, over two centres; a tree
//! of tenants, two of them siblings that borrow and lend; and what departments ask.

use std::sync::Arc;

use crds::{AcceleratorUse, Architecture, CardNodes, RequestType, Reserve, ResourceRequest, Resources, label};
use jiff::{SignedDuration, Timestamp};
use plan::ceilings::Ceiling;
use plan::ledger::Ledger;
use plan::pool::{Capacity, Pool, Sort};
use plan::quota::{Slot, gross, reserved};
use plan::tenants::TenantFacts;
use serde_json::{Value, json};

use crate::Mix;

pub(crate) const CENTRES: [&str; 2] = ["jishi", "jiyidong"];
const COMPUTE: [&str; 2] = ["arm", "x86"];
pub(crate) const POOLS: [&str; 3] = ["arm", "gpu", "x86"];
/// Cards that must lie in one node.
pub(crate) const BLOCK: i64 = 8;

/// A tenant: its parent, and what its ceiling is in each pool.
type Row = (&'static str, Option<&'static str>, [i128; 3]);
/// `t` may move below `q`. The ceilings of children add up to more than their parent's, so that ancestors count.
const TENANTS: [Row; 5] = [
    ("j", None, [32, 40, 32]),
    ("p", Some("j"), [20, 24, 20]),
    ("q", Some("j"), [15, 16, 15]),
    ("s", Some("p"), [14, 16, 14]),
    ("t", Some("p"), [12, 16, 12]),
];
/// What the siblings may borrow, and lend, in each of the pools: in one the borrower's limit is in the way, in another one
/// the lender's.
const BORROW: [i128; 3] = [3, 0, 6];
const LEND: [i128; 3] = [5, 0, 4];

/// Where the market is not what is looked at: nearly no ceiling is in the way but that of `p`, of whom all ask.
fn wide(tenant: &str) -> [i128; 3] {
    [if tenant == "p" { 26 } else { 40 }; 3]
}

pub(crate) fn vcpu(n: i128) -> Resources {
    Resources {
        cpu: n * 1000,
        memory: n << 30,
        ..Resources::ZERO
    }
}

/// Cards, each with a vCPU.
fn cards(n: i128) -> Resources {
    Resources {
        accelerators: n,
        ..vcpu(n)
    }
}

fn amount(pool: &str, n: i128) -> Resources {
    if pool == "gpu" { cards(n) } else { vcpu(n) }
}

/// What the platform team and the nodes say. It changes at any time, and an operator reads what is so now.
#[derive(Clone, Debug)]
pub(crate) struct Facts {
    /// Counts the moves of `t`: after an odd number of them it is below `q`.
    moves: i64,
    /// Number of the centres' reports: every other one says that half of the capacity is gone.
    report: i64,
    /// Whether the free cards lie on too many nodes.
    pub(crate) scattered: bool,
    mix: Mix,
}

impl Facts {
    pub(crate) fn new(mix: Mix) -> Self {
        Self {
            mix,
            moves: 0,
            report: 2,
            scattered: false,
        }
    }

    pub(crate) fn tenant_moves(&mut self) {
        self.moves += 1;
    }

    pub(crate) fn capacity_changes(&mut self) {
        self.report += 1;
    }

    /// Whether capacity ever fell.
    pub(crate) fn capacity_fell(&self) -> bool {
        self.report > 2
    }

    /// Of how many parts one is there.
    fn parts(&self) -> i128 {
        1 + i128::from(self.report % 2)
    }

    /// What may be promised of a pool in each centre, worked out by hand.
    pub(crate) fn committable(&self, pool: &str) -> Resources {
        let whole = match pool {
            "arm" => vcpu(18),
            "gpu" => cards(16),
            _ => Resources {
                cpu: 20_000,
                ..vcpu(40)
            },
        };
        whole.zip(Resources::ZERO, |n, _| n / self.parts())
    }

    pub(crate) fn pool(&self, name: &str) -> Pool {
        let parts = self.parts();
        let (found, ratio, percent) = match name {
            "arm" => (vcpu(20 / parts), 1000, Some(10)),
            "gpu" => (cards(16 / parts), 1000, None),
            // Memory is never over-committed; there is enough of it.
            _ => (
                Resources {
                    cpu: 16_000 / parts,
                    ..vcpu(40 / parts)
                },
                1250,
                None,
            ),
        };
        let reserve = percent.map(|percent| Reserve {
            percent: Some(percent),
            amounts: None,
        });
        let gross = gross(found, ratio);
        let capacity = Capacity {
            gross,
            reserved: reserved(gross, reserve.as_ref()).unwrap(),
            report: self.report,
            known: true,
            cards: if name == "gpu" { self.layout() } else { Vec::new() },
            ..Capacity::default()
        };
        Pool {
            name: name.into(),
            generation: 1,
            sort: sort(name),
            zone: crds::Zone::GovExtranet,
            slots: slots(),
            capacity: CENTRES.map(|c| (c.to_owned(), capacity.clone())).into(),
            overcommit: ratio,
            reserve,
            policy: plan::approvals::Policy::default(),
            intake: crds::Intake::Open,
            hold_after: SignedDuration::from_hours(72),
        }
    }

    /// Nodes of eight cards, all of them free, or some of each.
    fn layout(&self) -> Vec<CardNodes> {
        let free = if self.scattered { BLOCK - 1 } else { BLOCK };
        let nodes = if self.parts() == 1 { 2 } else { 1 };
        vec![CardNodes {
            cards: BLOCK,
            free,
            nodes,
        }]
    }

    pub(crate) fn tenants(&self) -> impl Iterator<Item = (String, TenantFacts)> + '_ {
        let (moved, market) = (self.moves % 2 == 1, self.mix == Mix::Market);
        TENANTS.into_iter().map(move |(name, parent, ceilings)| {
            let shares = i128::from(market && ["s", "t"].contains(&name));
            let ceilings = if market { ceilings } else { wide(name) };
            let ceiling = |at: usize| Ceiling {
                amounts: amount(POOLS[at], ceilings[at]),
                borrow: amount(POOLS[at], shares * BORROW[at]),
                lend: amount(POOLS[at], shares * LEND[at]),
            };
            let (parent, generation) = match name {
                "t" => (Some(if moved { "q" } else { "p" }), 1 + self.moves),
                _ => (parent, 1),
            };
            let facts = TenantFacts {
                generation,
                parent: parent.map(str::to_owned),
                ceilings: Arc::new([0, 1, 2].map(|at| (POOLS[at], ceiling(at))).into()),
                ..TenantFacts::default()
            };
            (name.to_owned(), facts)
        })
    }

    /// The ledger with what there really is, whatever was adopted. A tenant that may move is where the ledger has it, if it
    /// ever was there.
    pub(crate) fn truth(&self, ledger: &Ledger) -> Ledger {
        let mut ledger = ledger.clone();
        for (name, pool) in &mut ledger.pools {
            let committable = self.committable(name);
            pool.centres.values_mut().for_each(|c| c.committable = committable);
        }
        for (name, facts) in self.tenants() {
            if let Some(entry) = ledger.tenants.get_mut(&name) {
                let was_there = name == "t" && matches!(entry.parent.as_deref(), Some("p" | "q"));
                if !was_there {
                    entry.parent = facts.parent;
                }
                entry.ceilings = facts.ceilings;
            }
        }
        ledger
    }
}

fn sort(name: &str) -> Sort {
    match name {
        "arm" => Sort::Compute(Architecture::Arm64),
        "gpu" => Sort::Accelerator {
            architecture: Architecture::Amd64,
            use_: AcceleratorUse::Training,
            per_unit: vcpu(1),
        },
        _ => Sort::Compute(Architecture::Amd64),
    }
}

fn slots() -> Vec<Slot> {
    let slot = |c: &str| Slot {
        name: c.into(),
        weight: 1,
        primary: c == "jishi",
    };
    CENTRES.map(slot).to_vec()
}

/// What is asked.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Ask {
    /// vCPU; all of it, a part of it or nothing survives the loss of a centre.
    Compute(u8, &'static str),
    /// vCPU of both pools of compute.
    Both(u8),
    /// Blocks of cards, each of them in one node.
    Cards(u8, &'static str),
    /// vCPU above any ceiling.
    Emergency(u8),
}

fn compute(n: u8) -> Value {
    json!({"cpu": n.to_string(), "memory": format!("{n}Gi")})
}

fn blocks(n: u8) -> Value {
    let need = json!({"use": "Training", "count": i64::from(n) * BLOCK, "perNode": BLOCK});
    json!({"accelerators": [need]})
}

impl Facts {
    /// In the market every other request is of the sibling.
    fn tenant(&self, i: usize) -> &'static str {
        if self.mix == Mix::Market && !i.is_multiple_of(2) {
            "s"
        } else {
            "t"
        }
    }

    /// A request for a grant of its own.
    pub(crate) fn asks(&self, i: usize, ask: Ask, version: u64) -> ResourceRequest {
        let spec = match ask {
            Ask::Compute(n, survival) => json!({"type": "New", "survival": survival, "resources": compute(n)}),
            Ask::Cards(n, survival) => json!({"type": "New", "survival": survival, "resources": blocks(n)}),
            Ask::Both(n) => {
                let pools = COMPUTE.map(|p| json!({"name": p, "amounts": compute(n)}));
                json!({"type": "New", "survival": "Full", "pools": pools})
            }
            Ask::Emergency(n) => json!({"type": "Emergency", "resources": compute(n), "until": "1970-01-20"}),
        };
        object(
            self.tenant(i),
            &format!("r{i}"),
            version,
            spec,
            &json!([label::CHARGED]),
        )
    }

    /// A request that speaks of another one's grant. A change of cards asks for one block or two; some changes ask for another
    /// survival than the grant had.
    pub(crate) fn speaks_of(
        &self,
        i: usize,
        kind: RequestType,
        n: Option<u8>,
        cards: bool,
        version: u64,
    ) -> ResourceRequest {
        let resources = n.map(|n| if cards { blocks(1 + n % 2) } else { compute(n) });
        let term = (kind == RequestType::Renew).then(|| json!({"months": 1}));
        let survival = match n.map(|n| n % 4) {
            Some(1) => "60%",
            Some(2) => "None",
            _ => "Full",
        };
        let spec = json!({"type": kind, "allocationRef": {"name": format!("r{i}")}, "survival": survival,
            "resources": resources, "term": term});
        object(
            self.tenant(i),
            &format!("{kind:?}{i}").to_lowercase(),
            version,
            spec,
            &json!([]),
        )
    }
}

fn object(tenant: &str, name: &str, version: u64, mut spec: Value, finalizers: &Value) -> ResourceRequest {
    spec["displayName"] = "x".into();
    let created = Timestamp::from_second(version.cast_signed()).unwrap().to_string();
    let object = json!({"apiVersion": "xiangyun.io/v1alpha1", "kind": "ResourceRequest", "spec": spec,
        "metadata": {"name": name, "namespace": tenant, "uid": format!("{name}-{version}"), "creationTimestamp": created,
            "resourceVersion": version.to_string(), "finalizers": finalizers}});
    serde_json::from_value(object).unwrap()
}
