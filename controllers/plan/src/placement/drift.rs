//! Where an object in a centre differs from what was applied. Only our fields count: what others added is theirs.

use serde_json::Value;

/// Most paths that are told.
const TOLD: usize = 5;

/// The paths at which `is` differs from `wanted`; what `wanted` does not mention is not looked at.
pub fn paths(wanted: &Value, is: &Value) -> Vec<String> {
    let mut found = Vec::new();
    compare("", wanted, Some(is), &mut found);
    found.truncate(TOLD);
    found.sort();
    found
}

fn compare(at: &str, wanted: &Value, is: Option<&Value>, found: &mut Vec<String>) {
    if found.len() > TOLD {
        return;
    }
    match (wanted, is) {
        (Value::Object(wanted), Some(Value::Object(is))) => {
            for (key, value) in wanted {
                compare(&below(at, key), value, is.get(key), found);
            }
        }
        (Value::Array(wanted), Some(Value::Array(is))) => items(at, wanted, is, found),
        (wanted, None) if empty(wanted) => {}
        (wanted, Some(is)) if wanted == is => {}
        _ => found.push(at.to_owned()),
    }
}

fn empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Object(fields) => fields.is_empty(),
        Value::Array(items) => items.is_empty(),
        _ => false,
    }
}

fn below(at: &str, key: &str) -> String {
    if at.is_empty() {
        key.to_owned()
    } else {
        format!("{at}.{key}")
    }
}

/// Items with a name are found by it, as the API server merges them; others by their place.
fn items(at: &str, wanted: &[Value], is: &[Value], found: &mut Vec<String>) {
    let name = |v: &Value| v.get("name").and_then(Value::as_str).map(str::to_owned);
    let keys: Option<Vec<String>> = wanted.iter().map(name).collect();
    match keys {
        Some(keys) if !keys.is_empty() => {
            for (wanted, key) in wanted.iter().zip(keys) {
                let there = is.iter().find(|v| name(v).as_deref() == Some(&key));
                let at = format!("{at}[{key}]");
                match there {
                    Some(there) => compare(&at, wanted, Some(there), found),
                    None => found.push(at),
                }
            }
        }
        _ if wanted.len() == is.len() => {
            for (i, (wanted, is)) in wanted.iter().zip(is).enumerate() {
                compare(&format!("{at}[{i}]"), wanted, Some(is), found);
            }
        }
        _ => found.push(at.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_our_fields_count() {
        let wanted = json!({"metadata": {"labels": {"a": "b"}}, "spec": {"replicas": 3, "strategy": {},
            "containers": [{"name": "c", "image": "i:1", "env": [{"name": "X", "value": "1"}]}], "args": ["a", "b"]}});
        let is = json!({"metadata": {"labels": {"a": "b", "c": "d"}, "finalizers": ["theirs"]}, "spec": {"replicas": 3, "clusterIP": "x",
            "containers": [{"name": "sidecar"}, {"name": "c", "image": "i:1", "tty": true, "env": [{"name": "Y"}, {"name": "X", "value": "1"}]}],
            "args": ["a", "b"]}});
        assert!(paths(&wanted, &is).is_empty());
    }

    #[test]
    fn each_difference_has_its_path() {
        let wanted = json!({"spec": {"replicas": 3, "containers": [{"name": "c", "image": "i:1"}, {"name": "d"}], "args": ["a"]}});
        let is = json!({"spec": {"replicas": 9, "containers": [{"name": "c", "image": "i:2"}], "args": ["a", "b"]}});
        assert_eq!(
            paths(&wanted, &is),
            [
                "spec.args",
                "spec.containers[c].image",
                "spec.containers[d]",
                "spec.replicas"
            ]
        );
    }
}
