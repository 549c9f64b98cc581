//! Examples of every CEL rule, one file a kind: read by the offline test here and by the scenario on a real API server.

use std::path::Path;

use serde_json::Value;

/// One rule with objects that it accepts and refuses.
pub struct Example {
    /// A part of the rule's message.
    pub rule: String,
    /// The object before the update; a creation without it.
    pub old: Option<Value>,
    /// Objects that no rule refuses.
    pub accepted: Vec<Value>,
    /// Objects that this rule refuses.
    pub refused: Vec<Value>,
}

/// The examples of the kind with that plural; none where it has no file.
///
/// A file has one valid `base` object. All others are JSON merge patches (RFC 7386) of it, so that an example shows
/// only what it is about; `accepted` is the base itself where it is left out.
pub fn read(plural: &str) -> Vec<Example> {
    let Some(file) = load(plural) else {
        return Vec::new();
    };
    let base = &file["base"];
    let patched = |patches: &Value| -> Vec<Value> {
        let patches = patches.as_array().expect("a list of patches");
        patches.iter().map(|patch| merged(base, patch)).collect()
    };
    let rules = file["rules"].as_array().expect("a list of rules");
    rules
        .iter()
        .map(|entry| Example {
            rule: entry["rule"].as_str().expect("rule").to_owned(),
            old: entry.get("old").map(|patch| merged(base, patch)),
            accepted: entry.get("accepted").map_or_else(|| vec![base.clone()], patched),
            refused: patched(&entry["refused"]),
        })
        .collect()
}

fn load(plural: &str) -> Option<Value> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crds/tests/rules");
    let text = std::fs::read_to_string(folder.join(format!("{plural}.yaml"))).ok()?;
    Some(serde_saphyr::from_str(&text).expect("examples are YAML"))
}

/// `base` with a JSON merge patch.
pub fn merged(base: &Value, patch: &Value) -> Value {
    let Some(changes) = patch.as_object() else {
        return patch.clone();
    };
    let mut out = base.as_object().cloned().unwrap_or_default();
    for (key, change) in changes {
        if change.is_null() {
            out.remove(key);
        } else {
            let below = out.get(key).cloned().unwrap_or_default();
            out.insert(key.clone(), merged(&below, change));
        }
    }
    Value::Object(out)
}
