//! Exclusive placements in a centre: they run only under a right of the arbiter, and every object and pod of them says
//! under which.

use crds::{RightEpoch, TemplateKind, label};
use serde_json::{Value, json};

use super::centre::Spot;
use super::object::Here;

/// Node label that no node has: pods that select it run nowhere.
const NOWHERE: &str = "xiangyun.io/nowhere";

/// What a centre may do with an exclusive placement now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Held {
    /// Epoch of its right; without one the lowest at which it might run again.
    pub epoch: RightEpoch,
    /// Whether it may run.
    pub runs: bool,
    /// Whether that is not known yet, and cannot have become wrong meanwhile: what stands stays as it is.
    pub unknown: bool,
    /// Why not: reason and message.
    pub why: Option<(&'static str, String)>,
}

/// What is written on an object of an exclusive placement.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mark {
    /// Epoch of the right, on the object.
    pub epoch: RightEpoch,
    /// The same on its pods. Those of a Job that stands are as they were made.
    pub pods: RightEpoch,
    /// Whether it may run.
    pub runs: bool,
    /// Whether its pods run on nodes with a gate alone.
    pub gated: bool,
}

/// Whether objects of that kind run something, or may.
pub fn is_marked(kind: &TemplateKind) -> bool {
    kind.has_copies() || kind.is_job() || kind.is_custom() || *kind == TemplateKind::DaemonSet
}

/// How the record names an object that nobody is to scale by hand; `None` for one that cannot be scaled.
pub fn guard((namespace, object): &Spot) -> Option<String> {
    let address = object.kind.address().filter(|_| object.kind.has_copies())?;
    Some(format!("{namespace}.{}.{}", address.plural, object.name))
}

/// Marks the object and its pods, and stops it where it may not run.
pub(super) fn mark(kind: &TemplateKind, value: &mut Value, here: &Here) {
    let Some(mark) = here.exclusive.filter(|_| is_marked(kind)) else {
        return;
    };
    sign(value, &here.placement, mark.epoch);
    if kind.is_job() && mark.runs {
        // Said outright: it may have been stopped by another hand of ours.
        let suspended = value.pointer("/spec/suspend") == Some(&json!(true));
        put(value, &["spec"], "suspend", json!(suspended));
    }
    let template = match kind {
        TemplateKind::CronJob => "/spec/jobTemplate/spec/template",
        _ => "/spec/template",
    };
    if let Some(pods) = value.pointer_mut(template).filter(|pods| pods.is_object()) {
        sign(pods, &here.placement, mark.pods);
        let stands_still = *kind == TemplateKind::DaemonSet && !mark.runs;
        select(pods, mark.gated.then_some(label::GATE));
        select(pods, stands_still.then_some(NOWHERE));
    }
}

/// The epoch that is written on the pods of an object.
pub fn of_pods(value: &Value) -> Option<RightEpoch> {
    let annotations = value.pointer("/spec/template/metadata/annotations")?;
    annotations.get(label::RIGHT)?.as_str()?.parse().ok()
}

fn sign(value: &mut Value, placement: &str, epoch: RightEpoch) {
    put(value, &["metadata", "labels"], label::EXCLUSIVE, json!(placement));
    put(
        value,
        &["metadata", "annotations"],
        label::RIGHT,
        json!(epoch.to_string()),
    );
}

fn select(pods: &mut Value, node_label: Option<&str>) {
    if let Some(key) = node_label {
        put(pods, &["spec", "nodeSelector"], key, json!("true"));
    }
}

/// Puts a field below a path, which is made where it is missing.
fn put(value: &mut Value, path: &[&str], key: &str, with: Value) {
    let mut at = value;
    for step in path {
        let Some(fields) = at.as_object_mut() else { return };
        let below = fields.entry(*step).or_insert_with(|| json!({}));
        if below.is_null() {
            *below = json!({});
        }
        at = below;
    }
    if let Some(fields) = at.as_object_mut() {
        fields.insert(key.to_owned(), with);
    }
}

#[cfg(test)]
mod tests {
    use super::super::object::desired;
    use super::super::template::object;
    use super::*;

    fn here(runs: bool, kind: &TemplateKind) -> Here {
        let epoch = RightEpoch {
            incarnation: 1,
            counter: 7,
        };
        let mark = Mark {
            epoch,
            pods: epoch,
            runs,
            gated: true,
        };
        Here {
            namespace: "dept".to_owned(),
            placement: "exam".to_owned(),
            copies: kind.has_copies().then_some(if runs { 2 } else { 0 }),
            suspended: !runs,
            exclusive: Some(mark),
            ..Here::default()
        }
    }

    fn made(kind: TemplateKind, runs: bool) -> Value {
        let template = json!({"spec": {"replicas": 2, "template": {"metadata": null, "spec": {"containers": []}},
            "jobTemplate": {"spec": {"template": {"spec": {}}}}}});
        let here = here(runs, &kind);
        desired(&object(kind, "web"), &template, &here).unwrap()
    }

    #[test]
    fn object_and_pods_say_under_which_right_they_run() {
        let web = made(TemplateKind::Deployment, true);
        assert_eq!(web["spec"]["replicas"], 2);
        for at in ["/metadata", "/spec/template/metadata"] {
            let metadata = web.pointer(at).unwrap();
            assert_eq!(metadata["labels"][label::EXCLUSIVE], "exam", "{at}");
            assert_eq!(metadata["annotations"][label::RIGHT], "1.7", "{at}");
        }
        assert_eq!(
            web["spec"]["template"]["spec"]["nodeSelector"],
            json!({label::GATE: "true"})
        );
        let epoch = RightEpoch {
            incarnation: 1,
            counter: 7,
        };
        assert_eq!(of_pods(&web), Some(epoch));
        let map = made(TemplateKind::ConfigMap, true);
        assert!(map["metadata"]["labels"].get(label::EXCLUSIVE).is_none());
    }

    #[test]
    fn without_a_right_nothing_runs() {
        assert_eq!(made(TemplateKind::Deployment, false)["spec"]["replicas"], 0);
        assert_eq!(made(TemplateKind::Job, false)["spec"]["suspend"], true);
        assert_eq!(made(TemplateKind::Job, true)["spec"]["suspend"], false);
        let cron = made(TemplateKind::CronJob, false);
        assert_eq!(cron["spec"]["suspend"], true);
        let pods = &cron["spec"]["jobTemplate"]["spec"]["template"];
        assert_eq!(pods["metadata"]["annotations"][label::RIGHT], "1.7");
        let daemon = made(TemplateKind::DaemonSet, false);
        assert_eq!(daemon["spec"]["template"]["spec"]["nodeSelector"][NOWHERE], "true");
    }
}
