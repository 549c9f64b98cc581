//! What else a request may wait for, why it would be served from that pool, who is ahead, and which phase would make room.

use crds::{DataCenter, ExpansionPhase, PoolQueue, QuotaPool, ResourceRequest, Tenant};
use kubectl_xiangyun::floor::Province;
use kubectl_xiangyun::print;
use kubectl_xiangyun::quote::quote;
use kubectl_xiangyun::verdict::{State, Verdict, verdict};

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
