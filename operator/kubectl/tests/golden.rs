//! What is printed, against files: both languages, widths 80 and 120. `UPDATE_GOLDEN=1 cargo test` writes them anew;
//! read the difference before it is committed.
#![allow(clippy::unwrap_used, reason = "a test that cannot read its files has failed")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crds::{DataCenter, ExpansionPhase, PoolQueue, QuotaPool, RequestApproval, ResourceRequest, Tenant, UsageReport};
use kubectl_xiangyun::floor::Province;
use kubectl_xiangyun::lang::Lang;
use kubectl_xiangyun::print::{self, Style};
use kubectl_xiangyun::quote::{Quote, quote};
use kubectl_xiangyun::simulate::{self, simulate};
use kubectl_xiangyun::status::status;
use kubectl_xiangyun::usage::{self, usage};
use kubectl_xiangyun::verdict::{State, verdict};
use serde::de::DeserializeOwned;
use serde_json::Value;

mod failovers;
mod placements;
mod waiting;

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(name)
}

fn objects<T: DeserializeOwned>(name: &str, kind: &str) -> Vec<T> {
    let text = std::fs::read_to_string(file(name)).unwrap();
    let all: Vec<Value> = serde_saphyr::from_multiple(&text).unwrap();
    all.into_iter()
        .filter(|v| v["kind"] == kind)
        .map(|v| serde_json::from_value(v).unwrap())
        .collect()
}

fn province() -> Province {
    let name = "province.yaml";
    Province {
        centres: Some(objects::<DataCenter>(name, "DataCenter")),
        pools: Some(objects::<QuotaPool>(name, "QuotaPool")),
        phases: Vec::new(),
        queues: Some(objects::<PoolQueue>(name, "PoolQueue")),
        tenants: Some(objects::<Tenant>(name, "Tenant")),
        every_tenant: true,
        target: None,
        names: BTreeMap::new(),
    }
}

fn requests() -> Vec<ResourceRequest> {
    objects("requests.yaml", "ResourceRequest")
}

fn now() -> jiff::Timestamp {
    "2026-11-25T02:00:10Z".parse().unwrap()
}

fn today() -> jiff::civil::Date {
    plan::request::date_at(now())
}

/// Compares with `golden/NAME.LANG.WIDTH.txt`, or writes it.
fn golden(name: &str, print: impl Fn(Style) -> String) {
    for (lang, tag) in [(Lang::En, "en"), (Lang::Zh, "zh")] {
        for width in [80, 120] {
            let text = print(Style {
                lang,
                width: Some(width),
            });
            let path = file("golden").join(format!("{name}.{tag}.{width}.txt"));
            if std::env::var_os("UPDATE_GOLDEN").is_some() {
                std::fs::write(&path, &text).unwrap();
            }
            let expected = std::fs::read_to_string(&path).unwrap_or_default();
            assert_eq!(text, expected, "{} differs", path.display());
        }
    }
}

#[test]
fn the_province_on_one_page() {
    let requests = requests();
    let page = status(&province(), Some((&requests, None)), false, now());
    golden("status", |style| print::status(&page, style));
}

#[test]
fn each_pool_in_each_centre() {
    let page = status(&province(), Some((&[], None)), true, now());
    golden("status-per-centre", |style| print::status(&page, style));
}

#[test]
fn what_may_not_be_read_is_a_dash_with_a_note() {
    let page = status(&Province::default(), Some((&[], Some("dept-jyt"))), false, now());
    golden("status-hidden", |style| print::status(&page, style));
}

#[test]
fn why_of_each_reason() {
    let (province, requests) = (province(), requests());
    let approvals: Vec<RequestApproval> = objects("requests.yaml", "RequestApproval");
    golden("why", |style| {
        let one = |r: &ResourceRequest| print::verdict(&verdict(r, Some(&approvals), &province, today()), style);
        requests.iter().map(one).collect::<Vec<_>>().join("\n")
    });
}

#[test]
fn why_for_a_department_that_sees_little() {
    let hidden = Province {
        tenants: None,
        every_tenant: false,
        queues: None,
        centres: None,
        ..province()
    };
    let request = &requests()[0];
    golden("why-hidden", |style| {
        print::verdict(&verdict(request, None, &hidden, today()), style)
    });
    let blind = Province::default();
    golden("why-blind", |style| {
        print::verdict(&verdict(request, None, &blind, today()), style)
    });
}

#[test]
fn quote_of_each_outcome() {
    let (province, requests) = (province(), requests());
    golden("quote", |style| {
        requests
            .iter()
            .map(|r| print::quote(&quote(r, &province, today()), style))
            .collect::<Vec<_>>()
            .join("\n")
    });
    golden("quote-blind", |style| {
        print::quote(&quote(&requests[0], &Province::default(), today()), style)
    });
    let refused = Quote::refused(
        "too-big",
        "dept-jyt",
        vec![
            "spec.resources.cpu: 90000 exceeds the largest possible grant | spec.resources.cpu：超过可授予上限"
                .to_owned(),
        ],
    );
    golden("quote-refused", |style| print::quote(&refused, style));
}

#[test]
fn who_would_start_with_a_phase() {
    let mut requests = requests();
    for request in &mut requests {
        request.metadata.finalizers = Some(vec![crds::label::CHARGED.to_owned()]);
    }
    let phases: Vec<ExpansionPhase> = objects("phases.yaml", "ExpansionPhase");
    let approvals: Vec<RequestApproval> = objects("requests.yaml", "RequestApproval");
    let of = |phase, province: &Province, seen| simulate(phase, province, seen, &approvals, now());
    let all: Vec<_> = phases
        .iter()
        .map(|phase| of(phase, &province(), Some((requests.as_slice(), None))))
        .collect();
    let one = |s, style| simulate::print(s, style);
    golden("simulate", |style| {
        all.iter().map(|s| one(s, style)).collect::<Vec<_>>().join("\n")
    });
    let own = of(&phases[0], &province(), Some((&requests[..1], Some("dept-jyt"))));
    golden("simulate-own", |style| one(&own, style));
    let blind = of(&phases[0], &Province::default(), None);
    golden("simulate-blind", |style| one(&blind, style));
    let json = serde_json::to_value(&all[0]).unwrap();
    assert_eq!(json["starts"][0]["name"], "train-lab");
    assert_eq!(json["waiting"], 2);
    assert_eq!(json["adds"][0]["committable"]["accelerators"], "16");
}

#[test]
fn whom_one_more_request_leaves_without_room() {
    let (province, mut requests) = (province(), requests());
    // It is not decided on yet, and fits as long as nobody else comes.
    let exam = requests[1].spec.resources.as_mut().unwrap();
    exam.cpu = Some("30".into());
    let comes = |name: &str, seen| {
        let request = requests
            .iter()
            .find(|r| r.metadata.name.as_deref() == Some(name))
            .unwrap();
        let quote = quote(request, &province, today());
        simulate::comes::comes(quote, Some(request), &province, seen, &[], now())
    };
    let all = ["fresh", "train-lab"].map(|name| comes(name, Some((requests.as_slice(), None))));
    golden("simulate-request", |style| {
        let one = |c| simulate::comes::print(c, style);
        all.iter().map(one).collect::<Vec<_>>().join("\n")
    });
    let hidden = comes("fresh", None);
    golden("simulate-request-hidden", |style| {
        simulate::comes::print(&hidden, style)
    });
}

#[test]
fn what_the_loss_of_a_centre_means() {
    let requests = requests();
    let loss = simulate::loss::lose("jishi", &province(), Some((&requests, None)), None);
    golden("simulate-lose", |style| simulate::loss::print(&loss, style));
    assert_eq!(loss.grants, Some(1));
}

#[test]
fn no_line_is_wider_than_the_terminal_where_it_is_a_table() {
    let page = status(&province(), None, true, now());
    for lang in [Lang::En, Lang::Zh] {
        let text = print::status(&page, Style { lang, width: Some(80) });
        let wide = text
            .lines()
            .filter(|l| !l.starts_with("note") && !l.starts_with("说明"));
        // A Chinese character takes two columns.
        let columns = |l: &str| l.chars().map(|c| if c.is_ascii() { 1 } else { 2 }).sum::<usize>();
        assert!(wide.clone().all(|l| columns(l) <= 80), "{text}");
    }
}

#[test]
fn exit_codes_of_why() {
    let (province, requests) = (province(), requests());
    let state = |name: &str| {
        let found = requests
            .iter()
            .find(|r| r.metadata.name.as_deref() == Some(name))
            .unwrap();
        verdict(found, None, &province, today()).state
    };
    assert_eq!(state("train-lab").exit(), 4);
    assert_eq!(state("portal").exit(), 0);
    assert_eq!(state("wishful"), State::Refused);
    assert_eq!(State::Ended.exit(), 1);
}

#[test]
fn json_has_both_languages_and_exact_amounts() {
    let verdict = verdict(&requests()[0], None, &province(), today());
    let json = serde_json::to_value(&verdict).unwrap();
    assert_eq!(json["state"], "PENDING");
    assert_eq!(json["waits"][0]["lacks"][0]["short"], "6");
    assert_eq!(json["waits"][0]["queue"]["position"], 3);
    assert!(json["options"][0].as_str().unwrap().contains(" | "));
}

#[test]
fn the_usage_of_a_month() {
    let reports: Vec<UsageReport> = objects("usage.yaml", "UsageReport");
    let november = usage("2026-11", reports.clone());
    golden("usage", |style| usage::page(&november, style));
    golden("usage-none", |style| {
        usage::page(&usage("2026-12", reports.clone()), style)
    });
    let path = file("golden/usage.csv");
    let csv = usage::csv(&november);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, &csv).unwrap();
    }
    assert_eq!(csv, std::fs::read_to_string(path).unwrap_or_default());
    let json = serde_json::to_value(&november).unwrap();
    assert_eq!(json["reports"][0]["tenant"], "dept-jyt");
    assert_eq!(json["reports"][1]["rows"][0]["exact"]["accelerators"], "1440000");
    assert_eq!(json["reports"][1]["totals"]["price"], "2060.18");
}
