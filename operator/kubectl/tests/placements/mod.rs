//! Placements: one for each reason that has a way out.

use std::collections::{BTreeMap, BTreeSet};

use crds::{DualActivePlacement, PlacedObject, PlacementRow, ResourceRequest, TemplateKind};
use kubectl_xiangyun::placement::diff::{Diff, Looked, diff};
use kubectl_xiangyun::placement::live::Live;
use kubectl_xiangyun::placement::page::page;
use kubectl_xiangyun::placement::seen::Seen;
use kubectl_xiangyun::placement::verdict::{State, verdict};
use kubectl_xiangyun::placement::{print, scene::Scene};
use kubectl_xiangyun::simulate::loss;
use plan::placement::kinds::Unseen;
use serde_json::{Value, json};

use super::{golden, now, objects, province, requests, today};

const FILE: &str = "placements.yaml";

fn seen() -> Seen {
    let templates = TemplateKind::ALL.into_iter().flat_map(|kind| {
        let all: Vec<Value> = objects(FILE, kind.name());
        all.into_iter().map(move |value| {
            let kind = kind.clone();
            let text = |pointer: &str| value.pointer(pointer).and_then(Value::as_str).unwrap().to_owned();
            let name = text("/metadata/name");
            ((text("/metadata/namespace"), PlacedObject { kind, name }), value)
        })
    });
    let mut all = requests();
    all.extend(objects::<ResourceRequest>(FILE, "ResourceRequest"));
    Seen {
        placements: objects(FILE, "DualActivePlacement"),
        templates: Some(templates.collect()),
        requests: Some(all),
        province: province(),
        now: now(),
        ..Seen::default()
    }
}

/// What the platform team reads: everything but templates.
fn without_templates() -> Seen {
    Seen {
        templates: None,
        ..seen()
    }
}

fn placement(seen: &Seen, name: &str) -> DualActivePlacement {
    let found = seen
        .placements
        .iter()
        .find(|p| p.metadata.name.as_deref() == Some(name));
    found.unwrap().clone()
}

#[test]
fn one_placement_on_one_page() {
    let seen = seen();
    for name in ["portal", "exam", "train"] {
        let page = page(&placement(&seen, name), &seen, now());
        golden(&format!("status-dap-{name}"), |style| print::page(&page, style));
    }
    let hidden = without_templates();
    let page = page(&placement(&hidden, "portal"), &hidden, now());
    golden("status-dap-hidden", |style| print::page(&page, style));
    let json = serde_json::to_value(&page).unwrap();
    assert_eq!(json["centres"][0]["ready"], 4);
    assert_eq!(json["objects"][0]["follows"], Value::Null);
}

#[test]
fn why_of_each_placement() {
    let seen = seen();
    golden("why-dap", |style| {
        let one = |p: &DualActivePlacement| print::verdict(&verdict(p, &seen, now(), today()), style);
        seen.placements.iter().map(one).collect::<Vec<_>>().join("\n")
    });
    let hidden = without_templates();
    golden("why-dap-hidden", |style| {
        let train = placement(&hidden, "train");
        print::verdict(&verdict(&train, &hidden, now(), today()), style)
    });
    let of = |name: &str| verdict(&placement(&seen, name), &seen, now(), today());
    assert_eq!((of("portal").state, of("portal").state.exit()), (State::Running, 0));
    assert_eq!((of("train").state, of("train").state.exit()), (State::Held, 1));
    assert_eq!((of("silent").state, of("silent").state.exit()), (State::Pending, 4));
    let json = serde_json::to_value(of("train")).unwrap();
    assert_eq!(json["state"], "HELD");
    assert_eq!(json["rooms"][0]["fits"], 16);
    assert!(json["options"][0].as_str().unwrap().contains(" | "));
}

#[test]
fn a_kind_that_cannot_be_listed_is_named_and_the_rest_is_shown() {
    let mut seen = seen();
    let widget = TemplateKind::custom("Widget", "example.org");
    let failing = Unseen::Failing("conversion webhook failed".to_owned());
    seen.blind = [
        (widget, failing),
        (TemplateKind::custom("Gadget", "example.org"), Unseen::Missing),
    ]
    .into();
    let note = "Widget.example.org: the hub cannot list it, so it is left out: conversion webhook failed | Widget.example.org：省级控制面无法读取，已略去：conversion webhook failed";
    let page = page(&placement(&seen, "portal"), &seen, now());
    assert_eq!((page.notes, page.centres.len()), (vec![note.to_owned()], 2));
    let train = verdict(&placement(&seen, "train"), &seen, now(), today());
    assert_eq!((train.state, train.notes), (State::Held, vec![note.to_owned()]));
    let differs = diff(&placement(&seen, "portal"), &seen, &Looked::new());
    assert_eq!(differs.notes, [note]);
}

/// The file has the word of an operator; the same is decided from what the user reads.
#[test]
fn the_operator_would_say_the_same() {
    let seen = seen();
    let scene = Scene::new(&seen).unwrap();
    let decided = scene.decide();
    let said = |name: &str| {
        let key = ("dept-jyt".to_owned(), name.to_owned());
        let obstacle = decided[&key].obstacle.clone();
        obstacle.map(|o| (o.reason.to_owned(), o.message))
    };
    for name in ["train", "vision", "twice-a", "twice-b", "unready", "nothing", "bounds"] {
        let stored = placement(&seen, name).status.unwrap().conditions.remove(0);
        assert_eq!(said(name), Some((stored.reason, stored.message)), "{name}");
    }
    assert_eq!(said("portal"), None);
}

#[test]
fn what_differs_in_each_centre() {
    let seen = seen();
    for name in ["portal", "exam", "train"] {
        let found = diff(&placement(&seen, name), &seen, &Looked::new());
        golden(&format!("diff-dap-{name}"), |style| print::diff(&found, style));
    }
    let exam = diff(&placement(&seen, "exam"), &seen, &Looked::new());
    assert!(exam.differs());
    assert!(!diff(&placement(&seen, "portal"), &seen, &Looked::new()).differs());
    let hidden = without_templates();
    let found = diff(&placement(&hidden, "exam"), &hidden, &Looked::new());
    golden("diff-dap-hidden", |style| print::diff(&found, style));
}

/// The province, with jiyidong as the cloud of a city whose people confirm.
fn advised() -> Seen {
    let mut seen = seen();
    let centres = seen.province.centres.iter_mut().flatten();
    for centre in centres.filter(|c| c.metadata.name.as_deref() == Some("jiyidong")) {
        centre.spec.role = crds::CentreRole::Member;
        let lend = json!([{"pool": "x86", "amounts": {"cpu": "1000", "memory": "4Ti"}}]);
        let member = json!({"type": "City", "stage": "Advised", "lend": lend});
        centre.spec.member = serde_json::from_value(member).unwrap();
    }
    seen
}

#[test]
fn whose_word_a_member_cloud_waits_for() {
    fn row(p: &mut DualActivePlacement) -> &mut PlacementRow {
        &mut p.status.as_mut().unwrap().centres[1]
    }
    let seen = advised();
    let state = |p: &DualActivePlacement| {
        let json = serde_json::to_value(diff(p, &seen, &Looked::new())).unwrap();
        assert_eq!(json["centres"][0]["confirmation"], Value::Null, "jishi is no member");
        let found = &json["centres"][1]["confirmation"];
        assert_eq!(found["group"], "xiangyun:member:jiyidong");
        found["state"].as_str().unwrap().to_owned()
    };
    let mut portal = placement(&seen, "portal");
    assert_eq!(state(&portal), "Unknown");
    row(&mut portal).content = Some("7-00c0ffee".to_owned());
    assert_eq!(state(&portal), "NotNeeded");
    let annotation = ("confirmed.xiangyun.io/jiyidong".to_owned(), "7-00c0ffee".to_owned());
    portal.metadata.annotations = Some([annotation].into());
    assert_eq!(state(&portal), "Confirmed");
    assert!(!diff(&portal, &seen, &Looked::new()).differs());
    let confirmed = diff(&portal, &seen, &Looked::new());
    // Another image since.
    let waits = row(&mut portal);
    waits.confirm = Some("7-0000cafe".to_owned());
    waits.reason = "AwaitingConfirmation".to_owned();
    waits.message = Some("decision 7 waits for a person of jiyidong | 第 7 号分派待 jiyidong 人员确认".to_owned());
    assert_eq!(state(&portal), "Waits");
    let waits = diff(&portal, &seen, &Looked::new());
    assert!(waits.differs());
    golden("diff-dap-member", |style| {
        [&confirmed, &waits].map(|d| print::diff(d, style)).join("\n")
    });
    // What the templates ask for is not decided yet.
    let mut exam = placement(&seen, "exam");
    let decided = exam.status.as_mut().unwrap().assignment.as_mut().unwrap();
    decided.centres[1].copies[0].copies = 3;
    let exam = serde_json::to_value(diff(&exam, &seen, &Looked::new())).unwrap();
    assert_eq!(exam["centres"][1]["confirmation"]["undecided"], true);
}

#[test]
fn what_was_read_in_a_centre_counts_there() {
    let seen = seen();
    let portal = placement(&seen, "portal");
    let object = |kind, name: &str| PlacedObject {
        kind,
        name: name.to_owned(),
    };
    let mut web = seen.templates.as_ref().unwrap()
        [&("dept-jyt".to_owned(), object(TemplateKind::Deployment, "portal-web"))]
        .clone();
    web["metadata"]["labels"]["xiangyun.io/placement"] = json!("portal");
    web["spec"]["replicas"] = json!(9);
    web["spec"]["template"]["spec"]["containers"][0]["image"] = json!("registry.invalid/other:1");
    let live = |autoscaled| Live {
        autoscaled,
        objects: BTreeMap::from([
            (object(TemplateKind::Deployment, "portal-web"), Some(web.clone())),
            (object(TemplateKind::ConfigMap, "portal-settings"), None),
        ]),
        hidden: [TemplateKind::Secret].into(),
    };
    let looked = |live| Looked::from([("jishi".to_owned(), live)]);
    let found = diff(&portal, &seen, &looked(live(BTreeSet::new())));
    golden("diff-dap-live", |style| print::diff(&found, style));
    assert!(found.differs());
    // An autoscaler that somebody made there sets the copies, and nobody corrects them.
    let scaled = [object(TemplateKind::Deployment, "portal-web")].into();
    let scaled = diff(&portal, &seen, &looked(live(scaled)));
    let said = |diff: &Diff| serde_json::to_string(&diff.centres).unwrap().contains("replicas");
    assert!(said(&found) && !said(&scaled), "{scaled:?}");
}

#[test]
fn what_the_loss_of_a_centre_means_for_placements() {
    let seen = seen();
    let requests = seen.requests.clone().unwrap();
    let lose = |seen: &Seen| loss::lose("jishi", &province(), Some((&requests, None)), Some(seen));
    let all = lose(&seen);
    golden("simulate-lose-dap", |style| loss::print(&all, style));
    let hidden = lose(&without_templates());
    golden("simulate-lose-dap-hidden", |style| loss::print(&hidden, style));
    let hits = serde_json::to_value(&all).unwrap()["placements"].clone();
    let alarm = hits.as_array().unwrap().iter().find(|h| h["name"] == "alarm").unwrap();
    assert_eq!(
        (&alarm["wanted"], &alarm["left"], &alarm["raisedTo"]),
        (&json!(10), &json!(5), &json!(6))
    );
    assert_eq!(alarm["fits"], false);
}

#[test]
fn a_moved_placement_is_lost_where_it_runs_now() {
    let mut seen = seen();
    let requests = seen.requests.clone().unwrap();
    for (name, copies) in [("ledger", [1, 2]), ("register", [0, 1])] {
        let mut all = seen.placements.iter_mut();
        let moved = all.find(|p| p.metadata.name.as_deref() == Some(name)).unwrap();
        let assignment = moved.status.as_mut().unwrap().assignment.as_mut().unwrap();
        assignment.home = Some("jishi".to_owned());
        assignment.active = Some("jiyidong".to_owned());
        assignment.failover = Some("u-moved".to_owned());
        let mut sides = vec![assignment.centres[0].clone(), assignment.centres[0].clone()];
        sides[1].name = "jiyidong".to_owned();
        for (side, copies) in sides.iter_mut().zip(copies) {
            side.copies[0].copies = copies;
        }
        assignment.centres = sides;
    }
    let lose = |centre: &str| {
        let loss = loss::lose(centre, &province(), Some((&requests, None)), Some(&seen));
        serde_json::to_value(loss).unwrap()
    };
    let hit = |loss: &Value, name: &str| {
        let mut all = loss["placements"].as_array().unwrap().iter();
        let found = all.find(|h| h["name"] == name).unwrap();
        json!([found["wanted"], found["left"], found["raisedTo"], found["fits"]])
    };
    let stays = |loss: &Value| {
        loss["notes"]
            .to_string()
            .contains("dap/register of dept-jyt is Exclusive")
    };
    let there = lose("jiyidong");
    assert_eq!(hit(&there, "ledger"), json!([2, 1, 2, true]));
    assert_eq!(hit(&there, "register"), json!([1, 0, 1, true]));
    assert!(stays(&there));
    let home = lose("jishi");
    assert_eq!(hit(&home, "ledger"), json!([2, 2, 2, true]));
    assert_eq!(hit(&home, "register"), json!([1, 1, 1, true]));
    assert!(!stays(&home));
}

#[test]
fn a_stored_version_keeps_the_generation_of_its_storing() {
    let mut seen = seen();
    let web = PlacedObject {
        kind: TemplateKind::Deployment,
        name: "portal-web".to_owned(),
    };
    let key = ("dept-jyt".to_owned(), web);
    let revision = |seen: &Seen| {
        let template = &seen.templates.as_ref().unwrap()[&key];
        plan::placement::template::read(&TemplateKind::Deployment, template).revision
    };
    let mut portal = placement(&seen, "portal");
    let runs = revision(&seen);
    for row in &mut portal.status.as_mut().unwrap().centres {
        row.workloads[0].revision.clone_from(&runs);
    }
    // Scaled there and back.
    seen.templates.as_mut().unwrap().get_mut(&key).unwrap()["metadata"]["generation"] = json!(5);
    let scaled = diff(&portal, &seen, &Looked::new());
    assert!(!scaled.differs(), "{scaled:?}");
    let behind = |seen: &Seen| page(&portal, seen, now()).workloads[0].behind;
    assert_eq!(behind(&seen), Some(false));
    let web = seen.templates.as_mut().unwrap().get_mut(&key).unwrap();
    web["spec"]["template"]["spec"]["containers"][0]["image"] = json!("registry.invalid/portal-web:2");
    let newer = diff(&portal, &seen, &Looked::new());
    let said = serde_json::to_string(&newer.centres).unwrap();
    let newest = revision(&seen);
    for version in [&runs, &newest] {
        assert!(said.contains(&format!("revision {version} of the template")), "{said}");
    }
    assert_eq!(behind(&seen), Some(true));
}
