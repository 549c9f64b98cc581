//! What a person of a member cloud confirms: a decision together with the content of its templates, so that nothing else
//! is carried out than what was shown.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crds::{Assignment, DualActivePlacement, PlacedObject, PlacementRow, label};
use serde_json::json;

use super::centre::{Source, source};
use super::decide::key;
use super::object::fingerprint;
use super::template::Key;
use crate::centre::catalogue::Catalogue;
use crate::centre::stage::Withheld;

/// By template: the fingerprint of its content.
pub type Contents = BTreeMap<Key, String>;

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

fn annotation<'a>(placement: &'a DualActivePlacement, centre: &str) -> Option<&'a str> {
    let all = placement.metadata.annotations.as_ref()?;
    all.get(&format!("{}{centre}", label::CONFIRMED)).map(String::as_str)
}

/// Whether somebody confirmed it, or it was carried out before anybody had to.
pub fn confirmed(placement: &DualActivePlacement, centre: &str, name: &str) -> bool {
    let rows = placement.status.iter().flat_map(|s| &s.centres);
    let mine = |r: &&PlacementRow| r.name == centre;
    annotation(placement, centre) == Some(name) || rows.filter(mine).any(|r| r.content.as_deref() == Some(name))
}

/// Namespaces of the centre in which a person confirmed the decision that holds. What was carried out before anybody had
/// to does not count: a quota that would change without a person's word stays.
pub fn namespaces(centre: &str, placements: &[Arc<DualActivePlacement>], catalogue: &Catalogue) -> BTreeSet<String> {
    let holds = |placement: &Arc<DualActivePlacement>| {
        let assignment = placement.assignment()?;
        let (number, _) = annotation(placement, centre)?.split_once('-')?;
        let here = assignment.centre(centre).is_some() && assignment.leaving.is_none();
        let holds = here && number == assignment.number.to_string();
        holds.then(|| catalogue.namespace(&key(placement).0, &placement.spec.pool))
    };
    placements.iter().filter_map(holds).collect()
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

/// What waits for a person, in words.
fn question(placement: &DualActivePlacement, assignment: &Assignment, centre: &str, name: &str) -> String {
    let (tenant, placed) = key(placement);
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
    let command = format!(
        "kubectl annotate dap/{placed} -n {tenant} {}{centre}={name} --overwrite",
        label::CONFIRMED
    );
    format!(
        "decision {number} waits for a person of {centre}; it {what_en}; what runs stays; to confirm: {command} | 第 {number} 号分派待 {centre} 人员确认：{what_zh}；已运行的不变；确认命令同左"
    )
}

#[cfg(test)]
mod tests {
    use crds::{CentreAssignment, DualActivePlacementStatus, TemplateKind, WorkloadCopies};

    use super::super::template::object;
    use super::*;
    use crate::centre::testing::catalogue;

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

    #[test]
    fn what_was_carried_out_needs_nobody() {
        let (mut placement, assignment) = placement();
        let shown = named(&placement, &assignment, "yanbian", &contents("one"));
        let row = PlacementRow {
            name: "yanbian".into(),
            content: Some(shown.clone()),
            ..PlacementRow::default()
        };
        placement.status.as_mut().unwrap().centres = vec![row];
        assert!(confirmed(&placement, "yanbian", &shown));
        let placements = [Arc::new(placement.clone())];
        assert!(
            namespaces("yanbian", &placements, &catalogue()).is_empty(),
            "its quota needs somebody"
        );
        annotate(&mut placement, &shown);
        let placements = [Arc::new(placement)];
        assert_eq!(
            namespaces("yanbian", &placements, &catalogue()),
            ["dept".to_owned()].into()
        );
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
