//! What else a request may wait for, why it would be served from that pool, who is ahead, which phase would make room, and
//! what would fit instead.

use crds::{AcceleratorUse, DataCenter, ExpansionPhase, Intake, PoolQueue, QuotaPool, ResourceRequest, Tenant};
use kubectl_xiangyun::floor::Province;
use kubectl_xiangyun::print;
use kubectl_xiangyun::quote::quote;
use kubectl_xiangyun::verdict::{State, Verdict, verdict};
use serde_json::{Value, json};

use super::{golden, objects, today};

const FILE: &str = "waiting.yaml";

fn province() -> Province {
    Province {
        centres: Some(objects::<DataCenter>(FILE, "DataCenter")),
        pools: Some(objects::<QuotaPool>(FILE, "QuotaPool")),
        phases: objects::<ExpansionPhase>(FILE, "ExpansionPhase"),
        queues: Some(objects::<PoolQueue>(FILE, "PoolQueue")),
        tenants: Some(objects::<Tenant>(FILE, "Tenant")),
        every_tenant: true,
        names: [("u-1".to_owned(), "dept-ga/alarm".to_owned())].into(),
        ..Province::default()
    }
}

fn requests() -> Vec<ResourceRequest> {
    objects(FILE, "ResourceRequest")
}

fn why(name: &str, province: &Province) -> Verdict {
    let requests = requests();
    let mut found = requests.iter().filter(|r| r.metadata.name.as_deref() == Some(name));
    verdict(found.next().unwrap(), Some(&[]), province, today())
}

#[test]
fn why_and_quote_of_what_is_not_room() {
    let (province, requests) = (province(), requests());
    golden("why-waiting", |style| {
        let one = |r: &ResourceRequest| print::verdict(&verdict(r, Some(&[]), &province, today()), style);
        requests.iter().map(one).collect::<Vec<_>>().join("\n")
    });
    golden("quote-waiting", |style| {
        let one = |r: &ResourceRequest| print::quote(&quote(r, &province, today()), style);
        requests.iter().map(one).collect::<Vec<_>>().join("\n")
    });
}

#[test]
fn a_phase_is_offered_where_it_makes_room_behind_those_ahead() {
    let phases = |name: &str, province: &Province| {
        let found = why(name, province).options.into_iter();
        found.filter(|o| o.contains("phase-")).collect::<Vec<_>>()
    };
    let mut all = province();
    let [offered] = phases("portal", &all).try_into().unwrap();
    assert!(
        offered.starts_with("phase-2 adds 128 cpu to x86 in jiyidong on 2026-12-31"),
        "{offered}"
    );
    assert_eq!(
        phases("train-lab", &all).len(),
        0,
        "cards that lie apart are no matter of room"
    );
    assert_eq!(why("census", &all).state, State::Refused);
    // Who is ahead takes what the phase brings.
    let queue = &mut all.queues.as_mut().unwrap()[0];
    for row in &mut queue.spec.waiting[0].centres {
        row.amounts = serde_json::from_value(serde_json::json!({"cpu": "100"})).unwrap();
    }
    let [offered] = phases("portal", &all).try_into().unwrap();
    assert!(offered.starts_with("phase-3 adds 5000 cpu"), "{offered}");
    all.phases.retain(|p| p.metadata.name.as_deref() != Some("phase-3"));
    assert_eq!(phases("portal", &all).len(), 0);
}

#[test]
fn of_pools_alike_the_emptiest_is_taken_and_it_says_so() {
    let mut all = province();
    let pools = all.pools.as_mut().unwrap();
    let mut second = pools
        .iter()
        .find(|p| p.metadata.name.as_deref() == Some("x86"))
        .unwrap()
        .clone();
    second.metadata.name = Some("x86-b".to_owned());
    pools.push(second);
    let tenant = &mut all.tenants.as_mut().unwrap()[0];
    let mut ceiling = tenant.spec.ceilings[0].clone();
    ceiling.pool = "x86-b".to_owned();
    tenant.spec.ceilings.push(ceiling);
    let [chosen] = why("notes", &all).chosen.try_into().unwrap();
    assert!(chosen.starts_with("x86: of the pools of its sort"), "{chosen}");
    assert_eq!(why("train-lab", &all).chosen.len(), 0, "there is no other");
}

#[test]
fn an_end_counts_in_its_own_centre() {
    let mut all = province();
    let earliest = |province: &Province| why("portal", province).waits[0].earliest.clone();
    assert_eq!(
        earliest(&all).as_deref(),
        Some("2026-12-20"),
        "jiyidong is the one that is short"
    );
    all.queues.as_mut().unwrap()[0].spec.ends.pop();
    assert_eq!(earliest(&all), None);
}

/// A request of the file with something otherwise.
fn changed(name: &str, change: impl Fn(&mut ResourceRequest)) -> ResourceRequest {
    let mut all = requests().into_iter();
    let mut found = all.find(|r| r.metadata.name.as_deref() == Some(name)).unwrap();
    change(&mut found);
    found
}

/// So many cards in all, and in one node.
fn cards(name: &str, count: i64, per_node: i64) -> ResourceRequest {
    changed(name, |r| {
        let need = r.spec.resources.as_mut().unwrap();
        for card in need.accelerators.iter_mut().flatten() {
            (card.count, card.per_node) = (count, Some(per_node));
        }
    })
}

/// Lays the cards of a pool out in a centre as that.
fn lay_out(all: &mut Province, centre: &str, pool: &str, nodes: &Value) {
    let mut centres = all.centres.iter_mut().flatten();
    let found = centres.find(|c| c.metadata.name.as_deref() == Some(centre)).unwrap();
    let report = found.status.as_mut().unwrap().report.as_mut().unwrap();
    let mut row = report.pools.first().unwrap().clone();
    pool.clone_into(&mut row.name);
    row.cards = serde_json::from_value(nodes.clone()).unwrap();
    report.pools.retain(|p| p.name != pool);
    report.pools.push(row);
}

/// In English, and the same by both commands.
fn offered(request: &ResourceRequest, province: &Province) -> Vec<String> {
    let why = verdict(request, Some(&[]), province, today()).options;
    assert_eq!(quote(request, province, today()).options, why);
    let half = |o: &String| o.split(" | ").next().unwrap().to_owned();
    why.iter().map(half).collect()
}

#[test]
fn what_is_offered_keeps_cards_of_one_node_together() {
    let mut all = province();
    let finer = ["ask with perNode 2 now: fits"];
    assert_eq!(offered(&cards("train-lab", 8, 8), &all), finer);
    // 16 are free, two on each node of jishi: neither 16 nor 8 of them can be had.
    assert_eq!(offered(&cards("train-lab", 24, 8), &all), Vec::<String>::new());
    let one_node = json!([{"cards": 8, "free": 8, "nodes": 1}, {"cards": 8, "free": 1, "nodes": 8}]);
    lay_out(&mut all, "jishi", "gpu-training", &one_node);
    assert_eq!(offered(&cards("train-lab", 24, 8), &all), ["ask 8 now: fits"]);
}

#[test]
fn another_pool_is_offered_where_its_nodes_have_the_cards_together() {
    let mut all = province();
    let pools = all.pools.as_mut().unwrap();
    let training = pools
        .iter()
        .find(|p| p.metadata.name.as_deref() == Some("gpu-training"));
    let mut video = training.unwrap().clone();
    video.metadata.name = Some("gpu-video".to_owned());
    video.spec.accelerator.as_mut().unwrap().use_ = AcceleratorUse::Video;
    pools.push(video);
    let ceilings = &mut all.tenants.as_mut().unwrap()[0].spec.ceilings;
    let mut ceiling = ceilings.iter().find(|c| c.pool == "gpu-training").unwrap().clone();
    ceiling.pool = "gpu-video".to_owned();
    ceilings.push(ceiling);
    let first = |all: &Province| offered(&cards("train-lab", 8, 8), all).remove(0);
    for centre in ["jishi", "jiyidong"] {
        lay_out(
            &mut all,
            centre,
            "gpu-video",
            &json!([{"cards": 8, "free": 1, "nodes": 16}]),
        );
    }
    assert_eq!(first(&all), "ask with perNode 2 now: fits");
    for centre in ["jishi", "jiyidong"] {
        lay_out(
            &mut all,
            centre,
            "gpu-video",
            &json!([{"cards": 8, "free": 8, "nodes": 2}]),
        );
    }
    assert_eq!(first(&all), "gpu-video has 16 free, same model");
}

#[test]
fn a_pool_for_another_use_is_asked_so_that_cards_stay_together() {
    let all = province();
    assert_eq!(offered(&cards("camera", 8, 8), &all), Vec::<String>::new());
    assert_eq!(
        offered(&cards("camera", 8, 2), &all),
        ["gpu-training (Training L40S) has 16 free: ask with use Training and architecture Any"]
    );
}

#[test]
fn nothing_is_offered_to_a_tenant_that_gets_nothing() {
    let mut all = province();
    assert!(!why("portal", &all).options.is_empty());
    all.tenants.as_mut().unwrap()[0].spec.intake = Intake::Hold;
    assert_eq!(why("portal", &all).options, Vec::<String>::new());
    // Who may not read the tenant has the operator's word.
    let hidden = Province {
        tenants: None,
        every_tenant: false,
        ..province()
    };
    assert!(!why("portal", &hidden).options.is_empty());
    let suspended = changed("portal", |r| {
        for condition in &mut r.status.as_mut().unwrap().conditions {
            condition.reason = "TenantSuspended".to_owned();
        }
    });
    let verdict = verdict(&suspended, Some(&[]), &hidden, today());
    assert_eq!(verdict.options, Vec::<String>::new());
}

#[test]
fn a_keep_is_quoted_by_the_notice_that_it_would_answer() {
    let object = |value: Value| serde_json::from_value::<ResourceRequest>(value).unwrap();
    let keep = object(json!({
        "apiVersion": "xiangyun.io/v1alpha1", "kind": "ResourceRequest",
        "metadata": {"name": "k", "namespace": "dept-jyt"},
        "spec": {"displayName": "k", "type": "Keep", "allocationRef": {"name": "portal"}, "reason": "year end"},
    }));
    let of = |target: Option<Value>| {
        let mut all = province();
        all.target = target.map(object);
        let found = quote(&keep, &all, today());
        (found.fits, found.reason)
    };
    let at = |stage: &str| {
        let reclaim = json!({"stage": stage, "since": "2026-11-20T00:00:00Z"});
        Some(json!({
            "apiVersion": "xiangyun.io/v1alpha1", "kind": "ResourceRequest",
            "metadata": {"name": "portal", "namespace": "dept-jyt", "creationTimestamp": "2026-11-01T00:00:00Z"},
            "spec": {"displayName": "p", "type": "New", "resources": {"cpu": "32", "memory": "128Gi"}},
            "status": {"reclaim": reclaim},
        }))
    };
    for stage in ["Notified", "Due"] {
        assert_eq!(of(at(stage)), (Some(true), None), "{stage}");
    }
    let nothing = (Some(false), Some("NothingToKeep".to_owned()));
    for stage in ["Observed", "Appealed", "Shrunk"] {
        assert_eq!(of(at(stage)), nothing, "{stage}");
    }
    assert_eq!(of(None), nothing);
}
