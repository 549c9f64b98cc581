use serde_json::json;

use super::*;
use crate::centre::stage::Stage;
use crate::centre::testing::{map, pools};

fn tenant(name: &str) -> Tenant {
    let spec =
        json!({"displayName": "d", "level": "Province", "administrators": [{"kind": "Group", "name": "admins"}]});
    Tenant::new(name, serde_json::from_value(spec).unwrap())
}

/// A grant in both centres: pool, cpu, and whatever else.
fn request(tenant: &str, name: &str, record: &str, epoch: i64, pools: &serde_json::Value) -> ResourceRequest {
    serde_json::from_value(json!({
        "apiVersion": "xiangyun.io/v1alpha1", "kind": "ResourceRequest",
        "metadata": {"namespace": tenant, "name": name, "finalizers": [crds::label::CHARGED]},
        "spec": {"displayName": "r", "type": "New"},
        "status": {"allocation": {"record": record, "ledger": "l1", "epoch": epoch, "pools": pools}},
    }))
    .unwrap()
}

fn pool(name: &str, share: &serde_json::Value) -> serde_json::Value {
    json!({"name": name, "amounts": share, "centres": [
        {"name": "jishi", "share": share, "survival": {"cpu": "100", "memory": "1Ti"}, "inForce": "Share"},
        {"name": "jiyidong", "share": share, "survival": share},
    ]})
}

fn cpu(name: &str, amount: &str) -> serde_json::Value {
    pool(name, &json!({"cpu": amount, "memory": "1Gi"}))
}

#[derive(Default)]
struct World {
    tenants: Vec<Tenant>,
    requests: Vec<ResourceRequest>,
    namespaces: BTreeMap<String, Standing>,
    floors: Floors,
    gone: BTreeSet<Absent>,
    stage: Option<Stage>,
    confirmed: BTreeSet<String>,
    carried: BTreeSet<String>,
}

impl World {
    fn plan(&self) -> Plan {
        plan(&Snapshot {
            centre: "jishi",
            tenants: &self.tenants,
            pools: &pools(),
            requests: &self.requests,
            namespaces: &self.namespaces,
            floors: &self.floors,
            gone: &self.gone,
            stage: self.stage.unwrap_or(Stage::Own),
            confirmed: &self.confirmed,
            carried: &self.carried,
        })
    }

    /// Carries a plan out.
    fn apply(&mut self, plan: &Plan) {
        for (name, w) in &plan.namespaces {
            let standing = Standing {
                tenant: Some(w.tenant.clone()),
                made: true,
                pool: w.pool.clone(),
                owner: String::new(),
                grants: w.grants.clone(),
            };
            self.namespaces.insert(name.clone(), standing);
        }
        self.floors = plan.floors.clone();
    }
}

fn dept(requests: Vec<ResourceRequest>) -> World {
    World {
        tenants: vec![tenant("dept")],
        requests,
        ..World::default()
    }
}

fn hard<'a>(plan: &'a Plan, ns: &str, key: &str) -> &'a str {
    &plan.namespaces[ns].hard[key]
}

fn reason(plan: &Plan, request: &str) -> Option<Reason> {
    plan.answers
        .iter()
        .find(|a| a.request == request)
        .unwrap()
        .refusal
        .as_ref()
        .map(|r| r.reason)
}

#[test]
fn grants_of_a_tenant_add_up() {
    let plan = dept(vec![
        request("dept", "a", "r1", 7, &json!([cpu("x86", "32")])),
        request(
            "dept",
            "b",
            "r2",
            7,
            &json!([cpu("x86", "500m"), pool("hot", &json!({"storage": "20Ti"}))]),
        ),
    ])
    .plan();
    assert_eq!(plan.namespaces.len(), 1);
    let wanted = &plan.namespaces["dept"];
    assert_eq!(hard(&plan, "dept", "requests.cpu"), "32500m");
    assert_eq!(hard(&plan, "dept", "limits.memory"), "2Gi");
    assert_eq!(hard(&plan, "dept", "requests.storage"), "20Ti");
    assert_eq!(hard(&plan, "dept", "requests.nvidia.com/gpu"), "0");
    assert_eq!(wanted.pool.as_deref(), Some("x86"));
    assert_eq!(wanted.grants, map(&[("a", "r1"), ("b", "r2")]));
    assert_eq!(wanted.administrators.len(), 1);
    assert_eq!(plan.floors.of("l1"), 7);
    assert!(plan.answers.iter().all(|a| a.refusal.is_none()));
}

#[test]
fn cards_have_a_namespace_of_their_own() {
    let gpu = pool(
        "gpu-inference",
        &json!({"cpu": "24", "memory": "192Gi", "accelerators": "2"}),
    );
    let plan = dept(vec![request("dept", "a", "r1", 7, &json!([cpu("x86", "8"), gpu]))]).plan();
    assert_eq!(hard(&plan, "dept", "requests.nvidia.com/gpu"), "0");
    assert_eq!(hard(&plan, "dept-gpu-inference", "requests.nvidia.com/gpu"), "2");
    assert_eq!(hard(&plan, "dept-gpu-inference", "requests.cpu"), "24");
    assert_eq!(plan.answers[0].places.len(), 2);
}

#[test]
fn survival_counts_while_it_is_in_force() {
    let mut r = request("dept", "a", "r1", 7, &json!([cpu("x86", "8")]));
    r.status.as_mut().unwrap().allocation.as_mut().unwrap().pools[0].centres[0].in_force = crds::InForce::Survival;
    assert_eq!(hard(&dept(vec![r]).plan(), "dept", "requests.cpu"), "100");
}

#[test]
fn a_grant_elsewhere_is_not_ours() {
    let mut r = request("dept", "a", "r1", 7, &json!([cpu("x86", "8")]));
    r.status.as_mut().unwrap().allocation.as_mut().unwrap().pools[0]
        .centres
        .remove(0);
    let plan = dept(vec![r]).plan();
    assert!(plan.namespaces.is_empty() && plan.answers.is_empty());
}

#[test]
fn an_ended_grant_counts_as_nothing() {
    let mut world = dept(vec![request("dept", "a", "r1", 7, &json!([cpu("x86", "8")]))]);
    let first = world.plan();
    world.apply(&first);
    world.requests[0]
        .status
        .as_mut()
        .unwrap()
        .allocation
        .as_mut()
        .unwrap()
        .ended = Some("2026-01-01T00:00:00Z".to_owned());
    let plan = world.plan();
    assert_eq!(hard(&plan, "dept", "requests.cpu"), "0");
    assert!(plan.answers[0].pending.is_some() && plan.answers[0].refusal.is_none());
    assert_eq!(plan.namespaces["dept"].pool.as_deref(), Some("x86"));
    let waits = |world: &mut World, change: fn(&mut crds::Allocation)| {
        change(world.requests[0].status.as_mut().unwrap().allocation.as_mut().unwrap());
        world.plan().answers.iter().any(|a| a.pending.is_some())
    };
    assert!(waits(&mut world, |a| a.before = std::mem::take(&mut a.pools)));
    assert!(!waits(&mut world, |a| a.before.clear()), "settled: nobody waits");
}

#[test]
fn empty_lists_lower_nothing() {
    let mut world = dept(vec![request("dept", "a", "r1", 7, &json!([cpu("x86", "8")]))]);
    let first = world.plan();
    world.apply(&first);
    world.tenants.clear();
    world.requests.clear();
    let plan = world.plan();
    assert!(plan.namespaces.is_empty());
    assert!(plan.held.contains_key("dept"));
    let absent = [
        Absent::Tenant("dept".to_owned()),
        Absent::Request("dept".to_owned(), "a".to_owned()),
    ];
    assert_eq!(plan.confirm, absent.into());
}

#[test]
fn what_the_hub_confirms_as_gone_is_lowered() {
    let mut world = dept(vec![request("dept", "a", "r1", 7, &json!([cpu("x86", "8")]))]);
    let first = world.plan();
    world.apply(&first);
    world.requests.clear();
    world.gone.insert(Absent::Request("dept".to_owned(), "a".to_owned()));
    let plan = world.plan();
    assert_eq!(hard(&plan, "dept", "requests.cpu"), "0");
    assert!(plan.confirm.is_empty() && plan.held.is_empty());
    world.tenants.clear();
    assert!(world.plan().held.contains_key("dept"));
    world.gone.insert(Absent::Tenant("dept".to_owned()));
    assert!(world.plan().namespaces["dept"].administrators.is_empty());
}

#[test]
fn an_unknown_field_or_pool_holds_what_is_applied() {
    for bad in [
        json!([pool("x86", &json!({"gpus": "1"}))]),
        json!([cpu("nowhere", "9")]),
        json!([cpu("x86", "lots")]),
    ] {
        let mut world = dept(vec![request("dept", "a", "r1", 7, &json!([cpu("x86", "8")]))]);
        let first = world.plan();
        world.apply(&first);
        world.requests[0] = request("dept", "a", "r2", 7, &bad);
        world
            .requests
            .push(request("dept", "b", "r3", 7, &json!([cpu("x86", "1")])));
        let plan = world.plan();
        assert!(plan.held.contains_key("dept"), "{bad}");
        assert_eq!(reason(&plan, "a"), Some(Reason::ApplyFailed));
        assert_eq!(
            reason(&plan, "b"),
            Some(Reason::ApplyFailed),
            "b waits: the quota is held"
        );
        // The same as a first request holds nobody.
        let fresh = dept(world.requests).plan();
        assert_eq!(hard(&fresh, "dept", "requests.cpu"), "1");
    }
}

#[test]
fn an_older_epoch_is_refused_and_what_is_applied_stays() {
    let mut world = dept(vec![
        request("dept", "a", "r1", 7, &json!([cpu("x86", "8")])),
        request("dept", "b", "r2", 8, &json!([cpu("x86", "1")])),
    ]);
    let first = world.plan();
    assert!(
        first.answers.iter().all(|a| a.refusal.is_none()),
        "seen together, both are good"
    );
    world.apply(&first);
    assert_eq!(
        world.plan().namespaces,
        first.namespaces,
        "an applied grant of an older epoch stays"
    );
    world
        .requests
        .push(request("dept", "c", "r3", 7, &json!([cpu("x86", "50")])));
    let plan = world.plan();
    assert_eq!(reason(&plan, "c"), Some(Reason::StaleEpoch));
    assert_eq!(
        plan.namespaces, first.namespaces,
        "a new grant that is refused holds nobody"
    );
    assert_eq!(plan.floors.of("l1"), 8);
    world.requests[0] = request("dept", "a", "r9", 7, &json!([cpu("x86", "80")]));
    let plan = world.plan();
    assert_eq!(reason(&plan, "a"), Some(Reason::StaleEpoch));
    assert!(plan.held.contains_key("dept"));
    assert_eq!(reason(&plan, "b"), None, "b is in force as it stands");
}

#[test]
fn a_foreign_namespace_is_not_touched() {
    let mut world = dept(vec![request("dept", "a", "r1", 7, &json!([cpu("x86", "8")]))]);
    let foreign = Standing {
        owner: "team=legacy".to_owned(),
        ..Standing::default()
    };
    world.namespaces.insert("dept".to_owned(), foreign);
    let plan = world.plan();
    assert!(plan.namespaces.is_empty());
    assert_eq!(reason(&plan, "a"), Some(Reason::Conflict));
    assert!(
        plan.answers[0]
            .refusal
            .as_ref()
            .unwrap()
            .message
            .contains("team=legacy")
    );
}

#[test]
fn a_second_compute_pool_in_one_namespace_is_a_conflict() {
    let mut world = dept(vec![request("dept", "b", "r1", 7, &json!([cpu("x86", "8")]))]);
    let first = world.plan();
    world.apply(&first);
    world
        .requests
        .push(request("dept", "a", "r2", 7, &json!([cpu("x86-internet", "3")])));
    let plan = world.plan();
    assert_eq!(
        plan.namespaces["dept"].pool.as_deref(),
        Some("x86"),
        "the namespace keeps the pool it runs on"
    );
    assert_eq!(hard(&plan, "dept", "requests.cpu"), "8");
    assert_eq!((reason(&plan, "a"), reason(&plan, "b")), (Some(Reason::Conflict), None));
}

#[test]
fn two_tenants_with_one_namespace_name_do_not_share_it() {
    let mut world = dept(vec![
        request("dept", "a", "r1", 7, &json!([cpu("arm", "8")])),
        request("dept-arm", "b", "r2", 7, &json!([cpu("x86", "8")])),
    ]);
    world.tenants.push(tenant("dept-arm"));
    let plan = world.plan();
    assert_eq!(plan.namespaces["dept-arm"].tenant, "dept");
    assert_eq!((reason(&plan, "a"), reason(&plan, "b")), (None, Some(Reason::Conflict)));
}

#[test]
fn a_plan_that_was_carried_out_stays() {
    let gpu = pool(
        "gpu-inference",
        &json!({"cpu": "24", "memory": "192Gi", "accelerators": "2"}),
    );
    let mut world = dept(vec![request("dept", "a", "r1", 7, &json!([cpu("x86", "8"), gpu]))]);
    let first = world.plan();
    world.apply(&first);
    assert_eq!(world.plan(), first);
}

#[test]
fn a_member_cloud_is_written_as_its_stage_allows() {
    use crds::MemberStage::{Advised, Observed, Scheduled};
    let mut world = dept(vec![request("dept", "a", "r1", 7, &json!([cpu("x86", "8")]))]);
    for (stage, expected) in [
        (Observed, Reason::StageObserved),
        (Advised, Reason::AwaitingConfirmation),
    ] {
        world.stage = Some(Stage::Member(stage));
        let plan = world.plan();
        assert!(plan.namespaces.is_empty() && plan.floors == world.floors, "{stage:?}");
        assert_eq!(reason(&plan, "a"), Some(expected));
    }
    world.confirmed = ["dept".to_owned()].into();
    let advised = world.plan();
    assert_eq!((reason(&advised, "a"), advised.floors.of("l1")), (None, 7));
    world.confirmed.clear();
    world.stage = Some(Stage::Member(Scheduled));
    let scheduled = world.plan();
    assert_eq!(scheduled.namespaces, advised.namespaces);
    world.apply(&scheduled);
    // Back: what stands counts the grant as it should, so the grant goes on; what changes now is not carried out.
    world.stage = Some(Stage::Member(Observed));
    let back = world.plan();
    assert!(back.namespaces.is_empty() && back.held.is_empty());
    assert_eq!(reason(&back, "a"), None);
    world.requests = vec![request("dept", "a", "r2", 9, &json!([cpu("x86", "2")]))];
    let lowered = world.plan();
    assert_eq!(reason(&lowered, "a"), Some(Reason::StageObserved));
    assert_eq!((lowered.namespaces.len(), lowered.floors.of("l1")), (0, 7));
    world.stage = Some(Stage::Member(Scheduled));
    assert_eq!(hard(&world.plan(), "dept", "requests.cpu"), "2");
}

#[test]
fn a_centre_that_carries_another_gives_what_it_must_hold_alone() {
    let mut world = dept(vec![request("dept", "a", "r1", 7, &json!([cpu("x86", "32")]))]);
    world.carried = ["jishi".to_owned()].into();
    assert_eq!(
        hard(&world.plan(), "dept", "requests.cpu"),
        "32",
        "it is itself that is carried"
    );
    world.carried = ["jiyidong".to_owned()].into();
    assert_eq!(hard(&world.plan(), "dept", "requests.cpu"), "100");
    assert_eq!(hard(&world.plan(), "dept", "limits.memory"), "1Ti");
    world.carried = ["baicheng".to_owned()].into();
    assert_eq!(
        hard(&world.plan(), "dept", "requests.cpu"),
        "32",
        "no part of the grant"
    );
}
