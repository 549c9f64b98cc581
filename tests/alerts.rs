//! Each alert fires on what it is about and is silent otherwise: `promtool test rules`, over the committed file.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "an assumption that fails is a test that fails"
)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};
use tests::repository;

/// An alert, series in promtool's notation, the minute at which is looked, and whether it fires then.
type Case = (&'static str, &'static [(&'static str, &'static str)], u32, bool);

const OPERATORS: &str = "up{job=\"operator\",place=\"jishi\"}";
const AWAITS: &str = "xiangyun_requests_oldest_timestamp_seconds{reason=\"AwaitingApproval\"}";
const PROVISIONING: &str = "xiangyun_requests_oldest_timestamp_seconds{reason=\"Provisioning\"}";

const CASES: &[Case] = &[
    (
        "CentreNotReporting",
        &[("xiangyun_centre_ready{centre=\"jishi\"}", "1 0x9")],
        5,
        true,
    ),
    (
        "CentreNotReporting",
        &[("xiangyun_centre_ready{centre=\"jishi\"}", "1x9")],
        5,
        false,
    ),
    // Two replicas just after a takeover: one of them knows better.
    (
        "CentreNotReporting",
        &[
            ("xiangyun_centre_ready{centre=\"jishi\",process=\"a\"}", "0x9"),
            ("xiangyun_centre_ready{centre=\"jishi\",process=\"b\"}", "1x9"),
        ],
        5,
        false,
    ),
    (
        "AgentCutFromHub",
        &[("xiangyun_agent_hub_reachable{place=\"jishi\"}", "1 0x9")],
        8,
        true,
    ),
    (
        "AgentCutFromHub",
        &[
            ("xiangyun_agent_hub_reachable{place=\"jishi\",process=\"a\"}", "0x9"),
            ("xiangyun_agent_hub_reachable{place=\"jishi\",process=\"b\"}", "1x9"),
        ],
        8,
        false,
    ),
    (
        "NamespacesHeld",
        &[("xiangyun_agent_held_namespaces{place=\"jishi\"}", "2x20")],
        15,
        true,
    ),
    (
        "NamespacesHeld",
        &[("xiangyun_agent_held_namespaces{place=\"jishi\"}", "2x3 0x20")],
        15,
        false,
    ),
    (
        "NoLeader",
        &[("xiangyun_leader_epoch{process=\"a\"}", "3 0x9")],
        5,
        true,
    ),
    // All operators are gone: no series at all.
    ("NoLeader", &[("up{job=\"agent\"}", "1x9")], 5, true),
    ("NoLeader", &[("xiangyun_leader_epoch{process=\"a\"}", "3x9")], 5, false),
    (
        "LeaderIsOutdated",
        &[
            ("xiangyun_agent_epoch{place=\"jishi\"}", "8x9"),
            ("xiangyun_leader_epoch", "7x9"),
        ],
        5,
        true,
    ),
    // Agents learn of a new epoch with the next grant: to be behind is nothing.
    (
        "LeaderIsOutdated",
        &[
            ("xiangyun_agent_epoch{place=\"jishi\"}", "7x9"),
            ("xiangyun_leader_epoch", "8x9"),
        ],
        5,
        false,
    ),
    (
        "TwoLeaders",
        &[
            ("xiangyun_leader_epoch{process=\"a\"}", "3x9"),
            ("xiangyun_leader_epoch{process=\"b\"}", "4x9"),
        ],
        5,
        true,
    ),
    (
        "TwoLeaders",
        &[
            ("xiangyun_leader_epoch{process=\"a\"}", "3x9"),
            ("xiangyun_leader_epoch{process=\"b\"}", "0x9"),
        ],
        5,
        false,
    ),
    (
        "PassesFailing",
        &[
            (
                "xiangyun_passes_total{controller=\"tenant\",outcome=\"failed\"}",
                "0+5x20",
            ),
            (
                "xiangyun_passes_total{controller=\"tenant\",outcome=\"done\"}",
                "0+5x20",
            ),
        ],
        12,
        true,
    ),
    (
        "PassesFailing",
        &[
            (
                "xiangyun_passes_total{controller=\"tenant\",outcome=\"failed\"}",
                "3x20",
            ),
            (
                "xiangyun_passes_total{controller=\"tenant\",outcome=\"done\"}",
                "0+5x20",
            ),
        ],
        12,
        false,
    ),
    (
        "PoolOverCommitted",
        &[
            (
                "xiangyun_pool{pool=\"x86\",centre=\"jishi\",resource=\"cpu\",figure=\"charged\"}",
                "11x9",
            ),
            (
                "xiangyun_pool{pool=\"x86\",centre=\"jishi\",resource=\"cpu\",figure=\"committable\"}",
                "10x9",
            ),
        ],
        5,
        true,
    ),
    // All of it sold is not too much; another centre's figure is not compared.
    (
        "PoolOverCommitted",
        &[
            (
                "xiangyun_pool{pool=\"x86\",centre=\"jishi\",resource=\"cpu\",figure=\"charged\"}",
                "10x9",
            ),
            (
                "xiangyun_pool{pool=\"x86\",centre=\"jishi\",resource=\"cpu\",figure=\"committable\"}",
                "10x9",
            ),
            (
                "xiangyun_pool{pool=\"x86\",centre=\"jiyidong\",resource=\"cpu\",figure=\"committable\"}",
                "5x9",
            ),
        ],
        5,
        false,
    ),
    (
        "PoolNearlyFull",
        &[
            (
                "xiangyun_pool{pool=\"x86\",centre=\"jishi\",resource=\"cpu\",figure=\"free\"}",
                "9x30",
            ),
            (
                "xiangyun_pool{pool=\"x86\",centre=\"jishi\",resource=\"cpu\",figure=\"committable\"}",
                "100x30",
            ),
        ],
        20,
        true,
    ),
    // A resource that the pool does not have is not full.
    (
        "PoolNearlyFull",
        &[
            (
                "xiangyun_pool{pool=\"x86\",centre=\"jishi\",resource=\"storage\",figure=\"free\"}",
                "0x30",
            ),
            (
                "xiangyun_pool{pool=\"x86\",centre=\"jishi\",resource=\"storage\",figure=\"committable\"}",
                "0x30",
            ),
        ],
        20,
        false,
    ),
    (
        "LedgerRepaired",
        &[("xiangyun_ledger_repairs_total", "0x3 1x9")],
        8,
        true,
    ),
    (
        "LedgerRepaired",
        &[("xiangyun_ledger_repairs_total", "1x20")],
        15,
        false,
    ),
    (
        "LedgerRecordsStuck",
        &[("xiangyun_ledger_open_records", "1x90")],
        80,
        true,
    ),
    (
        "LedgerRecordsStuck",
        &[("xiangyun_ledger_open_records", "1x30 0x60")],
        80,
        false,
    ),
    ("RequestAwaitsPeople", &[(AWAITS, "0x4400")], 4330, true),
    ("RequestAwaitsPeople", &[(AWAITS, "0x4400")], 4300, false),
    ("RequestNotProvisioned", &[(PROVISIONING, "0x60")], 40, true),
    ("RequestNotProvisioned", &[(PROVISIONING, "0x20 _x40")], 45, false),
    (
        "WritesRefused",
        &[(
            "xiangyun_admission_writes_total{kind=\"status\",outcome=\"refused\"}",
            "0x3 2x9",
        )],
        6,
        true,
    ),
    (
        "WritesRefused",
        &[(
            "xiangyun_admission_writes_total{kind=\"status\",outcome=\"done\"}",
            "0+9x9",
        )],
        6,
        false,
    ),
    (
        "UnreadableObjects",
        &[("xiangyun_unreadable_objects{kind=\"Tenant\"}", "1x9")],
        8,
        true,
    ),
    (
        "UnreadableObjects",
        &[("xiangyun_unreadable_objects{kind=\"Tenant\"}", "0x9")],
        8,
        false,
    ),
    ("OperatorReplicaDown", &[(OPERATORS, "1x9")], 5, true),
    (
        "OperatorReplicaDown",
        &[(OPERATORS, "1x9"), ("up{job=\"operator\",place=\"jiyidong\"}", "1x9")],
        5,
        false,
    ),
    (
        "AgentsDown",
        &[
            ("up{job=\"agent\",place=\"jishi\",process=\"agent-1\"}", "0x9"),
            ("up{job=\"agent\",place=\"jishi\",process=\"agent-2\"}", "0x9"),
        ],
        5,
        true,
    ),
    (
        "AgentsDown",
        &[
            ("up{job=\"agent\",place=\"jishi\",process=\"agent-1\"}", "0x9"),
            ("up{job=\"agent\",place=\"jishi\",process=\"agent-2\"}", "1x9"),
        ],
        5,
        false,
    ),
    (
        "TargetDown",
        &[("up{job=\"kwok\",process=\"kwok@jishi\"}", "0x9")],
        7,
        true,
    ),
    // These have alerts of their own.
    (
        "TargetDown",
        &[("up{job=\"agent\",process=\"agent-1@jishi\"}", "0x9")],
        7,
        false,
    ),
    (
        "ApiServerErrors",
        &[
            (
                "apiserver_request_total{job=\"hub-apiserver\",place=\"jishi\",code=\"503\"}",
                "0+10x20",
            ),
            (
                "apiserver_request_total{job=\"hub-apiserver\",place=\"jishi\",code=\"200\"}",
                "0+90x20",
            ),
        ],
        15,
        true,
    ),
    (
        "ApiServerErrors",
        &[
            (
                "apiserver_request_total{job=\"hub-apiserver\",place=\"jishi\",code=\"409\"}",
                "0+10x20",
            ),
            (
                "apiserver_request_total{job=\"hub-apiserver\",place=\"jishi\",code=\"200\"}",
                "0+90x20",
            ),
        ],
        15,
        false,
    ),
    (
        "HubQuorumAtRisk",
        &[
            ("up{job=\"hub-etcd\",process=\"1\"}", "1x9"),
            ("up{job=\"hub-etcd\",process=\"2\"}", "1x9"),
            ("up{job=\"hub-etcd\",process=\"3\"}", "1x9"),
            ("up{job=\"hub-etcd\",process=\"4\"}", "0x9"),
        ],
        5,
        true,
    ),
    (
        "HubQuorumAtRisk",
        &[
            ("up{job=\"hub-etcd\",process=\"1\"}", "1x9"),
            ("up{job=\"hub-etcd\",process=\"2\"}", "1x9"),
            ("up{job=\"hub-etcd\",process=\"3\"}", "1x9"),
            ("up{job=\"hub-etcd\",process=\"4\"}", "1x9"),
        ],
        5,
        false,
    ),
    (
        "EtcdHasNoLeader",
        &[("etcd_server_has_leader{process=\"hub-etcd-1@jishi\"}", "0x9")],
        5,
        true,
    ),
    (
        "EtcdHasNoLeader",
        &[("etcd_server_has_leader{process=\"hub-etcd-1@jishi\"}", "1x9")],
        5,
        false,
    ),
    (
        "EtcdNearlyFull",
        &[
            ("etcd_mvcc_db_total_size_in_bytes{process=\"e\"}", "81x9"),
            ("etcd_server_quota_backend_bytes{process=\"e\"}", "100x9"),
        ],
        8,
        true,
    ),
    (
        "EtcdNearlyFull",
        &[
            ("etcd_mvcc_db_total_size_in_bytes{process=\"e\"}", "79x9"),
            ("etcd_server_quota_backend_bytes{process=\"e\"}", "100x9"),
        ],
        8,
        false,
    ),
];

/// A case as promtool reads it. The alert's own series is asked for, so that the wording of annotations may change.
fn group(&(alert, series, minute, fires): &Case) -> Value {
    let input: Vec<Value> = series.iter().map(|(s, v)| json!({"series": s, "values": v})).collect();
    let expr = format!("count(ALERTS{{alertname=\"{alert}\",alertstate=\"firing\"}})");
    let samples = if fires {
        json!([{"labels": "{}", "value": 1}])
    } else {
        json!([])
    };
    json!({"name": format!("{alert} at minute {minute}: {fires}"), "interval": "1m", "input_series": input,
        "promql_expr_test": [{"expr": expr, "eval_time": format!("{minute}m"), "exp_samples": samples}]})
}

fn promtool(args: &[&Path]) -> (bool, String) {
    let tool = playground::tools(None).expect("promtool is built").join("promtool");
    let output = Command::new(tool).args(args).output().expect("promtool runs");
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&said).into_owned())
}

/// Runs every case against a rules file.
fn run(rules: &Path, name: &str) -> (bool, String) {
    let file: PathBuf = std::env::temp_dir().join(format!("xy-alerts-{name}-{}.yaml", std::process::id()));
    let tests: Vec<Value> = CASES.iter().map(group).collect();
    let text = json!({"rule_files": [rules], "evaluation_interval": "1m", "tests": tests}).to_string();
    std::fs::write(&file, text).unwrap();
    let outcome = promtool(&[Path::new("test"), Path::new("rules"), &file]);
    std::fs::remove_file(file).unwrap();
    outcome
}

fn committed() -> PathBuf {
    repository()
        .join("dashboards/generated/alerts.yaml")
        .canonicalize()
        .unwrap()
}

#[test]
fn each_alert_fires_on_what_it_is_about_and_is_silent_otherwise() {
    let (valid, said) = promtool(&[Path::new("check"), Path::new("rules"), &committed()]);
    assert!(valid, "{said}");
    let (passed, said) = run(&committed(), "committed");
    assert!(passed, "{said}");
    for fires in [true, false] {
        let seen: BTreeSet<&str> = CASES.iter().filter(|c| c.3 == fires).map(|c| c.0).collect();
        for alert in dashboards::alerts() {
            assert!(
                seen.contains(alert.name.as_str()),
                "{}: no case that {fires}",
                alert.name
            );
        }
    }
}

#[test]
fn a_rule_that_is_turned_round_is_found() {
    let text = std::fs::read_to_string(committed()).unwrap();
    let turned = text.replace("xiangyun_centre_ready) == 0", "xiangyun_centre_ready) == 1");
    assert_ne!(text, turned);
    let file = std::env::temp_dir().join(format!("xy-alerts-turned-{}.rules.yaml", std::process::id()));
    std::fs::write(&file, turned).unwrap();
    let (passed, said) = run(&file, "turned");
    std::fs::remove_file(file).unwrap();
    assert!(!passed && said.contains("CentreNotReporting"), "{said}");
}
