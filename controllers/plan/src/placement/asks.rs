//! What a template asks of the centres: the operator looks whether that fits, and its decision names what it looked at. An
//! agent that sees a template before the operator has does not follow one that asks for something else, so that nothing of
//! what is refused is applied anywhere. An image of the same architecture asks for nothing else: it stays one hop.

use std::collections::{BTreeMap, BTreeSet};

use crds::{CheckedTemplate, Override, PlacedObject, TemplateKind};
use serde_json::{Value, json};

use super::object::fingerprint;
use super::overrides;
use super::template::{self, Template};

/// Stands before every fingerprint; another one where they are made in another way.
const VERSION: &str = "1-";
/// What stands where an override does not apply: nobody accepts that.
const FAILS: &str = "!";

/// What one template asks for, as a version and sixteen digits; empty where it asks for nothing.
pub fn asks(kind: &TemplateKind, facts: &Template) -> String {
    let Template {
        each,
        architectures,
        pool,
        node,
        claims,
        copies,
        ..
    } = facts;
    let copies = (kind.has_copies() || kind.is_custom() || kind.is_job()).then_some(*copies);
    let bare = Template::default();
    let asks_nothing = *each == bare.each && architectures.is_none() && pool.is_none() && node.is_none();
    if asks_nothing && claims.is_empty() && copies.is_none() {
        return String::new();
    }
    let amounts = |all: &BTreeMap<String, i128>| -> Vec<[String; 2]> {
        all.iter().map(|(name, n)| [name.clone(), n.to_string()]).collect()
    };
    print(&json!({
        "cpu": each.cpu.to_string(),
        "memory": each.memory.to_string(),
        "extended": amounts(&each.extended),
        "architectures": architectures.as_ref().map(|(all, _)| all),
        "pool": pool,
        "node": node,
        "claims": amounts(claims),
        "copies": copies,
    }))
}

fn print(value: &Value) -> String {
    format!("{VERSION}{:016x}", fingerprint(value))
}

/// Whether a decision says what it looked at in a way that is known here. One of another version is followed: its operator
/// looks as well, and agents that could not read it would hold everything up until they are of that version too.
pub fn is_known(all: &[CheckedTemplate]) -> bool {
    all.iter().all(|checked| checked.asks.starts_with(VERSION))
}

/// The same in every centre: `there` has what the template is where an override concerns it, and nothing where that does not
/// apply.
fn everywhere<'a>(
    object: &PlacedObject,
    own: String,
    there: impl Iterator<Item = (&'a str, Option<&'a Template>)>,
) -> String {
    let each = there.map(|(centre, facts)| {
        let asks = facts.map_or_else(|| FAILS.to_owned(), |facts| asks(&object.kind, facts));
        (centre, asks)
    });
    let each: BTreeMap<&str, String> = each.filter(|(_, asks)| *asks != own).collect();
    if each.is_empty() {
        own
    } else {
        print(&json!([own, each]))
    }
}

/// What a template asks for in every centre, as the operator found it with the overrides of the placement.
pub fn found<'a>(
    object: &PlacedObject,
    facts: &Template,
    there: impl Iterator<Item = (&'a str, Option<&'a Template>)>,
) -> String {
    everywhere(object, asks(&object.kind, facts), there)
}

/// The same as an agent finds it. `own` is what it [`asks`] for without overrides.
pub fn tried(object: &PlacedObject, own: &str, template: &Value, all: &[Override]) -> String {
    let names: BTreeSet<&str> = all.iter().map(|o| o.centre.as_str()).collect();
    let there = names.into_iter().filter_map(|centre| {
        let mine = overrides::concerning(all, centre, object);
        if mine.is_empty() {
            return None;
        }
        let mut value = template.clone();
        let applied = overrides::apply(object, &mine, &mut value);
        Some((centre, applied.ok().map(|()| template::read(&object.kind, &value))))
    });
    let there: Vec<(&str, Option<Template>)> = there.collect();
    let there = there.iter().map(|(centre, facts)| (*centre, facts.as_ref()));
    everywhere(object, own.to_owned(), there)
}

/// How a decision says it; nothing where the template asks for nothing.
pub fn entry(object: &PlacedObject, asks: String) -> Option<CheckedTemplate> {
    (!asks.is_empty()).then(|| CheckedTemplate {
        kind: object.kind.clone(),
        name: object.name.clone(),
        asks,
    })
}

/// What a centre says of a template that asks for something else.
pub fn waits(object: &PlacedObject) -> String {
    format!(
        "{object} asks for something else than what was found to fit; what runs stays until the operator has looked, whose word is in the condition Ready | {object} 的副本、用量或约束已变化，待控制器核对（见 Ready 条件），已运行的不变"
    )
}

#[cfg(test)]
mod tests {
    use super::super::template::object;
    use super::*;

    fn web() -> PlacedObject {
        object(TemplateKind::Deployment, "web")
    }

    fn pods(image: &str, cpu: &str, copies: i64) -> Value {
        json!({"metadata": {"name": "web"}, "spec": {"replicas": copies, "template": {"spec": {"containers": [
            {"name": "c", "image": image, "resources": {"limits": {"cpu": cpu}}}]}}}})
    }

    fn of(value: &Value, overrides: &[Override]) -> String {
        let facts = template::read(&TemplateKind::Deployment, value);
        tried(&web(), &asks(&TemplateKind::Deployment, &facts), value, overrides)
    }

    fn in_b(what: &Value) -> Vec<Override> {
        let mut one = json!({"centre": "b", "target": {"kind": "Deployment", "name": "web"}});
        one.as_object_mut().unwrap().extend(what.as_object().unwrap().clone());
        vec![serde_json::from_value(one).unwrap()]
    }

    #[test]
    fn another_image_asks_for_nothing_else_and_another_size_does() {
        let before = of(&pods("web:1", "1", 2), &[]);
        assert_eq!(before, of(&pods("web:2", "1", 2), &[]));
        for other in [
            pods("web:1", "2", 2),
            pods("web:1-arm64", "1", 2),
            pods("web:1", "1", 3),
        ] {
            assert_ne!(before, of(&other, &[]), "{other}");
        }
        // Who says it does not count.
        assert_eq!(
            of(&pods("web:1-arm64", "1", 2), &[]),
            of(&pods("web:2-arm64", "1", 2), &[])
        );
        let map = object(TemplateKind::ConfigMap, "map");
        let facts = template::read(
            &TemplateKind::ConfigMap,
            &json!({"metadata": {"name": "map"}, "data": {"a": "b"}}),
        );
        assert_eq!(asks(&map.kind, &facts), "");
        assert_eq!(entry(&map, String::new()), None);
        let [known, other] = [before.as_str(), "2-0123"].map(|asks| entry(&map, asks.to_owned()));
        assert!(is_known(known.as_slice()) && is_known(&[]) && !is_known(other.as_slice()));
    }

    #[test]
    fn an_override_counts_and_so_does_one_that_fails() {
        let plain = pods("web:1", "1", 2);
        let image = in_b(&json!({"images": [{"container": "c", "image": "web:1-arm64"}]}));
        let argued = in_b(&json!({"args": [{"container": "c", "args": ["x"]}]}));
        let fails = in_b(&json!({"images": [{"container": "gone", "image": "web:1"}]}));
        let all = [Vec::new(), image, fails].map(|overrides| of(&plain, &overrides));
        assert!(all[0] != all[1] && all[1] != all[2] && all[0] != all[2]);
        // It changes nothing of what is asked for.
        assert_eq!(of(&plain, &argued), all[0]);
    }

    #[test]
    fn operator_and_agent_find_the_same() {
        let value = pods("web:1", "1", 2);
        let overrides = in_b(&json!({"images": [{"container": "c", "image": "web:1-arm64"}]}));
        let facts = template::read(&TemplateKind::Deployment, &value);
        let mut there = value.clone();
        overrides::apply(&web(), &overrides.iter().collect::<Vec<_>>(), &mut there).unwrap();
        let there = template::read(&TemplateKind::Deployment, &there);
        assert_eq!(
            found(&web(), &facts, [("b", Some(&there))].into_iter()),
            of(&value, &overrides)
        );
    }
}
