//! Where an object in a centre differs from what was applied. Only our fields count: what others added is theirs.

use std::collections::BTreeSet;

use crds::Amount;
use serde_json::Value;

/// Most paths that are told.
const TOLD: usize = 5;

/// Maps of texts, and fields of which the absence means something else than zero: the API server keeps a zero there, so
/// where it is missing somebody took it away.
const KEPT: [&str; 17] = [
    "data",
    "stringData",
    "labels",
    "annotations",
    "matchLabels",
    "nodeSelector",
    "selector",
    "allowPrivilegeEscalation",
    "automountServiceAccountToken",
    "fsGroup",
    "hostUsers",
    "maxUnavailable",
    "minAvailable",
    "runAsGroup",
    "runAsUser",
    "storageClassName",
    "tolerationSeconds",
];

/// The paths at which `is` differs from `wanted`; what `wanted` does not mention is not looked at.
pub fn paths(wanted: &Value, is: &Value) -> Vec<String> {
    let group = wanted.get("apiVersion").and_then(Value::as_str).unwrap_or_default();
    let group = group.split('/').next().unwrap_or_default();
    let mut found = Differences {
        // Of a custom kind the API server keeps every value as it is written.
        rewritten: !group.contains('.') || group.ends_with(".k8s.io"),
        paths: Vec::new(),
    };
    found.compare("", wanted, Some(is));
    let mut paths = found.paths;
    paths.sort();
    paths
}

/// The first of the paths, and how many more there are: in English, and in Chinese.
pub fn told(paths: &[String]) -> (String, String) {
    let first: Vec<&str> = paths.iter().take(TOLD).map(String::as_str).collect();
    let first = first.join(", ");
    match paths.len().saturating_sub(TOLD) {
        0 => (first.clone(), first),
        more => (
            format!("{first} and {more} more"),
            format!("{first} 等 {} 处", paths.len()),
        ),
    }
}

struct Differences {
    /// Whether the API server drops zeros and writes quantities in its own way.
    rewritten: bool,
    paths: Vec<String>,
}

impl Differences {
    fn compare(&mut self, at: &str, wanted: &Value, is: Option<&Value>) {
        match (wanted, is) {
            (Value::Object(wanted), Some(Value::Object(is))) => {
                for (key, value) in wanted {
                    self.compare(&below(at, key), value, is.get(key));
                }
            }
            (Value::Array(wanted), Some(Value::Array(is))) => self.items(at, wanted, is),
            (wanted, None) if empty(wanted) || (self.rewritten && zero(wanted) && !kept(at)) => {}
            (wanted, Some(is)) if wanted == is || (self.rewritten && same_quantity(at, wanted, is)) => {}
            _ => self.paths.push(at.to_owned()),
        }
    }

    /// Items with a name of their own are found by it, as the API server merges them; others by their place: one volume may
    /// be mounted at two paths, and one backend have two ports.
    fn items(&mut self, at: &str, wanted: &[Value], is: &[Value]) {
        let name = |v: &Value| v.get("name").and_then(Value::as_str).map(str::to_owned);
        let keys: Option<Vec<String>> = wanted.iter().map(name).collect();
        let own = |keys: &Vec<String>| keys.iter().collect::<BTreeSet<_>>().len() == keys.len();
        match keys.filter(own) {
            Some(keys) if !keys.is_empty() => {
                for (wanted, key) in wanted.iter().zip(keys) {
                    let there = is.iter().find(|v| name(v).as_deref() == Some(&key));
                    let at = format!("{at}[{key}]");
                    match there {
                        Some(there) => self.compare(&at, wanted, Some(there)),
                        None => self.paths.push(at),
                    }
                }
            }
            _ if wanted.len() == is.len() => {
                for (i, (wanted, is)) in wanted.iter().zip(is).enumerate() {
                    self.compare(&format!("{at}[{i}]"), wanted, Some(is));
                }
            }
            _ => self.paths.push(at.to_owned()),
        }
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

/// What the API server leaves out of most fields.
fn zero(value: &Value) -> bool {
    *value == false || *value == 0 || *value == ""
}

/// Whether a zero at that path is kept.
fn kept(at: &str) -> bool {
    at.split('.').any(|part| KEPT.contains(&part))
}

/// Whether both are the same amount where the API server has quantities: `1000m` is stored as `1`.
fn same_quantity(at: &str, wanted: &Value, is: &Value) -> bool {
    let ends = |all: &[&str]| all.iter().any(|end| at.ends_with(end));
    let resources = at.contains("resources.limits.") || at.contains("resources.requests.");
    // vCPU and what metrics are held against may be fractions.
    let unit = if ends(&[".averageValue", ".target.value"]) || (resources && ends(&[".cpu"])) {
        "cpu"
    } else if resources || ends(&[".sizeLimit"]) {
        "memory"
    } else {
        return false;
    };
    let amount = |value: &Value| {
        let amount: Amount = serde_json::from_value(value.clone()).ok()?;
        amount.parse(unit).ok()
    };
    amount(wanted).is_some_and(|wanted| amount(is) == Some(wanted))
}

fn below(at: &str, key: &str) -> String {
    if at.is_empty() {
        key.to_owned()
    } else {
        format!("{at}.{key}")
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

    #[test]
    fn the_first_five_are_told_and_the_number_of_the_others() {
        let data = |value: &str| {
            let keys = ('a'..='h').map(|key| (key.to_string(), json!(value)));
            json!({"data": keys.collect::<serde_json::Map<_, _>>()})
        };
        let all = paths(&data("1"), &data("2"));
        assert_eq!(all.len(), 8);
        let (en, zh) = told(&all);
        assert_eq!(en, "data.a, data.b, data.c, data.d, data.e and 3 more");
        assert_eq!(zh, "data.a, data.b, data.c, data.d, data.e 等 8 处");
        let five: Vec<String> = all.into_iter().take(5).collect();
        let (en, zh) = told(&five);
        assert_eq!((en.as_str(), &zh), ("data.a, data.b, data.c, data.d, data.e", &en));
    }

    #[test]
    fn items_that_share_a_name_are_compared_by_their_place() {
        let mounts = |second: &str| json!({"spec": {"volumeMounts": [{"name": "v", "mountPath": "/a"}, {"name": "v", "mountPath": second}]}});
        assert!(paths(&mounts("/b"), &mounts("/b")).is_empty());
        assert_eq!(paths(&mounts("/b"), &mounts("/c")), ["spec.volumeMounts[1].mountPath"]);
    }

    fn pod(container: &Value, spec: &Value) -> Value {
        let mut container = container.clone();
        container["name"] = json!("c");
        let mut spec = spec.clone();
        spec["containers"] = json!([container]);
        json!({"apiVersion": "apps/v1", "spec": {"template": {"spec": spec}}})
    }

    #[test]
    fn what_the_api_server_drops_is_no_difference() {
        let wanted = pod(
            &json!({"env": [{"name": "X", "value": ""}], "tty": false}),
            &json!({"hostNetwork": false, "automountServiceAccountToken": false}),
        );
        let is = |token: &Value| pod(&json!({"env": [{"name": "X"}]}), token);
        assert!(paths(&wanted, &is(&json!({"automountServiceAccountToken": false}))).is_empty());
        // By default pods get one.
        assert_eq!(
            paths(&wanted, &is(&json!({}))),
            ["spec.template.spec.automountServiceAccountToken"]
        );
        // What is there differs, and so does an entry that somebody took away.
        let yes = pod(&json!({"env": [{"name": "X", "value": "1"}]}), &json!({}));
        assert_eq!(
            paths(&pod(&json!({"env": [{"name": "X", "value": ""}]}), &json!({})), &yes),
            ["spec.template.spec.containers[c].env[X].value"]
        );
        assert_eq!(paths(&json!({"data": {"a": ""}}), &json!({"data": {}})), ["data.a"]);
        let widget = |spec: Value| json!({"apiVersion": "example.org/v1", "spec": spec});
        assert_eq!(paths(&widget(json!({"on": false})), &widget(json!({}))), ["spec.on"]);
    }

    #[test]
    fn quantities_are_compared_as_such() {
        let asks = |cpu: &Value, memory: &str| {
            pod(
                &json!({"resources": {"limits": {"cpu": cpu, "memory": memory}, "requests": {"cpu": cpu}}}),
                &json!({}),
            )
        };
        assert!(paths(&asks(&json!("1000m"), "1024Mi"), &asks(&json!("1"), "1Gi")).is_empty());
        assert!(paths(&asks(&json!(1), "1Gi"), &asks(&json!("1"), "1Gi")).is_empty());
        assert_eq!(
            paths(&asks(&json!("1000m"), "1Gi"), &asks(&json!("1001m"), "1Gi")).len(),
            2
        );
        let claim = |size: &str| json!({"apiVersion": "v1", "spec": {"resources": {"requests": {"storage": size}}}});
        assert!(paths(&claim("0.5Gi"), &claim("512Mi")).is_empty());
        // A text elsewhere is a text.
        let set = |v: &str| json!({"data": {"cpu": v}});
        assert_eq!(paths(&set("1000m"), &set("1")), ["data.cpu"]);
    }
}
