//! What a person of a member cloud confirms: a decision together with the content of its templates, so that nothing else
//! is carried out than what was shown.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crds::{Assignment, DataCenter, DualActivePlacement, PlacedObject, TemplateKind, label};
use serde_json::{Value, json};

use super::centre::{Part, Source, source};
use super::decide::key;
use super::object::{fingerprint, revision};
use super::template::Key;
use crate::centre::stage::{Stage, Withheld};

/// By template: the fingerprint of its content.
pub type Contents = BTreeMap<Key, String>;

/// Fingerprint of a template of any kind: other words are another content. A Secret counts by its version in the hub, so that
/// nobody can try what may be in it against a name that many read.
pub fn content(kind: &TemplateKind, template: &Value) -> String {
    let text = |pointer: &str| template.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    if *kind == TemplateKind::Secret {
        return format!("{}/{}", text("/metadata/uid"), text("/metadata/resourceVersion"));
    }
    let name = text("/metadata/name").to_owned();
    let object = PlacedObject {
        kind: kind.clone(),
        name,
    };
    revision(&object, template)
}

/// The name of a decision with its content: `3-9f2c01ab`. It changes with either, and with leave to take over what is there.
pub fn named(placement: &DualActivePlacement, assignment: &Assignment, centre: &str, contents: &Contents) -> String {
    let (tenant, _) = key(placement);
    let content = |object: &PlacedObject| match source(assignment, centre, object) {
        Source::Template => contents
            .get(&(tenant.clone(), object.clone()))
            .cloned()
            .unwrap_or_default(),
        Source::Revision(revision) => revision,
        Source::Later => String::new(),
    };
    let objects = assignment.objects.iter().map(|o| json!([o.kind, o.name, content(o)]));
    let all = json!([objects.collect::<Vec<_>>(), placement.spec.existing, assignment.leaving]);
    // Half of it is enough to tell two contents apart, and can be read aloud.
    format!("{}-{:08x}", assignment.number, fingerprint(&all) >> 32)
}

/// The name that a person of the member cloud confirmed last.
pub fn said<'a>(placement: &'a DualActivePlacement, centre: &str) -> Option<&'a str> {
    let all = placement.metadata.annotations.as_ref()?;
    all.get(&format!("{}{centre}", label::CONFIRMED)).map(String::as_str)
}

/// Whether somebody confirmed it, or it was carried out before anybody had to.
pub fn confirmed(placement: &DualActivePlacement, centre: &str, name: &str) -> bool {
    let runs = placement.row(centre).and_then(|r| r.content.as_deref());
    said(placement, centre) == Some(name) || runs == Some(name)
}

/// Namespaces of the centre in which a person confirmed a placement of their tenant: its decision and content as they are
/// now, or as they run there under that decision. `parts` are what the agent made of the decisions; of one that changed since
/// nothing is known yet. What was carried out before anybody had to confirm does not count: a quota that would change
/// without a person's word stays.
pub fn namespaces(
    centre: &str,
    placements: &[Arc<DualActivePlacement>],
    parts: &BTreeMap<(String, String), Part>,
) -> BTreeSet<String> {
    let holds = |placement: &Arc<DualActivePlacement>| {
        let (part, said) = (parts.get(&key(placement))?, said(placement, centre)?);
        let current = part.here && placement.assignment() == Some(&part.assignment);
        let runs = format!("{}-", part.assignment.number);
        let runs = placement
            .row(centre)
            .and_then(|r| r.content.as_deref().filter(|c| c.starts_with(&runs)));
        let shown = part.content.as_deref() == Some(said) || runs == Some(said);
        (current && shown).then(|| part.namespace.clone())
    };
    placements.iter().filter_map(holds).collect()
}

/// By member cloud: placements that wait for the word of one of its people; zero where none does.
pub fn waiting(centres: &[Arc<DataCenter>], placements: &[Arc<DualActivePlacement>]) -> BTreeMap<String, usize> {
    let member = |c: &&Arc<DataCenter>| Stage::of(c) != Stage::Own;
    let names = centres
        .iter()
        .filter(member)
        .filter_map(|c| Some((c.metadata.name.clone()?, 0)));
    let mut out: BTreeMap<String, usize> = names.collect();
    let rows = placements.iter().flat_map(|p| p.rows());
    for row in rows.filter(|r| r.confirm.is_some()) {
        out.entry(row.name.clone()).and_modify(|n| *n += 1);
    }
    out
}

/// Why a decision of a member cloud is not carried out.
pub fn words(
    withheld: Withheld,
    placement: &DualActivePlacement,
    assignment: &Assignment,
    centre: &str,
    name: &str,
) -> String {
    let number = assignment.number;
    match withheld {
        Withheld::Unconfirmed => question(placement, assignment, centre, name),
        Withheld::Observed => format!(
            "{centre} is a member at stage Observed: decision {number} is not carried out, what runs there goes on; set spec.member.stage of dcn/{centre} to go on | {centre} 为 Observed 阶段的成员云：第 {number} 号分派不落实，已运行的不变；如需继续请提升 dcn/{centre} 的 stage"
        ),
    }
}

/// How a person of the member cloud confirms that name.
pub fn command(placement: &DualActivePlacement, centre: &str, name: &str) -> String {
    let ((tenant, placed), confirmed) = (key(placement), label::CONFIRMED);
    format!("kubectl annotate dap/{placed} -n {tenant} {confirmed}{centre}={name} --overwrite")
}

/// What waits for a person, in words.
fn question(placement: &DualActivePlacement, assignment: &Assignment, centre: &str, name: &str) -> String {
    let mine = assignment.centre(centre);
    let (what_en, what_zh) = match mine.filter(|_| assignment.leaving.is_none()) {
        None => ("takes away all of it".to_owned(), "全部移除".to_owned()),
        Some(mine) => {
            let mut kinds: BTreeMap<&str, usize> = BTreeMap::new();
            for object in &assignment.objects {
                *kinds.entry(object.kind.name()).or_default() += 1;
            }
            let kinds: Vec<String> = kinds.iter().map(|(kind, n)| format!("{n} {kind}")).collect();
            let (kinds, copies) = (kinds.join(", "), mine.copies.iter().map(|w| w.copies).sum::<i64>());
            (
                format!("applies {kinds}; {copies} copies"),
                format!("{kinds}，共 {copies} 副本"),
            )
        }
    };
    let number = assignment.number;
    let command = command(placement, centre, name);
    format!(
        "decision {number} waits for a person of {centre}; it {what_en}; what runs stays; to confirm: {command} | 第 {number} 号分派待 {centre} 人员确认：{what_zh}；已运行的不变；确认命令同左"
    )
}

#[cfg(test)]
mod tests {
    use crds::{CentreAssignment, DualActivePlacementStatus, PlacementRow, WorkloadCopies};

    use super::super::template::object;
    use super::*;

    fn web() -> PlacedObject {
        object(TemplateKind::Deployment, "web")
    }

    fn placement() -> (DualActivePlacement, Assignment) {
        let text = r#"{"displayName": "p", "pool": "x86", "mode": "ActiveActive", "select": {"matchLabels": {"a": "b"}}, "centres": [{"name": "yanbian"}]}"#;
        let mut placement = DualActivePlacement::new("p", serde_json::from_str(text).unwrap());
        placement.metadata.namespace = Some("dept".to_owned());
        let copies = WorkloadCopies {
            kind: TemplateKind::Deployment,
            name: "web".into(),
            copies: 3,
        };
        let centre = CentreAssignment {
            name: "yanbian".into(),
            copies: vec![copies],
            jobs: true,
        };
        let assignment = Assignment {
            number: 7,
            objects: vec![web()],
            centres: vec![centre],
            ..Assignment::default()
        };
        placement.status = Some(DualActivePlacementStatus {
            assignment: Some(assignment.clone()),
            ..DualActivePlacementStatus::default()
        });
        (placement, assignment)
    }

    fn contents(of_web: &str) -> Contents {
        [(("dept".to_owned(), web()), of_web.to_owned())].into()
    }

    fn annotate(placement: &mut DualActivePlacement, value: &str) {
        let annotation = (format!("{}yanbian", label::CONFIRMED), value.to_owned());
        placement.metadata.annotations = Some([annotation].into());
    }

    #[test]
    fn a_confirmation_is_of_one_decision_with_one_content() {
        let (mut placement, assignment) = placement();
        let name = |p: &DualActivePlacement, a: &Assignment, of: &str| named(p, a, "yanbian", &contents(of));
        let shown = name(&placement, &assignment, "one");
        annotate(&mut placement, &shown);
        assert!(confirmed(&placement, "yanbian", &shown));
        assert!(!confirmed(&placement, "tonghua", &shown), "of another cloud");
        assert!(
            !confirmed(&placement, "yanbian", &name(&placement, &assignment, "two")),
            "another image"
        );
        let newer = Assignment {
            number: 8,
            ..assignment.clone()
        };
        assert!(!confirmed(&placement, "yanbian", &name(&placement, &newer, "one")));
        // Taken up by a newer leadership it is the same decision.
        let later = Assignment {
            epoch: 9,
            ..assignment.clone()
        };
        assert_eq!(name(&placement, &later, "one"), shown);
        placement.spec.existing = crds::Existing::TakeOver;
        assert_ne!(name(&placement, &assignment, "one"), shown, "it may take over now");
    }

    fn part(assignment: &Assignment, content: &str) -> BTreeMap<(String, String), Part> {
        let part = Part {
            assignment: assignment.clone(),
            namespace: "dept-x86".to_owned(),
            here: true,
            content: Some(content.to_owned()),
            ..Part::default()
        };
        [(("dept".to_owned(), "p".to_owned()), part)].into()
    }

    fn runs(placement: &mut DualActivePlacement, content: &str) {
        let row = PlacementRow {
            name: "yanbian".into(),
            content: Some(content.to_owned()),
            ..PlacementRow::default()
        };
        placement.status.as_mut().unwrap().centres = vec![row];
    }

    #[test]
    fn what_was_carried_out_needs_nobody() {
        let (mut placement, assignment) = placement();
        let shown = named(&placement, &assignment, "yanbian", &contents("one"));
        runs(&mut placement, &shown);
        assert!(confirmed(&placement, "yanbian", &shown));
        let parts = part(&assignment, &shown);
        let open = |p: &DualActivePlacement| namespaces("yanbian", &[Arc::new(p.clone())], &parts);
        assert!(open(&placement).is_empty(), "its quota needs somebody");
        annotate(&mut placement, &shown);
        assert_eq!(open(&placement), ["dept-x86".to_owned()].into());
    }

    /// Whatever its kind, another content is another question.
    #[test]
    fn content_of_every_kind_counts() {
        let all = TemplateKind::ALL
            .into_iter()
            .chain([TemplateKind::custom("Database", "example.org")]);
        for kind in all {
            let of = |value: i64, version: &str| {
                let metadata = json!({"name": "a", "uid": "u", "resourceVersion": version});
                content(
                    &kind,
                    &json!({"metadata": metadata, "spec": {"a": value}, "data": {"a": value}}),
                )
            };
            assert_ne!(of(1, "7"), of(2, "8"), "{kind:?}");
            // What the hub writes beside the content is nobody's question.
            assert_eq!(of(1, "7") == of(1, "8"), kind != TemplateKind::Secret, "{kind:?}");
        }
        let secret = json!({"metadata": {"uid": "u", "resourceVersion": "7"}, "data": {"a": "b"}});
        assert_eq!(content(&TemplateKind::Secret, &secret), "u/7");
    }

    /// The number alone opens nothing: a person confirms what was shown.
    #[test]
    fn a_namespace_opens_with_what_was_shown() {
        let (mut placement, assignment) = placement();
        let [one, two] = ["one", "two"].map(|of| named(&placement, &assignment, "yanbian", &contents(of)));
        let open =
            |p: &DualActivePlacement, parts: &BTreeMap<_, _>| namespaces("yanbian", &[Arc::new(p.clone())], parts);
        annotate(&mut placement, &one);
        assert_eq!(open(&placement, &part(&assignment, &one)).len(), 1);
        // Another content since, and nothing runs yet.
        assert!(open(&placement, &part(&assignment, &two)).is_empty());
        // What was confirmed runs, and another content waits: the tenant is there.
        runs(&mut placement, &one);
        assert_eq!(open(&placement, &part(&assignment, &two)).len(), 1);
        let newer = Assignment {
            number: 8,
            ..assignment.clone()
        };
        assert!(open(&placement, &part(&newer, &one)).is_empty(), "not looked at yet");
        placement.status.as_mut().unwrap().assignment = Some(newer.clone());
        assert!(open(&placement, &part(&newer, "8-0")).is_empty(), "another decision");
        assert!(open(&placement, &BTreeMap::new()).is_empty());
    }

    #[test]
    fn what_waits_is_counted_by_member() {
        let centre = |name: &str, spec: serde_json::Value| {
            let mut all = json!({"displayName": "x", "operator": "x"});
            all.as_object_mut().unwrap().extend(spec.as_object().unwrap().clone());
            Arc::new(DataCenter::new(name, serde_json::from_value(all).unwrap()))
        };
        let member = || json!({"role": "Member", "member": {"type": "City", "stage": "Advised"}});
        let centres = [
            centre("yanbian", member()),
            centre("tonghua", member()),
            centre("jishi", json!({"role": "Primary"})),
        ];
        let (mut placement, _) = placement();
        let row = |name: &str| PlacementRow {
            name: name.into(),
            confirm: Some("7-0".to_owned()),
            ..PlacementRow::default()
        };
        placement.status.as_mut().unwrap().centres = vec![row("yanbian"), row("gone")];
        let found = waiting(&centres, &[Arc::new(placement)]);
        assert_eq!(found, [("yanbian".to_owned(), 1), ("tonghua".to_owned(), 0)].into());
        assert!(waiting(&centres[2..], &[]).is_empty());
    }

    #[test]
    fn the_question_has_the_numbers_and_the_command() {
        let (placement, assignment) = placement();
        let text = question(&placement, &assignment, "yanbian", "7-0123abcd");
        assert!(text.contains("applies 1 Deployment; 3 copies"), "{text}");
        assert!(
            text.contains("annotate dap/p -n dept confirmed.xiangyun.io/yanbian=7-0123abcd"),
            "{text}"
        );
        let leaving = Assignment {
            leaving: Some(crds::Removal::Delete),
            ..assignment
        };
        assert!(question(&placement, &leaving, "yanbian", "8-1").contains("takes away"));
    }
}
