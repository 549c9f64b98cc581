//! What a person of a member cloud confirms: a decision together with the content of its templates, so that nothing else
//! is carried out than what was shown.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crds::{Assignment, DataCenter, DualActivePlacement, PlacedObject, TemplateKind, label};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::centre::{Part, Source, source};
use super::decide::key;
use super::object::common;
use super::template::Key;
use crate::centre::stage::{Stage, Withheld};

/// By template, as it is now or as it is stored under the name of a revision: its [`content`].
pub type Contents = BTreeMap<(Key, Option<String>), String>;

/// Digits of a name: 128 bits, for which nobody finds another content.
const DIGITS: usize = 32;

/// SHA-256 of a template of any kind: other words are another content. A Secret counts by its version in the hub, so that
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
    digest(common(&object, template))
}

/// SHA-256 in hexadecimal digits, whatever the order of the keys.
fn digest(mut value: Value) -> String {
    value.sort_all_objects();
    format!("{:x}", Sha256::digest(value.to_string()))
}

/// The name of a decision with its content: `3-` and 32 hexadecimal digits. It changes with either, and with leave to
/// take over what is there. Of a stored version its content counts, not the name that it is stored under.
pub fn named(placement: &DualActivePlacement, assignment: &Assignment, centre: &str, contents: &Contents) -> String {
    let (tenant, _) = key(placement);
    let content = |object: &PlacedObject| {
        let version = match source(assignment, centre, object) {
            Source::Template => None,
            Source::Revision(revision) => Some(revision),
            Source::Later => return String::new(),
        };
        let found = contents.get(&((tenant.clone(), object.clone()), version));
        found.cloned().unwrap_or_default()
    };
    let objects = assignment.objects.iter().map(|o| json!([o.kind, o.name, content(o)]));
    let all = json!([objects.collect::<Vec<_>>(), placement.spec.existing, assignment.leaving]);
    format!("{}-{:.DIGITS$}", assignment.number, digest(all))
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
mod tests;
