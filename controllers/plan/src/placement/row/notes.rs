//! What a row tells although everything that can be there is.

use std::collections::BTreeMap;

use crds::{PlacedObject, placement_reason as reason};

use super::super::message::all_of;
use super::{LONGEST, Part, Seen, Spot, State};

/// Objects that something else changes again and again, or of which another placement says what they are here.
pub(super) fn notes(part: &Part, fought: &BTreeMap<Spot, String>) -> Option<String> {
    let objects = part.assignment.objects.iter();
    let fights = objects.filter_map(|o| fought.get(&(part.namespace.clone(), o.clone())));
    let fights: Vec<String> = fights.cloned().collect();
    let means = (
        " again and again, and is put right each time; end what writes there, or set drift: Report",
        "，反复修改、反复纠正；请停止该写入方，或将 drift 设为 Report",
    );
    if fights.is_empty() {
        shared(part)
    } else {
        Some(all_of(&fights, means, LONGEST))
    }
}

/// Objects of which another placement says what they are here.
fn shared(part: &Part) -> Option<String> {
    let told = part
        .shared
        .iter()
        .map(|(object, owner)| format!("{object} stands here as dap/{owner} says | {object} 在此以 dap/{owner} 为准"));
    let told: Vec<String> = told.collect();
    let means = (
        "; overrides, drift and existing of this placement do not count for it",
        "，本部署的 overrides、drift、existing 对其不生效",
    );
    (!told.is_empty()).then(|| all_of(&told, means, LONGEST))
}

/// Whether nothing is in the way but kinds that this centre does not have: the copies of all else are as decided, and the
/// other centre need not wait for them. A kind that cannot be seen may stand here unknown.
pub(super) fn kinds_missing_alone(part: &Part, seen: &Seen<'_>) -> bool {
    let stands = |o: &PlacedObject| match seen.states.get(&(part.namespace.clone(), o.clone())) {
        Some(State::Done(_) | State::Failed(reason::DRIFTED, _)) => true,
        Some(State::Failed(reason::KIND_MISSING, _)) => !seen.forbidden.contains_key(&o.kind),
        _ => false,
    };
    part.here && part.refusal.is_none() && seen.left == 0 && part.assignment.objects.iter().all(stands)
}

#[cfg(test)]
mod tests {
    use crds::{Assignment, TemplateKind};

    use super::super::super::template::object;
    use super::*;

    #[test]
    fn what_is_put_right_again_and_again_is_noted() {
        let web = object(TemplateKind::Deployment, "web");
        let assignment = Assignment {
            objects: vec![web.clone()],
            ..Assignment::default()
        };
        let part = Part {
            assignment,
            namespace: "dept".to_owned(),
            shared: [(object(TemplateKind::ConfigMap, "map"), "first".to_owned())].into(),
            ..Part::default()
        };
        let words =
            "Deployment web: spec.replicas changed by kubectl | Deployment web：spec.replicas 已被 kubectl 修改";
        let in_namespace = |name: &str| notes(&part, &[((name.to_owned(), web.clone()), words.to_owned())].into());
        let said = in_namespace("dept").unwrap_or_default();
        let (en, zh) = said.split_once(" | ").unwrap();
        assert!(
            en.starts_with(
                "Deployment web: spec.replicas changed by kubectl again and again, and is put right each time; "
            ),
            "{said}"
        );
        assert!(
            zh.starts_with("Deployment web：spec.replicas 已被 kubectl 修改，反复修改、反复纠正"),
            "{said}"
        );
        let said = in_namespace("other").unwrap_or_default();
        assert!(said.starts_with("ConfigMap map stands here"), "{said}");
    }
}
