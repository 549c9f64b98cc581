//! What a template becomes in a centre: the same object without what belongs to the hub, with this centre's share.

use crds::{Override, PlacedObject, TemplateKind, label};
use serde_json::{Map, Value, json};

use super::{exclusive, overrides};

/// What a centre adds to a template.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Here {
    /// Namespace in the centre.
    pub namespace: String,
    /// The placement.
    pub placement: String,
    /// Copies of a workload.
    pub copies: Option<i64>,
    /// Copies that an autoscaler of this centre set; they are kept and not compared.
    pub scaled: Option<i64>,
    /// Whether an autoscaler of the same placement sets the copies.
    pub autoscaled: bool,
    /// Whether jobs stand still here.
    pub suspended: bool,
    /// What differs here.
    pub overrides: Vec<Override>,
    /// With a Job: uid of its template.
    pub template: Option<String>,
    /// With an exclusive placement, where an arbiter is: under which right.
    pub exclusive: Option<exclusive::Mark>,
}

impl Here {
    /// Leaves the copies to an autoscaler, where it has any to go by: it does nothing about an object without copies, so
    /// what starts or stops there is the decision's. `asked` is what the object asks for; `None` where it does not stand yet.
    pub fn scale(&mut self, asked: Option<i64>) {
        self.autoscaled = self.copies.is_some_and(|n| n > 0) && asked.is_none_or(|n| n > 0);
        self.scaled = asked.filter(|_| self.autoscaled);
    }
}

/// Annotations that a cluster writes for itself, or kubectl for its own memory.
const OF_A_CLUSTER: [&str; 7] = [
    "kubectl.kubernetes.io/last-applied-configuration",
    "deployment.kubernetes.io/",
    "pv.kubernetes.io/",
    "volume.kubernetes.io/",
    "volume.beta.kubernetes.io/",
    "batch.kubernetes.io/",
    "autoscaling.alpha.kubernetes.io/",
];

/// Labels that a cluster puts on the pods of a job.
const OF_A_JOB: [&str; 4] = [
    "controller-uid",
    "job-name",
    "batch.kubernetes.io/controller-uid",
    "batch.kubernetes.io/job-name",
];

/// The object to apply, without its mark.
///
/// # Errors
/// An override does not apply, `English | 中文`.
pub fn desired(object: &PlacedObject, template: &Value, here: &Here) -> Result<Value, String> {
    let mut value = placed(object, template, here);
    overrides::apply(object, &here.overrides.iter().collect::<Vec<_>>(), &mut value)?;
    share(&object.kind, &mut value, here);
    exclusive::mark(&object.kind, &mut value, here);
    without_nulls(&mut value);
    Ok(value)
}

/// Fingerprint of what is applied of a template in any centre, but for its number of copies. Contents of one fingerprint can
/// be made on purpose: it tells the versions of a template apart, and is nobody's promise.
pub fn revision(object: &PlacedObject, template: &Value) -> String {
    format!("{:016x}", fingerprint(&common(object, template)))
}

/// What is applied of a template in any centre, but for copies that every decision sets.
pub(super) fn common(object: &PlacedObject, template: &Value) -> Value {
    let mut value = placed(object, template, &Here::default());
    if object.kind.has_copies() {
        remove(&mut value, "/spec", &["replicas"]);
    }
    without_nulls(&mut value);
    value
}

fn placed(object: &PlacedObject, template: &Value, here: &Here) -> Value {
    let mut all = template.as_object().cloned().unwrap_or_default();
    all.remove("status");
    // A custom template says itself what it is.
    if let Some(resource) = object.kind.address().map(|a| a.resource()) {
        all.insert("apiVersion".to_owned(), json!(resource.api_version));
        all.insert("kind".to_owned(), json!(resource.kind));
    }
    all.insert("metadata".to_owned(), metadata(object, template, here));
    let mut value = Value::Object(all);
    own(&object.kind, &mut value);
    value
}

fn metadata(object: &PlacedObject, template: &Value, here: &Here) -> Value {
    let map = |pointer: &str| {
        template
            .pointer(pointer)
            .and_then(Value::as_object)
            .cloned()
            .unwrap_or_default()
    };
    let mut labels = map("/metadata/labels");
    labels.insert(label::PLACEMENT.to_owned(), json!(here.placement));
    let mut annotations = map("/metadata/annotations");
    let own = |key: &str| key == label::APPLIED || key == label::TEMPLATE;
    annotations.retain(|key, _| !OF_A_CLUSTER.iter().any(|of| key.starts_with(of)) && !own(key));
    annotations.extend(here.template.iter().map(|uid| (label::TEMPLATE.to_owned(), json!(uid))));
    let mut metadata = json!({"name": object.name, "namespace": here.namespace, "labels": labels});
    if let (Some(fields), false) = (metadata.as_object_mut(), annotations.is_empty()) {
        fields.insert("annotations".to_owned(), Value::Object(annotations));
    }
    metadata
}

fn remove(value: &mut Value, parent: &str, fields: &[&str]) {
    if let Some(parent) = value.pointer_mut(parent).and_then(Value::as_object_mut) {
        for field in fields {
            parent.remove(*field);
        }
    }
}

/// Takes away what each cluster sets for itself.
fn own(kind: &TemplateKind, value: &mut Value) {
    match kind {
        TemplateKind::Service => {
            let headless = value.pointer("/spec/clusterIP").and_then(Value::as_str) == Some("None");
            remove(value, "/spec", &["clusterIPs", "ipFamilies", "healthCheckNodePort"]);
            if !headless {
                remove(value, "/spec", &["clusterIP"]);
            }
            for port in value
                .pointer_mut("/spec/ports")
                .and_then(Value::as_array_mut)
                .into_iter()
                .flatten()
            {
                remove(port, "", &["nodePort"]);
            }
        }
        TemplateKind::PersistentVolumeClaim => remove(value, "/spec", &["volumeName"]),
        TemplateKind::ServiceAccount => remove(value, "", &["secrets"]),
        // Its template says how long it stands: one that removes itself when it has ended would be made again, and run again.
        TemplateKind::Job => {
            remove(value, "/spec", &["ttlSecondsAfterFinished"]);
            selected_by_the_cluster(value);
        }
        _ => {}
    }
}

/// Where nobody selects by hand, the cluster makes the selector of a Job and the labels that it goes by.
fn selected_by_the_cluster(value: &mut Value) {
    if value.pointer("/spec/manualSelector") != Some(&Value::Bool(true)) {
        remove(value, "/spec", &["selector"]);
        remove(value, "/spec/template/metadata/labels", &OF_A_JOB);
    }
}

/// This centre's part.
fn share(kind: &TemplateKind, value: &mut Value, here: &Here) {
    let mut set = |field: &str, with: Value| {
        if let Some(spec) = value.pointer_mut("/spec").and_then(Value::as_object_mut) {
            spec.insert(field.to_owned(), with);
        }
    };
    if (kind.has_copies() || kind.is_custom())
        && let Some(copies) = here.scaled.filter(|_| here.autoscaled).or(here.copies)
    {
        set("replicas", json!(copies));
    }
    if kind.is_job() && here.suspended {
        set("suspend", json!(true));
    }
}

fn without_nulls(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|_, v| !v.is_null());
            fields.values_mut().for_each(without_nulls);
        }
        Value::Array(items) => items.iter_mut().for_each(without_nulls),
        _ => {}
    }
}

/// The object with its mark: what was applied, in sixteen digits. Copies that an autoscaler sets are not part of it.
pub fn marked(mut value: Value, here: &Here) -> (Value, String) {
    let mark = format!("{:016x}", fingerprint(&compared(&value, here)));
    if let Some(metadata) = value.pointer_mut("/metadata").and_then(Value::as_object_mut) {
        let annotations = metadata
            .entry("annotations")
            .or_insert_with(|| Value::Object(Map::new()));
        if let Some(annotations) = annotations.as_object_mut() {
            annotations.insert(label::APPLIED.to_owned(), json!(mark));
        }
    }
    (value, mark)
}

/// The part of an object that is held against what stands in the centre.
pub fn compared(value: &Value, here: &Here) -> Value {
    let mut value = value.clone();
    if here.autoscaled {
        remove(&mut value, "/spec", &["replicas"]);
    }
    value
}

/// FNV-1a over the object, whatever the order of its keys.
pub(super) fn fingerprint(value: &Value) -> u64 {
    const START: u64 = 0xcbf2_9ce4_8422_2325;
    let mix = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    let text = |hash: u64, text: &str| text.bytes().chain([0]).fold(hash, mix);
    let number = |hash: u64, number: u64| number.to_le_bytes().into_iter().fold(hash, mix);
    match value {
        Value::Object(fields) => {
            let mut keys: Vec<&String> = fields.keys().collect();
            keys.sort();
            let field = |hash, key: &String| number(text(hash, key), fields.get(key).map_or(0, fingerprint));
            keys.into_iter().fold(mix(START, b'{'), field)
        }
        Value::Array(items) => items
            .iter()
            .fold(mix(START, b'['), |hash, item| number(hash, fingerprint(item))),
        plain => text(START, &plain.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::template::object;
    use super::*;

    fn here() -> Here {
        Here {
            namespace: "dept".to_owned(),
            placement: "p".to_owned(),
            ..Here::default()
        }
    }

    fn made(object: &PlacedObject, template: &Value, here: &Here) -> Value {
        desired(object, template, here).unwrap()
    }

    #[test]
    fn a_revision_is_the_content_without_copies() {
        let web = object(TemplateKind::Deployment, "web");
        let of = |replicas: i64, image: &str| {
            let status = json!({"metadata": {"resourceVersion": replicas.to_string(), "generation": replicas},
                "spec": {"replicas": replicas, "template": {"spec": {"image": image}}}, "status": {"replicas": replicas}});
            revision(&web, &status)
        };
        assert_eq!(of(2, "a"), of(3, "a"));
        assert_ne!(of(2, "a"), of(2, "b"));
    }

    #[test]
    fn a_service_keeps_no_address_of_the_hub() {
        let template = json!({"apiVersion": "v1", "kind": "Service",
            "metadata": {"name": "web", "uid": "u", "resourceVersion": "7", "labels": {"app": "web"},
                "annotations": {"kubectl.kubernetes.io/last-applied-configuration": "{}"}},
            "spec": {"clusterIP": "10.0.0.1", "clusterIPs": ["10.0.0.1"], "ports": [{"port": 80, "nodePort": 30080}]},
            "status": {"loadBalancer": {}}});
        let found = made(&object(TemplateKind::Service, "web"), &template, &here());
        let expected = json!({"apiVersion": "v1", "kind": "Service",
            "metadata": {"name": "web", "namespace": "dept", "labels": {"app": "web", "xiangyun.io/placement": "p"}},
            "spec": {"ports": [{"port": 80}]}});
        assert_eq!(found, expected);
        let headless = json!({"spec": {"clusterIP": "None", "clusterIPs": ["None"]}});
        let found = made(&object(TemplateKind::Service, "web"), &headless, &here());
        assert_eq!(found["spec"], json!({"clusterIP": "None"}));
    }

    #[test]
    fn copies_are_the_share_and_an_autoscaler_is_left_alone() {
        let web = object(TemplateKind::Deployment, "web");
        let template = json!({"spec": {"replicas": 7, "template": {"metadata": {"creationTimestamp": null}}}});
        let share = Here {
            copies: Some(3),
            ..here()
        };
        let (value, mark) = marked(made(&web, &template, &share), &share);
        assert_eq!(value["spec"]["replicas"], 3);
        assert_eq!(value["spec"]["template"]["metadata"], json!({}));
        assert_eq!(value["metadata"]["annotations"][label::APPLIED], json!(mark));
        let scaled = |n| Here {
            autoscaled: true,
            scaled: n,
            ..share.clone()
        };
        let first = marked(made(&web, &template, &scaled(None)), &scaled(None));
        let later = marked(made(&web, &template, &scaled(Some(9))), &scaled(Some(9)));
        assert_eq!(
            (&first.0["spec"]["replicas"], &later.0["spec"]["replicas"]),
            (&json!(3), &json!(9))
        );
        assert_eq!(first.1, later.1);
        assert_ne!(first.1, mark);
    }

    /// A standby at none is started by the decision, and one that was left behind is stopped by it.
    #[test]
    fn an_autoscaler_neither_starts_nor_stops() {
        let web = object(TemplateKind::Deployment, "web");
        let copies = |copies, asked| {
            let mut share = Here {
                copies: Some(copies),
                ..here()
            };
            share.scale(asked);
            made(&web, &json!({"spec": {"replicas": 7}}), &share)["spec"]["replicas"].clone()
        };
        assert_eq!(copies(3, Some(5)), 5);
        assert_eq!(copies(3, None), 3);
        assert_eq!(copies(3, Some(0)), 3, "promoted");
        assert_eq!(copies(0, Some(5)), 0, "left behind");
        assert_eq!(copies(0, None), 0);
    }

    #[test]
    fn a_custom_object_is_what_its_template_says() {
        let widget = object(TemplateKind::custom("Widget", "example.org"), "blue");
        let template = json!({"apiVersion": "example.org/v1", "kind": "Widget", "metadata": {"name": "blue", "uid": "u", "namespace": "hub"},
            "spec": {"replicas": 5, "colour": "blue"}, "status": {"phase": "Ready"}});
        let whole = made(&widget, &template, &here());
        let expected = json!({"apiVersion": "example.org/v1", "kind": "Widget",
            "metadata": {"name": "blue", "namespace": "dept", "labels": {"xiangyun.io/placement": "p"}},
            "spec": {"replicas": 5, "colour": "blue"}});
        assert_eq!(whole, expected);
        let part = Here {
            copies: Some(2),
            ..here()
        };
        assert_eq!(made(&widget, &template, &part)["spec"]["replicas"], 2);
    }

    #[test]
    fn a_mark_is_of_the_content() {
        let of = |text: &str| fingerprint(&serde_json::from_str(text).unwrap());
        assert_eq!(of(r#"{"a": 1, "b": [1, 2]}"#), of(r#"{"b": [1, 2], "a": 1}"#));
        assert_ne!(of(r#"{"a": [1, 2]}"#), of(r#"{"a": [2, 1]}"#));
        assert_ne!(of(r#"{"a": {"b": 1}}"#), of(r#"{"a": 1, "b": 1}"#));
    }

    #[test]
    fn jobs_stand_still_where_they_do_not_run() {
        let job = object(TemplateKind::Job, "j");
        let template = json!({"spec": {"selector": {"matchLabels": {"controller-uid": "u"}},
            "template": {"metadata": {"labels": {"controller-uid": "u", "a": "b"}}}}});
        let found = made(
            &job,
            &template,
            &Here {
                suspended: true,
                ..here()
            },
        );
        assert_eq!(
            found["spec"],
            json!({"suspend": true, "template": {"metadata": {"labels": {"a": "b"}}}})
        );
    }

    /// One that removes itself would be made again, and run again; of which template it is made is written on it.
    #[test]
    fn a_job_stands_as_long_as_its_template() {
        let job = object(TemplateKind::Job, "j");
        let annotations = json!({"a": "b", label::TEMPLATE: "forged"});
        let template =
            json!({"metadata": {"annotations": annotations}, "spec": {"ttlSecondsAfterFinished": 0, "completions": 2}});
        let share = Here {
            template: Some("u1".to_owned()),
            ..here()
        };
        let found = made(&job, &template, &share);
        assert_eq!(found["spec"], json!({"completions": 2}));
        assert_eq!(
            found["metadata"]["annotations"],
            json!({"a": "b", label::TEMPLATE: "u1"})
        );
        assert_eq!(
            made(&job, &template, &here())["metadata"]["annotations"],
            json!({"a": "b"})
        );
    }
}
