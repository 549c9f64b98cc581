//! Merge patches (RFC 7386). A merge keeps what it is not told to drop.

use serde_json::Value;

/// The patch that makes `new` of `old`: all of `new`, and null for what only `old` has.
pub fn merge_patch(old: &Value, mut new: Value) -> Value {
    if let (Some(before), Some(after)) = (old.as_object(), new.as_object_mut()) {
        for (name, value) in before {
            let replaced = after.remove(name).map_or(Value::Null, |new| merge_patch(value, new));
            after.insert(name.clone(), replaced);
        }
    }
    new
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_gone_is_dropped_at_any_depth() {
        let old = json!({"a": 1, "b": {"c": 2, "d": [1, 2]}, "e": {"f": 3}});
        let new = json!({"b": {"d": [3]}, "g": 4});
        let patch = merge_patch(&old, new);
        assert_eq!(patch, json!({"a": null, "b": {"c": null, "d": [3]}, "e": null, "g": 4}));
        assert_eq!(merge_patch(&Value::Null, json!({"a": 1})), json!({"a": 1}));
    }
}
