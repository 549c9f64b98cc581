//! Every CEL rule of every kind accepts its good examples and refuses its bad ones, without an API server.
//!
//! A rule counts at each field it guards: one without a refused example there fails the test. The same examples go to
//! a real API server in `tests/scenarios/admission.rs`.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "an assumption that fails is a test that fails"
)]

use std::collections::BTreeSet;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::core::cel::{ValidationError, ValidationErrors, Validator};
use serde_json::Value;

#[path = "rules/examples.rs"]
mod examples;

/// Kind, field without list indexes, message.
type Rule = (String, String, String);

fn schema(crd: &CustomResourceDefinition) -> Value {
    let crd = serde_json::to_value(crd).unwrap();
    crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"].clone()
}

fn collect(kind: &str, at: &str, schema: &Value, into: &mut BTreeSet<Rule>) {
    for rule in schema["x-kubernetes-validations"].as_array().into_iter().flatten() {
        let message = rule["message"].as_str().expect("every rule has a message");
        into.insert((kind.to_owned(), at.to_owned(), message.to_owned()));
    }
    for (name, below) in schema["properties"].as_object().into_iter().flatten() {
        let at = if at.is_empty() {
            name.clone()
        } else {
            format!("{at}.{name}")
        };
        collect(kind, &at, below, into);
    }
    if let Some(items) = schema.get("items") {
        collect(kind, &format!("{at}[]"), items, into);
    }
    if let Some(values) = schema.get("additionalProperties").filter(|s| s.is_object()) {
        collect(kind, &format!("{at}.*"), values, into);
    }
}

fn without_indexes(path: &str) -> String {
    path.split('[')
        .enumerate()
        .map(|(i, part)| {
            if i == 0 {
                part.to_owned()
            } else {
                format!("[{}", part.trim_start_matches(char::is_numeric))
            }
        })
        .collect()
}

fn errors(schema: &Value, object: &Value, old: Option<&Value>) -> Vec<ValidationError> {
    let outcome = Validator::new().validate(schema, object, old);
    outcome.err().map(ValidationErrors::into_vec).unwrap_or_default()
}

#[test]
fn every_rule_accepts_and_refuses_its_examples() {
    let mut rules = BTreeSet::new();
    let mut refused = BTreeSet::new();
    for crd in crds::all() {
        let kind = &crd.spec.names.kind;
        let schema = schema(&crd);
        collect(kind, "", &schema, &mut rules);
        for example in examples::read(&crd.spec.names.plural) {
            for object in example.old.iter().chain(&example.accepted) {
                let found = errors(&schema, object, None);
                assert!(found.is_empty(), "{kind}, {:?}: {found:#?}", example.rule);
            }
            for object in &example.accepted {
                let found = errors(&schema, object, example.old.as_ref());
                assert!(found.is_empty(), "{kind}, {:?}: {found:#?}", example.rule);
            }
            for object in &example.refused {
                let found = errors(&schema, object, example.old.as_ref());
                let ours: Vec<_> = found.iter().filter(|e| e.message.contains(&example.rule)).collect();
                assert!(
                    !ours.is_empty(),
                    "{kind}, {:?} accepts {object:#}: {found:#?}",
                    example.rule
                );
                for e in ours {
                    refused.insert((kind.clone(), without_indexes(&e.field_path), e.message.clone()));
                }
            }
        }
    }
    let missing: Vec<_> = rules.difference(&refused).collect();
    assert!(missing.is_empty(), "rules without a refused example: {missing:#?}");
    assert!(
        refused.is_subset(&rules),
        "a message that is no rule's: {:#?}",
        refused.difference(&rules)
    );
    assert!(rules.len() > 30, "only {} rules were found", rules.len());
}

#[test]
fn every_rule_speaks_both_languages() {
    let mut rules = BTreeSet::new();
    for crd in crds::all() {
        collect(&crd.spec.names.kind, "", &schema(&crd), &mut rules);
    }
    for (kind, at, message) in rules {
        let (english, chinese) = message.split_once(" | ").unwrap_or((&message, ""));
        assert!(english.is_ascii() && !chinese.is_ascii(), "{kind} {at}: {message}");
    }
}
