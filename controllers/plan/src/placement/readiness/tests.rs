use proptest::prelude::*;
use serde_json::json;

use super::*;

fn lacks(ready: &str, message: Option<&str>, object: &Value) -> Option<String> {
    Policy::read(Some(ready), message).unwrap().lacks(object)
}

fn refused(ready: &str) -> String {
    Policy::read(Some(ready), None).unwrap_err()
}

fn widget(phase: &str) -> Value {
    json!({"metadata": {"generation": 3}, "spec": {"size": 2}, "status": {"phase": phase, "ready": 2,
        "conditions": [{"type": "Accepted", "status": "True"}, {"type": "Ready", "status": "False", "message": "no disk"}]}})
}

#[test]
fn ready_is_what_the_policy_says() {
    let object = widget("Ready");
    for ready in [
        "self.status.phase == 'Ready'",
        "self.status.ready >= self.spec.size",
        "self.status.conditions.exists(c, c.type == 'Accepted' && c.status == 'True')",
        "has(self.status.phase) && self.status.phase.startsWith('Re')",
        "self.status.conditions.filter(c, c.status == 'True').size() == 1",
        "self.status.phase.matches('^Rea')",
        "true",
    ] {
        assert_eq!(lacks(ready, None, &object), None, "{ready}");
    }
    let not = lacks("self.status.phase == 'Ready'", None, &widget("Starting"));
    assert_eq!(not.as_deref(), Some("it is not ready yet | 尚未就绪"));
    assert_eq!(Policy::default().lacks(&json!({})), None);
}

#[test]
fn a_missing_field_is_not_ready_and_the_message_is_the_policys() {
    let bare = json!({"metadata": {"generation": 1}, "spec": {}});
    let said = lacks("self.status.phase == 'Ready'", None, &bare).unwrap();
    assert_eq!(said, "it has no field status yet | 尚无字段 status");
    let message = "has(self.status) ? 'phase ' + self.status.phase : 'not looked at yet'";
    let of = |object: &Value| lacks("self.status.phase == 'Ready'", Some(message), object).unwrap();
    assert_eq!(of(&bare), "not ready: not looked at yet | 未就绪：not looked at yet");
    assert_eq!(
        of(&widget("Starting")),
        "not ready: phase Starting | 未就绪：phase Starting"
    );
    assert_eq!(
        lacks("false", Some("'no disk | 无磁盘'"), &bare).unwrap(),
        "no disk | 无磁盘"
    );
    // A message that fails says less, and the object is still not ready.
    let said = lacks("false", Some("self.nothing.here"), &bare).unwrap();
    assert!(said.contains("not ready yet"), "{said}");
}

#[test]
fn a_status_of_an_older_generation_does_not_count() {
    let mut object = widget("Ready");
    object["status"]["observedGeneration"] = json!(2);
    let said = lacks("self.status.phase == 'Ready'", None, &object).unwrap();
    assert!(said.contains("generation 2 of 3"), "{said}");
    object["status"]["observedGeneration"] = json!(3);
    assert_eq!(lacks("self.status.phase == 'Ready'", None, &object), None);
}

#[test]
fn an_error_is_told_in_words() {
    let object = widget("Ready");
    for (ready, words) in [
        ("self.status.phase", "answers string, not true or false"),
        ("self.status.ready / 0 == 1", "cannot be worked out"),
        ("self.status.phase > 3", "cannot be worked out"),
        ("nosuch(self)", "cannot be worked out"),
    ] {
        let said = lacks(ready, None, &object).unwrap();
        assert!(said.contains(words) && said.contains(" | "), "{ready}: {said}");
    }
}

#[test]
fn what_cannot_be_an_expression_is_refused_when_it_is_read() {
    let deep = format!("{}self.a{}", "(".repeat(400), ")".repeat(400));
    let long = format!("self.a == '{}'", "x".repeat(1100));
    let sum = format!("self.a{}", "+1".repeat(200));
    for (ready, words) in [
        ("self.status.phase ==", "ready: "),
        ("", "ready: "),
        (
            "object.status.phase == 'Ready'",
            "object is unknown; the object is called self",
        ),
        ("Foo{a: 1} == self", "are not known here"),
        (
            "self.a.all(x, self.a.all(y, self.a.all(z, x == z)))",
            "more than 2 loops",
        ),
        (deep.as_str(), "401 operators"),
        (sum.as_str(), "201 operators"),
        (long.as_str(), "at most 1024"),
    ] {
        let said = refused(ready);
        assert!(said.contains(words) && said.contains(" | "), "{ready:.40}: {said}");
    }
}

#[test]
fn a_large_object_costs_no_more_than_is_allowed() {
    let many: Vec<Value> = (0..5000).map(|n| json!({"n": n})).collect();
    let object = json!({"a": many});
    assert_eq!(lacks("self.a.all(x, x.n >= 0)", None, &object), None);
    let said = lacks("self.a.all(x, self.a.exists(y, y.n == x.n))", None, &object).unwrap();
    assert!(said.contains("steps on this object"), "{said}");
}

/// Anything that the grammar could be made of, in any order.
fn garbage() -> impl Strategy<Value = String> {
    let word = prop::sample::select(vec![
        "self",
        ".a",
        ".all(",
        "x,",
        "(",
        ")",
        "[",
        "]",
        "{",
        "}",
        "==",
        "&&",
        "||",
        "!",
        "?",
        ":",
        "'",
        "\"",
        "1",
        "1u",
        "0x",
        "-",
        "+",
        "/",
        "%",
        "0",
        ".map(",
        ".exists_one(",
        "has(",
        "size(",
        "null",
        "in",
        "é",
        "\\",
        "self.a.b",
        "9223372036854775807",
        "int(",
        "matches('",
        "[0]",
        "{'a': 1}",
        "optional.of(",
        ".?a",
        "1e999",
        "b'",
    ]);
    prop::collection::vec(word, 0..20).prop_map(|words| words.join(" "))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn garbage_is_refused_or_answered(text in garbage(), any in "\\PC{0,60}") {
        for text in [text, any] {
            if let Ok(policy) = Policy::read(Some(&text), Some(&text)) {
                let said = policy.lacks(&json!({"a": [1, 2, {"b": true}], "status": {}}));
                prop_assert!(said.is_none_or(|s| s.chars().count() < 500));
            }
        }
    }
}
