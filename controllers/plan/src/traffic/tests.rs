use crds::{CentreWitness, ServiceRow};
use serde_json::json;

use super::gateway::{Backend, Route, routed};
use super::publish::{Names, Owner, Published as _, Slice, published, slices};
use super::*;

fn placement(mode: &str, ready: [i64; 2], number: [i64; 2]) -> DualActivePlacement {
    let row = |(name, ready, number): (&str, i64, i64)| {
        json!({"name": name, "number": number, "ready": ready, "reason": "Applied", "reportedAt": "",
            "services": [{"name": "shop", "ready": ready}]})
    };
    let rows = [("jishi", ready[0], number[0]), ("jiyidong", ready[1], number[1])].map(row);
    let active = (mode != "ActiveActive").then_some("jishi");
    serde_json::from_value(json!({
        "metadata": {"name": "shop", "namespace": "dept-yibao", "uid": "u1"},
        "spec": {"displayName": "s", "pool": "x86", "mode": mode, "active": active, "select": {"matchLabels": {"a": "b"}},
            "centres": [{"name": "jishi"}, {"name": "jiyidong"}], "traffic": {"hostname": "shop.jl.gov.cn"}},
        "status": {"centres": rows, "assignment": {"number": 7, "epoch": 1, "active": active,
            "objects": [{"kind": "Service", "name": "shop"}, {"kind": "Deployment", "name": "shop"}],
            "centres": [{"name": "jishi"}, {"name": "jiyidong"}]}},
    }))
    .unwrap()
}

fn sites(states: [Option<WitnessState>; 2], reports: [bool; 2]) -> BTreeMap<String, Site> {
    let site = |i: usize, address: &str| Site {
        ingress: [address.parse().unwrap()].into(),
        witness: states[i],
        reports: reports[i],
    };
    let (one, two) = (site(0, "10.1.0.1"), site(1, "10.2.0.1"));
    [("jishi".to_owned(), one), ("jiyidong".to_owned(), two)].into()
}

fn weights(all: [i64; 2]) -> Weights {
    [("jishi".to_owned(), all[0]), ("jiyidong".to_owned(), all[1])].into()
}

const GRANTED: Option<WitnessState> = Some(WitnessState::Granted);

#[test]
fn a_centre_weighs_what_serves_there() {
    let weigh = |p: &DualActivePlacement, s, before| weigh(p, &s, &weights(before)).unwrap();
    let both = placement("ActiveActive", [4, 3], [7, 7]);
    assert_eq!(weigh(&both, sites([GRANTED; 2], [true; 2]), [0, 0]), weights([4, 3]));
    // Without an arbiter, reports are what is known.
    assert_eq!(weigh(&both, sites([None; 2], [true; 2]), [0, 0]), weights([4, 3]));
    for state in [GRANTED, None, Some(WitnessState::Returned)] {
        let silent = sites([state, GRANTED], [false, true]);
        assert_eq!(weigh(&both, silent, [9, 1]), weights([9, 3]), "silence is no evidence");
    }
    let lost = sites([Some(WitnessState::Lost), GRANTED], [true; 2]);
    assert_eq!(weigh(&both, lost, [9, 1]), weights([0, 3]));
    let down = sites([Some(WitnessState::AgentDown), GRANTED], [true; 2]);
    assert_eq!(weigh(&both, down, [9, 1]), weights([9, 3]));
    for mode in ["ActiveStandby", "Exclusive"] {
        let one = placement(mode, [4, 3], [7, 7]);
        assert_eq!(
            weigh(&one, sites([GRANTED; 2], [true; 2]), [0, 5]),
            weights([4, 0]),
            "{mode}"
        );
    }
}

#[test]
fn users_stay_where_they_are_led_until_the_new_side_serves() {
    let all = |mode: &str, ready, states, before| {
        let reports = [true; 2];
        weigh(
            &placement(mode, ready, [7, 7]),
            &sites(states, reports),
            &weights(before),
        )
        .unwrap()
    };
    let heard = [GRANTED; 2];
    assert_eq!(all("ActiveStandby", [0, 3], heard, [0, 3]), weights([0, 3]));
    assert_eq!(all("ActiveStandby", [4, 3], heard, [0, 3]), weights([4, 0]));
    // What stands by was never led to, and what is gone is not.
    assert_eq!(all("ActiveStandby", [0, 3], heard, [4, 0]), weights([0, 0]));
    assert_eq!(all("ActiveStandby", [0, 0], heard, [0, 3]), weights([0, 0]));
    let lost = [GRANTED, Some(WitnessState::Lost)];
    assert_eq!(all("ActiveStandby", [0, 3], lost, [0, 3]), weights([0, 0]));
    assert_eq!(all("Exclusive", [0, 3], heard, [0, 3]), weights([0, 0]));
}

#[test]
fn who_returned_is_given_traffic_last() {
    let returned = sites([Some(WitnessState::Returned), GRANTED], [true; 2]);
    let old = placement("ActiveActive", [4, 3], [6, 7]);
    assert_eq!(weigh(&old, &returned, &weights([0, 3])), Some(weights([0, 3])));
    let newest = placement("ActiveActive", [4, 3], [7, 7]);
    assert_eq!(weigh(&newest, &returned, &weights([0, 3])), Some(weights([4, 3])));
    // The next decision takes nothing away from whoever serves already, on the way home say.
    assert_eq!(weigh(&old, &returned, &weights([4, 3])), Some(weights([4, 3])));
    let home = placement("ActiveStandby", [4, 3], [6, 7]);
    assert_eq!(weigh(&home, &returned, &weights([4, 0])), Some(weights([4, 0])));
    assert_eq!(weigh(&home, &returned, &weights([0, 3])), Some(weights([0, 3])));
}

#[test]
fn an_empty_list_takes_nothing_away() {
    let mut unknown = placement("ActiveActive", [4, 3], [7, 7]);
    assert_eq!(
        weigh(&unknown, &BTreeMap::new(), &weights([4, 3])),
        Some(weights([4, 3]))
    );
    unknown.status.as_mut().unwrap().centres.clear();
    let here = sites([GRANTED; 2], [true; 2]);
    assert_eq!(weigh(&unknown, &here, &weights([4, 3])), Some(weights([4, 3])));
    unknown.status.as_mut().unwrap().assignment = None;
    assert_eq!(weigh(&unknown, &here, &weights([4, 3])), None);
}

#[test]
fn a_service_that_lacks_in_one_centre_takes_it_out() {
    let mut both = placement("ActiveActive", [4, 3], [7, 7]);
    let status = both.status.as_mut().unwrap();
    let objects = &mut status.assignment.as_mut().unwrap().objects;
    objects.push(crds::PlacedObject {
        kind: TemplateKind::Service,
        name: "api".into(),
    });
    let here = sites([GRANTED; 2], [true; 2]);
    // Nothing behind it anywhere: nobody misses it.
    assert_eq!(weigh(&both, &here, &Weights::new()), Some(weights([4, 3])));
    let rows = &mut both.status.as_mut().unwrap().centres;
    rows[0].services.push(ServiceRow {
        name: "api".into(),
        ready: 2,
        ..ServiceRow::default()
    });
    assert_eq!(weigh(&both, &here, &Weights::new()), Some(weights([6, 0])));
}

#[test]
fn what_is_published_reads_back_as_it_was_written() {
    let placement = placement("ActiveActive", [4, 3], [7, 7]);
    let mut sites = sites([GRANTED; 2], [true; 2]);
    sites
        .get_mut("jishi")
        .unwrap()
        .ingress
        .insert("fd00::1".parse().unwrap());
    let all = slices(&placement, &weights([4, 0]), &sites);
    let names: Vec<String> = all.iter().map(Slice::name).collect();
    assert_eq!(names, ["shop-jishi", "shop-jishi-ipv6", "shop-jiyidong"]);
    for slice in &all {
        assert_eq!(Slice::read(&slice.object()).as_ref(), Some(slice));
        assert_eq!(slice.ready, slice.centre == "jishi");
    }
    assert_eq!(
        all[0].object()["endpoints"][0],
        json!({"addresses": ["10.1.0.1"], "conditions": {"ready": true}})
    );
    let owner = Owner::of(&placement);
    assert_eq!(published(&owner, all.iter(), None), weights([4, 0]));
    let other = Owner {
        uid: "u2".into(),
        ..owner
    };
    assert_eq!(
        published(&other, all.iter(), None),
        Weights::new(),
        "those of another placement of that name"
    );

    let traffic = placement.spec.traffic.clone().unwrap();
    let leads = Names::of(&placement, &traffic, &weights([4, 0]), &sites, None);
    assert_eq!(Names::read(&leads.object()).as_ref(), Some(&leads));
    let endpoint = &leads.object()["spec"]["endpoints"][0];
    assert_eq!(
        *endpoint,
        json!({"dnsName": "shop.jl.gov.cn", "recordType": "A", "targets": ["10.1.0.1"], "recordTTL": 10,
            "setIdentifier": "jishi", "providerSpecific": [{"name": "weight", "value": "4"}]})
    );
    assert!(
        leads.records.iter().all(|r| r.centre == "jishi"),
        "who is given none is not named"
    );
    let nobody = Names::of(&placement, &traffic, &weights([0, 0]), &sites, Some(&leads));
    assert_eq!(nobody, leads, "a name never leads nowhere");
}

#[test]
fn a_gateway_has_a_backend_for_each_centre_that_is_entered() {
    let mut placement = placement("ActiveActive", [4, 3], [7, 7]);
    let mut sites = sites([GRANTED; 2], [true; 2]);
    assert_eq!(routed(&placement, &weights([4, 0]), &sites), None, "it names none");
    let gateway = json!({"name": "province", "namespace": "ingress", "service": "shop", "port": 8080});
    placement.spec.traffic.as_mut().unwrap().gateway = serde_json::from_value(gateway).unwrap();
    let all = routed(&placement, &weights([4, 0]), &sites).unwrap();
    let backends = [
        ("shop-jishi".to_owned(), 8080, 4),
        ("shop-jiyidong".to_owned(), 8080, 0),
    ];
    assert_eq!(all.route.backends, backends);
    assert_eq!(
        all.route.object()["spec"],
        json!({"parentRefs": [{"namespace": "ingress", "name": "province"}], "hostnames": ["shop.jl.gov.cn"],
            "rules": [{"backendRefs": [{"name": "shop-jishi", "port": 8080, "weight": 4},
                {"name": "shop-jiyidong", "port": 8080, "weight": 0}]}]})
    );
    assert_eq!(Route::read(&all.route.object()).as_ref(), Some(&all.route));
    for backend in &all.backends {
        assert_eq!(Backend::read(&backend.object()).as_ref(), Some(backend));
    }
    let led: Vec<_> = all
        .slices
        .iter()
        .map(|s| (s.name(), s.service.as_str(), s.ready))
        .collect();
    let jishi = ("shop-jishi-jishi".to_owned(), "shop-jishi", true);
    assert_eq!(
        led,
        [jishi, ("shop-jiyidong-jiyidong".to_owned(), "shop-jiyidong", false)]
    );
    assert_eq!(all.slices[0].object()["ports"][0]["port"], 8080);
    for slice in &all.slices {
        assert_eq!(Slice::read(&slice.object()).as_ref(), Some(slice));
    }
    sites.get_mut("jishi").unwrap().ingress.clear();
    let all = routed(&placement, &weights([9_000_000, 9_000_000]), &sites).unwrap();
    assert_eq!(all.route.backends, [("shop-jiyidong".to_owned(), 8080, 1_000_000)]);
}

#[test]
fn what_hinders_it_is_said() {
    let all = weights([4, 0]);
    let of = |hindrance: Hindrance| said(Some(&all), &hindrance);
    assert_eq!(
        of(Hindrance::default()),
        (
            true,
            "Published",
            "jishi 4, jiyidong 0 | 权重：jishi 4, jiyidong 0".to_owned()
        )
    );
    let missing = Hindrance {
        unseen: Some(("DNSEndpoint", Unseen::Missing)),
        ..Hindrance::default()
    };
    assert_eq!(of(missing.clone()).1, "KindMissing");
    let nowhere = Hindrance {
        without_ingress: vec!["jiyidong".into()],
        ..missing
    };
    assert_eq!(of(nowhere.clone()).1, "IngressMissing");
    let failed = Hindrance {
        failed: Some("no".into()),
        ..nowhere
    };
    assert_eq!(of(failed).1, "ApplyFailed");
    assert_eq!(said(None, &Hindrance::default()).1, "Applying");
    assert_eq!(
        said(Some(&weights([0, 0])), &Hindrance::default()).1,
        "CentreDoesNotServe"
    );
}

#[test]
fn a_centre_says_where_it_is_entered() {
    let mut centre: DataCenter = serde_json::from_value(json!({"metadata": {"name": "jishi"},
        "spec": {"displayName": "j", "role": "Primary", "operator": "o", "ingress": ["10.1.0.1", "::ffff", "..."]}}))
    .unwrap();
    centre.status = Some(crds::DataCenterStatus {
        witness: Some(CentreWitness {
            state: WitnessState::Returned,
            since: String::new(),
            last_seen: None,
            incident: None,
        }),
        ..crds::DataCenterStatus::default()
    });
    let site = Site::of(&centre, Timestamp::UNIX_EPOCH);
    assert_eq!(
        (site.ingress.len(), site.witness, site.reports),
        (2, Some(WitnessState::Returned), false)
    );
}
