//! The admission policies in the charts, without an API server: both languages, known reasons, no field forgotten.

#![expect(clippy::unwrap_used, reason = "an assumption that fails is a test that fails")]

use std::path::Path;

use serde_json::Value;

/// Every object in the templates of both charts that depends on no value; all policies are such.
fn objects() -> Vec<Value> {
    let charts = Path::new(env!("CARGO_MANIFEST_DIR")).join("../charts");
    let folders = ["xiangyun", "agent"].map(|chart| charts.join(chart).join("templates"));
    let files = folders.iter().flat_map(|folder| std::fs::read_dir(folder).unwrap());
    let texts = files.map(|file| std::fs::read_to_string(file.unwrap().path()).unwrap());
    let objects = texts.filter(|text| !text.contains("{{")).flat_map(|text| {
        let documents = text.split("\n---\n");
        documents
            .map(|d| serde_saphyr::from_str(d).unwrap())
            .collect::<Vec<Value>>()
    });
    objects.collect()
}

fn list(object: &Value, pointer: &str) -> Vec<Value> {
    object
        .pointer(pointer)
        .and_then(Value::as_array)
        .cloned()
        .unwrap_or_default()
}

#[test]
fn every_refusal_speaks_both_languages_and_names_a_known_reason() {
    use crds::{approval_reason, phase_reason, refusal, request_reason};
    let reasons = [
        request_reason::EXCEEDS_MAX_QUOTA,
        approval_reason::SELF_APPROVAL,
        phase_reason::BELOW_COMMITTED,
        refusal::NOT_STAMPED,
        refusal::PRIORITY_RESERVED,
        refusal::IN_USE,
        refusal::LIVE_GRANT,
        refusal::NOT_OWN_ROW,
        refusal::NOT_OURS,
        refusal::ROLE_FORBIDDEN,
        refusal::POOL_MISMATCH,
        refusal::NOT_THE_MEMBER,
        refusal::STALE_EPOCH,
        refusal::EXCLUSIVE_SCALE,
        refusal::OPERATOR_ONLY,
        refusal::NODE_NAME_FORBIDDEN,
        refusal::MUCH_MEMORY,
    ];
    let mut unused = reasons.to_vec();
    for object in objects() {
        for validation in list(&object, "/spec/validations") {
            let message = ["message", "messageExpression"].map(|key| validation[key].as_str().unwrap_or_default());
            let message = message.concat();
            let (english, chinese) = message.split_once(" | ").unwrap();
            assert!(english.is_ascii() && !chinese.is_ascii(), "{message}");
            let reason = reasons.iter().find(|reason| english.contains(&format!("({reason})")));
            assert!(reason.is_some(), "no known reason in {message}");
            unused.retain(|unused| Some(unused) != reason);
        }
    }
    assert!(unused.is_empty(), "no policy gives {unused:?}");
}

/// A status field that the policy does not name could be written by any agent.
#[test]
fn every_status_field_is_closed_to_agents_or_their_own() {
    let objects = objects();
    let policy = objects
        .iter()
        .find(|o| o["kind"] == "ValidatingAdmissionPolicy" && o["metadata"]["name"] == "xiangyun-centre-rows")
        .unwrap();
    for (plural, own) in [
        ("datacenters", "report"),
        ("resourcerequests", "centres"),
        ("dualactiveplacements", "centres"),
    ] {
        let expressions: String = list(policy, "/spec/validations")
            .iter()
            .filter_map(|v| v["expression"].as_str())
            .filter(|e| e.contains(&format!("kind != \"{plural}\"")))
            .collect();
        let crd = crds::all()
            .into_iter()
            .find(|crd| crd.spec.names.plural == plural)
            .unwrap();
        let crd = serde_json::to_value(crd).unwrap();
        let status = &crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["status"]["properties"];
        for field in status.as_object().unwrap().keys().filter(|field| *field != own) {
            let old = format!("oldObject.?status.?{field}");
            assert!(
                expressions.contains(&old),
                "an agent may write status.{field} of {plural}"
            );
        }
    }
}

#[test]
fn every_policy_is_bound_and_fails_closed() {
    let objects = objects();
    for policy in objects
        .iter()
        .filter(|o| o["kind"].as_str().unwrap().ends_with("AdmissionPolicy"))
    {
        let name = &policy["metadata"]["name"];
        assert_eq!(policy["spec"]["failurePolicy"], "Fail", "{name}");
        let bindings = objects.iter().filter(|o| {
            o["kind"].as_str() == policy["kind"].as_str().map(|kind| format!("{kind}Binding")).as_deref()
                && o["spec"]["policyName"] == *name
        });
        assert_eq!(bindings.count(), 1, "{name}");
    }
}

/// An expression with the policy's variables written out, as far as they refer to each other.
fn written_out(policy: &Value, expression: &str) -> String {
    let variables = list(policy, "/spec/variables");
    variables.iter().rev().fold(expression.to_owned(), |text, variable| {
        let (name, value) = (
            variable["name"].as_str().unwrap(),
            variable["expression"].as_str().unwrap(),
        );
        text.replace(&format!("variables.{name}"), &format!("({value})"))
    })
}

/// What the policy says to a change of an accepted phase; nothing where it lets it pass.
fn refusal_of_phase(old: &Value, new: Option<&Value>) -> Option<String> {
    use kube::core::cel::{AdmissionRequest, VapEvaluator, VapExpression};
    let objects = objects();
    let policy = objects
        .iter()
        .find(|o| {
            let named = o.pointer("/metadata/name").and_then(Value::as_str) == Some("xiangyun-below-committed");
            named && o["kind"] == "ValidatingAdmissionPolicy"
        })
        .unwrap();
    let operation = if new.is_some() { "UPDATE" } else { "DELETE" };
    let mut evaluator = VapEvaluator::builder()
        .old_object(old.clone())
        .request(AdmissionRequest {
            operation: operation.to_owned(),
            ..AdmissionRequest::default()
        });
    if let Some(new) = new {
        evaluator = evaluator.object(new.clone());
    }
    let evaluator = evaluator.build();
    let expression = |v: &Value| VapExpression {
        expression: written_out(policy, v["expression"].as_str().unwrap()),
        message: v["message"].as_str().map(str::to_owned),
        message_expression: v["messageExpression"].as_str().map(|m| written_out(policy, m)),
    };
    let all = |pointer| list(policy, pointer).iter().map(expression).collect::<Vec<_>>();
    if evaluator
        .evaluate(&all("/spec/matchConditions"))
        .iter()
        .any(|r| !r.passed)
    {
        return None;
    }
    let refused = evaluator
        .evaluate(&all("/spec/validations"))
        .into_iter()
        .find(|r| !r.passed)?;
    Some(refused.message.unwrap_or_default())
}

/// Written out, the policy's expressions are too deep for the stack of a test.
#[test]
fn a_phase_is_not_lowered_below_what_is_committed() {
    let roomy = std::thread::Builder::new().stack_size(256 << 20);
    roomy.spawn(lowering_a_phase).unwrap().join().unwrap();
}

fn lowering_a_phase() {
    let phase = |stage: &str, cpu: &str| {
        serde_json::json!({"metadata": {"name": "phase-2", "generation": 3},
            "spec": {"stage": stage, "existing": false, "delivers": [
                {"pool": "x86", "centre": "jishi", "amounts": {"cpu": cpu, "memory": "4Ti"}},
                {"pool": "x86", "centre": "jiyidong", "amounts": {"cpu": "100"}}]},
            "status": {"observedGeneration": 3, "rows": [
                {"pool": "x86", "centre": "jishi", "committed": {"cpu": "66667m"}},
                {"pool": "x86", "centre": "jiyidong", "committed": {}}]}})
    };
    let (old, mut unseen, mut existing) = (
        phase("Accepted", "100"),
        phase("Accepted", "100"),
        phase("Accepted", "100"),
    );
    for passes in [
        phase("Accepted", "100"),
        phase("Accepted", "66667m"),
        phase("Accepted", "1000"),
    ] {
        assert_eq!(refusal_of_phase(&old, Some(&passes)), None);
    }
    let refused = |new: Option<&Value>, left: &str| {
        let said = refusal_of_phase(&old, new).unwrap();
        let words = format!("spec.delivers[x86@jishi].cpu: 66667m is committed, {left} would be left (BelowCommitted)");
        assert!(said.starts_with(&words), "{said}");
    };
    refused(Some(&phase("Accepted", "50")), "50");
    refused(Some(&phase("Delivered", "100")), "0");
    refused(None, "0");
    // Nothing rests on what does not count.
    assert_eq!(refusal_of_phase(&phase("Delivered", "100"), None), None);
    *existing.pointer_mut("/spec/existing").unwrap() = true.into();
    assert_eq!(refusal_of_phase(&existing, None), None);
    // What the operator has not looked at yet does not fall, but it may grow.
    *unseen.pointer_mut("/metadata/generation").unwrap() = 4.into();
    assert_eq!(refusal_of_phase(&unseen, Some(&phase("Accepted", "1000"))), None);
    let said = refusal_of_phase(&unseen, Some(&phase("Accepted", "90"))).unwrap();
    assert!(said.contains("has not yet said how much"), "{said}");
}
