//! The policy of the chart, evaluated on what is published, refuses with the number that the engine refuses with.

use std::collections::HashMap;
use std::sync::Arc;

use cel::objects::{Key, Map};
use cel::{Context, ExecutionError, Program, Value as Cel};
use crds::{Amount, Architecture, StorageTier};
use kube_cel::KubeCelExt as _;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::ledger::{CentreEntry, PoolEntry};
use crate::market::{homes, largest};
use crate::quota::SurvivalRule;

const CHART: &str = include_str!("../../../../../charts/xiangyun/templates/32-policy-requests.yaml");
const CENTRES: [&str; 2] = ["jishi", "jiyidong"];
/// Bytes of stack for an expression in a debug build.
const STACK: usize = 64 << 20;

/// `xiangyun-never-fits`.
struct Policy {
    variables: Vec<(String, Program)>,
    validations: Vec<(Program, Program)>,
}

impl Policy {
    fn read() -> Self {
        let objects = CHART
            .split("\n---\n")
            .map(|d| serde_saphyr::from_str::<Value>(d).unwrap());
        let mut named = objects.filter(|o| o["metadata"]["name"] == "xiangyun-never-fits");
        let policy = named.find(|o| o["kind"] == "ValidatingAdmissionPolicy").unwrap();
        let program = |v: &Value, key: &str| {
            let text = v[key].as_str().unwrap();
            stacker::grow(STACK, || {
                Program::compile(text).unwrap_or_else(|e| panic!("{text}: {e}"))
            })
        };
        let list = |key: &str| policy["spec"][key].as_array().unwrap().clone();
        Self {
            variables: list("variables")
                .iter()
                .map(|v| (v["name"].as_str().unwrap().to_owned(), program(v, "expression")))
                .collect(),
            validations: list("validations")
                .iter()
                .map(|v| (program(v, "expression"), program(v, "messageExpression")))
                .collect(),
        }
    }

    /// What it says to a request; nothing where it lets it pass.
    fn says(&self, limits: &AdmissionLimitsSpec, spec: &Value) -> Option<String> {
        let mut context = Context::default().with_all();
        context.add_function("dyn", |value: Cel| -> Result<Cel, ExecutionError> { Ok(value) });
        context.add_variable_from_value("object", of_json(&json!({ "spec": spec })));
        context.add_variable_from_value("params", of_json(&json!({ "spec": limits })));
        let mut known = HashMap::new();
        let run = |program: &Program, context: &Context<'_>| stacker::grow(STACK, || program.execute(context));
        for (name, program) in &self.variables {
            // The API server evaluates only what is looked at: the first of nothing is an error that nobody sees.
            if let Ok(value) = run(program, &context) {
                known.insert(Key::from(name.as_str()), value);
                let map = Arc::new(known.clone());
                context.add_variable_from_value("variables", Cel::Map(Map { map }));
            }
        }
        let passes = |program: &Program| run(program, &context).unwrap() == Cel::Bool(true);
        let (_, message) = self.validations.iter().find(|(rule, _)| !passes(rule))?;
        match run(message, &context).unwrap() {
            Cel::String(said) => Some(said.to_string()),
            other => panic!("{other:?} is no message"),
        }
    }
}

fn of_json(value: &Value) -> Cel {
    match value {
        Value::Null => Cel::Null,
        Value::Bool(b) => Cel::Bool(*b),
        Value::Number(n) => Cel::Int(n.as_i64().unwrap()),
        Value::String(s) => Cel::String(Arc::new(s.clone())),
        Value::Array(items) => Cel::List(Arc::new(items.iter().map(of_json).collect())),
        Value::Object(fields) => {
            let fields = fields.iter().map(|(k, v)| (Key::from(k.as_str()), of_json(v)));
            Cel::Map(Map {
                map: Arc::new(fields.collect()),
            })
        }
    }
}

/// A pool over two centres, and a ledger that knows what each can commit.
fn world(name: &str, sort: Sort, weights: [i128; 2], most: [Resources; 2]) -> (Pool, Ledger) {
    let mut pool = crate::pool::testing::cards();
    (pool.name, pool.sort) = (name.into(), sort);
    let mut entry = PoolEntry::default();
    for ((centre, weight), committable) in CENTRES.into_iter().zip(weights).zip(most) {
        pool.slots.push(Slot {
            name: centre.into(),
            weight,
            primary: centre == "jishi",
        });
        let centre_entry = CentreEntry {
            charged: Resources::ZERO,
            committable,
            report: 1,
            reported_at: None,
        };
        entry.centres.insert(centre.to_owned(), centre_entry);
    }
    let mut ledger = Ledger::default();
    ledger.pools.insert(name.to_owned(), entry);
    (pool, ledger)
}

fn published(world: &(Pool, Ledger)) -> AdmissionLimitsSpec {
    AdmissionLimitsSpec {
        pools: rows(&world.0, &world.1).collect(),
    }
}

fn request(survival: &str, centre: Option<&str>, more: &Value) -> Value {
    let mut spec = json!({"type": "New", "survival": survival});
    spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    if let Some(centre) = centre {
        spec["centre"] = centre.into();
    }
    spec
}

/// So much of a resource as people ask for it: by need and by pool.
fn asks(resource: &str, n: i128, block: i128) -> [Value; 2] {
    let amount = if resource == "cpu" {
        format!("{n}m")
    } else {
        n.to_string()
    };
    let need = match resource {
        "accelerators" => json!({"accelerators": [{"use": "Training", "count": i64::try_from(n).unwrap(),
            "perNode": i64::try_from(block).unwrap()}]}),
        "storage" => json!({"storage": [{"tier": "Hot", "size": amount}]}),
        _ => json!({ (resource): amount }),
    };
    [
        json!({ "resources": need }),
        json!({"pools": [{"name": "p", "amounts": {(resource): amount}}]}),
    ]
}

fn resources(n: i128) -> Resources {
    Resources {
        cpu: n,
        memory: n << 10,
        storage: n << 12,
        accelerators: n % 100,
    }
}

fn rule_of(survival: &str) -> SurvivalRule {
    SurvivalRule::try_from(&crds::Survival(survival.to_owned())).unwrap()
}

/// What the engine says is the largest grant.
fn engine((pool, ledger): &(Pool, Ledger), survival: &str, centre: Option<&str>, block: i128) -> Resources {
    let rule = rule_of(survival);
    let here = |home: &&[Slot]| centre.is_none_or(|centre| home.iter().all(|s| &*s.name == centre));
    let of = |home| largest(home, rule, block, |centre| committable(pool, ledger, centre));
    homes(pool, rule)
        .filter(here)
        .map(of)
        .reduce(Resources::each_max)
        .unwrap()
}

fn sorts() -> [(&'static str, Sort); 4] {
    let cards = crate::pool::testing::cards().sort;
    [
        ("cpu", Sort::Compute(Architecture::Amd64)),
        ("memory", Sort::Compute(Architecture::Arm64)),
        ("accelerators", cards),
        ("storage", Sort::Storage(StorageTier::Hot)),
    ]
}

/// The largest grant passes, one unit more does not, and the number that is said is the engine's.
fn agree(policy: &Policy, weights: [i128; 2], most: [Resources; 2], survival: &str, centre: Option<&str>) {
    for (resource, sort) in sorts() {
        let world = world("p", sort, weights, most);
        let (limits, limit) = (published(&world), engine(&world, survival, centre, 1)[resource]);
        for passes in asks(resource, limit, 1) {
            let said = policy.says(&limits, &request(survival, centre, &passes));
            assert_eq!(said, None, "{survival} {centre:?} {passes}");
        }
        let Amount(words) = Resources::amount(resource, limit);
        for (refused, whose) in asks(resource, limit + 1, 1).iter().zip(["any pool", "this pool"]) {
            let said = policy.says(&limits, &request(survival, centre, refused)).unwrap();
            let words = format!("exceeds the largest possible grant {words} of {whose} (ExceedsMaxQuota)");
            assert!(
                said.contains(&words),
                "{survival} {centre:?} {refused}: {said}, not {words}"
            );
        }
    }
}

#[test]
fn a_percentage_is_refused_where_the_engine_refuses_it() {
    let cpu = Resources {
        cpu: 11_520_000,
        ..Resources::ZERO
    };
    let x86 = world("x86", Sort::Compute(Architecture::Amd64), [1, 1], [cpu; 2]);
    let (policy, limits) = (Policy::read(), published(&x86));
    let says = |survival: &str, cpu: &str| {
        let spec = request(survival, None, &json!({"resources": {"cpu": cpu}}));
        policy.says(&limits, &spec).unwrap_or_default()
    };
    for (survival, most, more) in [
        ("Full", "11520", "11520.001"),
        ("60%", "19200", "19201"),
        ("30%", "23040", "23041"),
        ("None", "11520", "11521"),
    ] {
        assert_eq!(says(survival, most), "");
        let words = format!("spec.resources.cpu: {more} exceeds the largest possible grant {most} of any pool");
        assert!(says(survival, more).starts_with(&words), "{}", says(survival, more));
    }
}

#[test]
fn enough_of_each_is_not_enough_of_both() {
    let most = [resources(4000), resources(1000)].map(|r| Resources { cpu: 5000 - r.cpu, ..r });
    let world = world("p", Sort::Compute(Architecture::Amd64), [1, 1], most);
    let (policy, limits) = (Policy::read(), published(&world));
    let both = json!({"cpu": "4", "memory": (4000 << 10).to_string()});
    let says = |more: &Value| policy.says(&limits, &request("None", None, more)).unwrap();
    let said = says(&json!({ "resources": both }));
    assert!(
        said.contains("no pool can ever grant cpu 4 and memory 4096000 together"),
        "{said}"
    );
    let said = says(&json!({"pools": [{"name": "p", "amounts": both}]}));
    assert!(
        said.starts_with("spec.pools[p]: no centre can ever grant all of it together"),
        "{said}"
    );
}

#[test]
fn a_pool_that_is_not_known_has_no_row() {
    let sort = || Sort::Compute(Architecture::Amd64);
    let (small, mut ledger) = world("a", sort(), [1, 1], [resources(10); 2]);
    let (large, other) = world("b", sort(), [1, 1], [resources(20); 2]);
    let (unknown, _) = world("c", sort(), [1, 1], [resources(30); 2]);
    ledger.pools.extend(other.pools);
    let pools = [small, large, unknown].map(|p| (p.name.to_string(), p));
    let snapshot = Snapshot {
        pools: pools.into(),
        ..Snapshot::default()
    };
    let limits = limits(&snapshot, &ledger);
    let named: Vec<_> = limits
        .pools
        .iter()
        .map(|p| (p.name.as_str(), p.centre.as_deref()))
        .collect();
    let of = |pool| [(pool, None), (pool, Some("jishi")), (pool, Some("jiyidong"))];
    assert_eq!(named, [of("b"), of("a")].concat());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_policy_and_the_engine_never_differ(
        most in prop::array::uniform2(1i128..50_000_000), weights in prop::array::uniform2(1i128..9), p in 1i128..100,
    ) {
        let (policy, most) = (Policy::read(), most.map(resources));
        for (survival, centre) in [("Full", None), ("None", None), ("None", Some("jishi")), ("None", Some("jiyidong"))] {
            agree(&policy, weights, most, survival, centre);
        }
        agree(&policy, weights, most, &format!("{p}%"), None);
    }

    #[test]
    fn of_cards_in_one_node_nothing_is_refused_that_fits(
        most in prop::array::uniform2(0i128..100), weights in prop::array::uniform2(1i128..9), p in 1i128..100,
        block in 2i128..9,
    ) {
        let (policy, most) = (Policy::read(), most.map(resources));
        let world = world("p", crate::pool::testing::cards().sort, weights, most);
        let limits = published(&world);
        let says = |survival: &str, n: i128| {
            let [by_need, _] = asks("accelerators", n, block);
            policy.says(&limits, &request(survival, None, &by_need))
        };
        let percent = format!("{p}%");
        for survival in ["Full", "None", percent.as_str()] {
            let limit = engine(&world, survival, None, block).accelerators;
            prop_assert_eq!(says(survival, limit), None);
            if survival != percent {
                let said = says(survival, limit + block).unwrap();
                prop_assert!(said.contains(&format!("grant {limit} of any pool")), "{}", said);
            }
        }
    }
}
