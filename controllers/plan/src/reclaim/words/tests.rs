use crds::{PoolAmounts, Reclaim, ReclaimPolicy, ReclaimStage, ReclaimStep, RequestType, Resources};
use serde_json::json;

use super::super::policy::Policy;
use super::{Exempt, Judgement, Most, Verdict, say};
use crate::quota::Grant;
use crate::request::Request;

fn policy() -> Policy {
    let spec = json!({"displayName": "p", "window": "30d", "cpuP95Below": "10%", "memP95Below": "30%"});
    let policy: ReclaimPolicy = serde_json::from_value(json!({"metadata": {"name": "idle"}, "spec": spec})).unwrap();
    Policy::read(&policy).unwrap()
}

fn pool(name: &str, vcpu: i128) -> PoolAmounts {
    let amounts = Resources {
        cpu: vcpu * 1000,
        memory: vcpu << 31,
        ..Resources::ZERO
    };
    PoolAmounts {
        pool: name.into(),
        amounts: amounts.to_amounts(),
    }
}

fn said(verdict: Verdict, reclaim: Option<&Reclaim>, holds: &[PoolAmounts]) -> String {
    let object = json!({"apiVersion": "xiangyun.io/v1alpha1", "kind": "ResourceRequest",
        "metadata": {"name": "a", "namespace": "dept", "uid": "a"}, "spec": {"displayName": "a", "type": "New"}});
    let request = Request::read(serde_json::from_value(object).unwrap(), true).unwrap();
    let most = |pool: &str, percent| Most {
        pool: pool.into(),
        percent,
    };
    let policy = policy();
    let judgement = Judgement {
        policy: &policy,
        busiest: Some((most("x86", 8), most("arm", 4))),
        verdict,
    };
    say(Some(&judgement), reclaim, &request, holds).text
}

#[test]
fn a_figure_is_of_the_pool_that_it_is_about() {
    let reclaim = Reclaim {
        stage: ReclaimStage::Notified,
        day: Some("2026-04-22".into()),
        to: vec![pool("arm", 16), pool("x86", 32)],
        ..Reclaim::default()
    };
    let text = said(
        Verdict::Idle(Grant::new()),
        Some(&reclaim),
        &[pool("arm", 64), pool("x86", 96)],
    );
    let en = "CPU P95 8% of 96 in x86, memory P95 4% of 128Gi in arm, for 30d; \
        shrinks to 16 vCPU and 32Gi in arm, 32 vCPU and 64Gi in x86 on 2026-04-22 unless";
    assert!(text.starts_with(en), "{text}");
    let zh = "30d 内 CPU P95 为 x86 96 核的 8%，内存 P95 为 arm 128Gi 的 4%，2026-04-22 缩至 arm 16 核、32Gi，x86 32 核、64Gi，可申诉";
    assert!(text.ends_with(zh), "{text}");
}

#[test]
fn what_cannot_shrink_is_not_asked_to() {
    let reclaim = Reclaim {
        step: ReclaimStep::Release,
        to: vec![pool("x86", 1)],
        ..Reclaim::default()
    };
    let text = said(Verdict::Idle(Grant::new()), Some(&reclaim), &[pool("x86", 1)]);
    assert!(text.contains("give it back with type Release"), "{text}");
}

#[test]
fn the_reason_of_an_exemption_is_the_true_one() {
    for (why, en, zh) in [
        (Exempt::Type(RequestType::Trial), "it is a trial", "试用"),
        (Exempt::Type(RequestType::Emergency), "for an emergency", "应急"),
        (Exempt::Cards, "it holds cards", "加速卡"),
        (Exempt::NotMeasured, "no vCPU and memory", "不含"),
        (Exempt::Standby, "standby", "灾备"),
    ] {
        let text = said(Verdict::Exempt(why), None, &[]);
        assert!(
            text.starts_with("exempt from idle: ") && text.contains(en) && text.contains(zh),
            "{text}"
        );
    }
}
