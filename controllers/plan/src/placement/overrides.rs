//! What differs in one centre: each override is tried on its template before anything is decided, and again by the agent.

use crds::{Override, PatchOp, PlacedObject, TemplateKind};
use json_patch::{AddOperation, Patch, PatchOperation, RemoveOperation, ReplaceOperation, jsonptr::PointerBuf};
use serde_json::{Value, json};

use super::template::pod_of;

/// What a patch may not touch: what the object is, whose it is, and what the placement decides itself.
const FIXED: [&str; 7] = [
    "/apiVersion",
    "/kind",
    "/metadata/name",
    "/metadata/namespace",
    "/metadata/ownerReferences",
    "/status",
    "/spec/replicas",
];
/// What a patch may change, but not replace or remove as a whole: some of it is ours.
const WHOLE: [&str; 4] = ["", "/metadata", "/metadata/labels", "/metadata/annotations"];
/// Keys of labels and annotations that are ours.
const OURS: &str = "xiangyun.io/";

/// Those of a list that are about one object in one centre, in their order.
pub fn concerning<'a>(all: &'a [Override], centre: &str, object: &PlacedObject) -> Vec<&'a Override> {
    all.iter()
        .filter(|o| o.concerns(centre, &object.kind, &object.name))
        .collect()
}

/// Fixed copies of a workload in a centre; the last word counts.
pub fn copies(all: &[Override], centre: &str, object: &PlacedObject) -> Option<i64> {
    let found = concerning(all, centre, object);
    found.iter().rev().find_map(|o| o.replicas).map(i64::from)
}

/// Makes of a template what it is in a centre.
///
/// # Errors
/// What does not apply and why, `English | 中文`; the value is then of no use.
pub fn apply(object: &PlacedObject, overrides: &[&Override], value: &mut Value) -> Result<(), String> {
    for one in overrides {
        containers(object, one, value)?;
        metadata(one, value)?;
        if let Some(class) = &one.storage_class {
            storage_class(object, class, value)?;
        }
        // Whether copies of a custom kind are divided is known to the decision alone.
        if one.replicas.is_some() && !object.kind.has_copies() && !object.kind.is_custom() {
            return Err(wrong(object, "replicas", "it has no copies", "无副本"));
        }
        patch(object, one, value)?;
    }
    Ok(())
}

fn wrong(object: &PlacedObject, field: &str, why: &str, zh: &str) -> String {
    format!("{field} does not apply to {object}: {why} | {object} 无法应用 {field}：{zh}")
}

/// Images, variables and arguments.
fn containers(object: &PlacedObject, one: &Override, value: &mut Value) -> Result<(), String> {
    let images = one
        .images
        .iter()
        .map(|i| (&i.container, "images", Part::Image(&i.image)));
    let env = one
        .env
        .iter()
        .map(|e| (&e.container, "env", Part::Env(&e.name, &e.value)));
    let args = one.args.iter().map(|a| (&a.container, "args", Part::Args(&a.args)));
    for (container, field, part) in images.chain(env).chain(args) {
        let Some(pod) = pod_of(&object.kind) else {
            return Err(wrong(object, field, "it has no pods", "不含容器组"));
        };
        let mut names = Vec::new();
        let mut found = false;
        for list in ["containers", "initContainers"] {
            let pointer = format!("{pod}/spec/{list}");
            let all = value.pointer_mut(&pointer).and_then(Value::as_array_mut);
            for candidate in all.into_iter().flatten() {
                let name = candidate
                    .get("name")
                    .and_then(Value::as_str)
                    .unwrap_or_default()
                    .to_owned();
                // Without a name all that serve are meant, not those that only prepare.
                if container.as_ref().map_or(list == "containers", |c| *c == name) {
                    part.set(candidate);
                    found = true;
                }
                names.push(name);
            }
        }
        if !found {
            let (asked, names) = (container.as_deref().unwrap_or("*"), names.join(", "));
            let why = format!("there is no container {asked}, there are: {names}");
            return Err(wrong(object, field, &why, &format!("没有容器 {asked}，现有：{names}")));
        }
    }
    Ok(())
}

/// What changes in a container.
enum Part<'a> {
    Image(&'a str),
    Env(&'a str, &'a str),
    Args(&'a [String]),
}

impl Part<'_> {
    fn set(&self, container: &mut Value) {
        let Some(fields) = container.as_object_mut() else {
            return;
        };
        match self {
            Self::Image(image) => drop(fields.insert("image".to_owned(), json!(image))),
            Self::Args(args) => drop(fields.insert("args".to_owned(), json!(args))),
            Self::Env(name, with) => {
                let all = fields.entry("env").or_insert_with(|| json!([]));
                let Some(all) = all.as_array_mut() else { return };
                let entry = json!({"name": name, "value": with});
                match all
                    .iter_mut()
                    .find(|e| e.get("name").and_then(Value::as_str) == Some(*name))
                {
                    Some(old) => *old = entry,
                    None => all.push(entry),
                }
            }
        }
    }
}

fn metadata(one: &Override, value: &mut Value) -> Result<(), String> {
    for (field, wanted) in [("labels", &one.labels), ("annotations", &one.annotations)] {
        if let Some(key) = wanted.keys().find(|k| k.starts_with(OURS)) {
            return Err(format!(
                "{field}: {key} is the platform's own; leave it out | {field}：{key} 为平台专用，请去除"
            ));
        }
        let Some(metadata) = value.pointer_mut("/metadata").and_then(Value::as_object_mut) else {
            continue;
        };
        if wanted.is_empty() {
            continue;
        }
        let all = metadata.entry(field).or_insert_with(|| json!({}));
        if let Some(all) = all.as_object_mut() {
            all.extend(wanted.iter().map(|(k, v)| (k.clone(), json!(v))));
        }
    }
    Ok(())
}

fn storage_class(object: &PlacedObject, class: &str, value: &mut Value) -> Result<(), String> {
    let set = |spec: &mut Value| {
        if let Some(spec) = spec.as_object_mut() {
            spec.insert("storageClassName".to_owned(), json!(class));
        }
    };
    let none = || wrong(object, "storageClass", "it claims no storage", "未申领存储");
    match &object.kind {
        TemplateKind::PersistentVolumeClaim => value.pointer_mut("/spec").map(set).ok_or_else(none),
        TemplateKind::StatefulSet => {
            let claims = value
                .pointer_mut("/spec/volumeClaimTemplates")
                .and_then(Value::as_array_mut);
            let claims = claims.filter(|c| !c.is_empty()).ok_or_else(none)?;
            claims.iter_mut().filter_map(|c| c.get_mut("spec")).for_each(set);
            Ok(())
        }
        _ => Err(none()),
    }
}

fn patch(object: &PlacedObject, one: &Override, value: &mut Value) -> Result<(), String> {
    for step in &one.json_patch {
        let path = step.path.as_str();
        let under = |fixed: &str| path == fixed || path.starts_with(&format!("{fixed}/"));
        if WHOLE.contains(&path) || FIXED.iter().any(|fixed| under(fixed)) || path.contains(&OURS.replace('/', "~1")) {
            return Err(wrong(
                object,
                path,
                "the placement decides it itself",
                "由双活部署决定，不可修改",
            ));
        }
        let pointer = PointerBuf::parse(path.to_owned())
            .map_err(|_| wrong(object, path, "it is no JSON pointer (RFC 6901)", "不是 JSON 指针"))?;
        // No rule of the definition can say this: CEL does not see a value of any type.
        if (step.op == PatchOp::Remove) == step.value.is_some() {
            return Err(wrong(
                object,
                path,
                "add and replace have a value, remove has none",
                "add、replace 须有 value，remove 不得有",
            ));
        }
        let with = step.value.clone().unwrap_or_default();
        let operation = match step.op {
            PatchOp::Add => PatchOperation::Add(AddOperation {
                path: pointer,
                value: with,
            }),
            PatchOp::Replace => PatchOperation::Replace(ReplaceOperation {
                path: pointer,
                value: with,
            }),
            PatchOp::Remove => PatchOperation::Remove(RemoveOperation { path: pointer }),
        };
        json_patch::patch(value, &Patch(vec![operation]))
            .map_err(|e| wrong(object, path, &e.kind.to_string(), "路径不存在或值不适用"))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::template::object;
    use super::*;

    fn web() -> Value {
        json!({"kind": "Deployment", "metadata": {"name": "web", "labels": {"app": "web"}}, "spec": {"replicas": 3,
            "template": {"spec": {"containers": [{"name": "c", "image": "a/c:1", "env": [{"name": "A", "value": "1"}]},
                {"name": "d", "image": "a/d:1"}]}}}})
    }

    fn tried(spec: &Value) -> Result<Value, String> {
        let mut all = json!({"centre": "b", "target": {"kind": "Deployment", "name": "web"}});
        all.as_object_mut().unwrap().extend(spec.as_object().unwrap().clone());
        let one: Override = serde_json::from_value(all).unwrap();
        let mut value = web();
        apply(&object(TemplateKind::Deployment, "web"), &[&one], &mut value).map(|()| value)
    }

    #[test]
    fn each_kind_changes_what_it_names_and_nothing_else() {
        let found = tried(&json!({"images": [{"container": "c", "image": "b/c:1"}],
            "env": [{"container": "c", "name": "A", "value": "2"}, {"name": "B", "value": "3"}],
            "args": [{"container": "d", "args": ["-x"]}], "labels": {"side": "b"}, "annotations": {"why": "b"},
            "jsonPatch": [{"op": "add", "path": "/spec/template/spec/priorityClassName", "value": "high"}]}));
        let expected = json!({"kind": "Deployment", "metadata": {"name": "web", "labels": {"app": "web", "side": "b"}, "annotations": {"why": "b"}},
            "spec": {"replicas": 3, "template": {"spec": {"priorityClassName": "high", "containers": [
                {"name": "c", "image": "b/c:1", "env": [{"name": "A", "value": "2"}, {"name": "B", "value": "3"}]},
                {"name": "d", "image": "a/d:1", "args": ["-x"], "env": [{"name": "B", "value": "3"}]}]}}}});
        assert_eq!(found, Ok(expected));
    }

    #[test]
    fn what_does_not_apply_says_where_and_what_there_is() {
        let refusals = [
            (
                json!({"images": [{"container": "x", "image": "b"}]}),
                "no container x, there are: c, d",
            ),
            (json!({"storageClass": "fast"}), "claims no storage"),
            (
                json!({"labels": {"xiangyun.io/placement": "other"}}),
                "the platform's own",
            ),
            (
                json!({"jsonPatch": [{"op": "replace", "path": "/spec/none/here", "value": 1}]}),
                "/spec/none/here",
            ),
            (
                json!({"jsonPatch": [{"op": "add", "path": "/spec/paused"}]}),
                "have a value",
            ),
            (
                json!({"jsonPatch": [{"op": "remove", "path": "/spec/paused"}]}),
                "/spec/paused",
            ),
            (
                json!({"jsonPatch": [{"op": "replace", "path": "/spec/replicas", "value": 9}]}),
                "decides it itself",
            ),
            (
                json!({"jsonPatch": [{"op": "remove", "path": "/metadata/labels/xiangyun.io~1placement"}]}),
                "decides it itself",
            ),
            (
                json!({"jsonPatch": [{"op": "replace", "path": "/metadata/labels", "value": {"app": "x"}}]}),
                "decides it itself",
            ),
            (
                json!({"jsonPatch": [{"op": "add", "path": "/metadata", "value": {"name": "web"}}]}),
                "decides it itself",
            ),
        ];
        for (spec, words) in refusals {
            let said = tried(&spec).unwrap_err();
            assert!(said.contains(words) && said.contains(" | "), "{spec}: {said}");
        }
    }

    #[test]
    fn a_target_without_a_name_is_every_template_of_the_kind() {
        let all: Vec<Override> = serde_json::from_value(json!([
            {"centre": "b", "target": {"kind": "Deployment"}, "replicas": 1},
            {"centre": "b", "target": {"kind": "Deployment", "name": "web"}, "replicas": 2}]))
        .unwrap();
        let of = |centre: &str, name: &str| copies(&all, centre, &object(TemplateKind::Deployment, name));
        assert_eq!(
            (of("b", "web"), of("b", "api"), of("a", "web")),
            (Some(2), Some(1), None)
        );
    }
}
