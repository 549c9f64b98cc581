//! What is said of a pool that has less than is charged.

use crds::{DataCenter, Resources};
use serde_json::json;

use super::*;
use crate::ledger::{CentreEntry, PoolEntry};

fn cpu(vcpu: i128) -> Resources {
    Resources {
        cpu: vcpu * 1000,
        ..Resources::ZERO
    }
}

/// A pool with 50 vCPU in each centre.
fn pool() -> Pool {
    let centre = |name: &str| json!({"name": name, "source": "Declared", "amounts": {"cpu": "50", "memory": "50Gi"}});
    let object = json!({"apiVersion": "xiangyun.io/v1alpha1", "kind": "QuotaPool", "metadata": {"name": "x86"},
        "spec": {"displayName": "池", "architecture": "amd64", "zone": "GovExtranet",
            "centres": (["jishi", "jiyidong"].map(centre))}});
    let known = |name: &str| -> DataCenter {
        let object = json!({"apiVersion": "xiangyun.io/v1alpha1", "kind": "DataCenter", "metadata": {"name": name},
            "spec": {"displayName": name, "role": "Primary", "operator": "JishiMedia"}});
        serde_json::from_value(object).unwrap()
    };
    let object = serde_json::from_value(object).unwrap();
    let now = "2026-03-01T00:00:00Z".parse().unwrap();
    Pool::read(&object, &["jishi", "jiyidong"].map(known), &[], now).unwrap()
}

/// So much is charged in each centre, by six tenants.
fn ledger(charged: [i128; 2]) -> Ledger {
    let centre = |(name, vcpu): (&str, i128)| {
        let entry = CentreEntry {
            charged: cpu(vcpu),
            ..CentreEntry::default()
        };
        (name.to_owned(), entry)
    };
    let [first, second] = charged;
    let entry = PoolEntry {
        centres: [("jishi", first), ("jiyidong", second)].map(centre).into(),
        ..PoolEntry::default()
    };
    let tenant = |name: &str| {
        let entry = TenantEntry {
            charged: [("x86", cpu(10))].into(),
            ..TenantEntry::default()
        };
        (name.to_owned(), entry)
    };
    Ledger {
        pools: [("x86".to_owned(), entry)].into(),
        tenants: ["a", "b", "c", "d", "e", "f"].map(tenant).into(),
        ..Ledger::default()
    }
}

#[test]
fn who_reads_chinese_reads_the_numbers_and_what_helps_too() {
    let (over, reason, words) = commitment(&pool(), &ledger([60, 50]));
    assert_eq!((over, reason), (true, pool_reason::OVER_COMMITTED));
    let (english, chinese) = words.split_once(" | ").unwrap();
    for half in [english, chinese] {
        assert!(half.contains("cpu 60") && half.contains("cpu 50"), "{half}");
        assert!(half.contains("jishi") && !half.contains("jiyidong"), "{half}");
        assert!(half.contains("a, b, c, d, e") && !half.contains(", f"), "{half}");
    }
    assert!(
        english.contains("by 6 tenants") && chinese.contains("6 个租户"),
        "{words}"
    );
    assert!(
        english.contains("bring nodes back") && chinese.contains("恢复或增加节点"),
        "{words}"
    );
    let (over, reason, _) = commitment(&pool(), &ledger([50, 50]));
    assert_eq!((over, reason), (false, pool_reason::WITHIN_COMMITTABLE));
}
