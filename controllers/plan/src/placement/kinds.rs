//! Custom kinds: how the objects of a kind are addressed, and what became of the `PlaceableKind`s that say so.

use std::collections::BTreeMap;
use std::sync::Arc;

use crds::{
    Address, PlaceableKind, PlaceableKindStatus, PlacedObject, TemplateKind, condition, placeable_reason as reason,
    set_condition,
};
use jiff::Timestamp;

use super::message::{halves, within};
use super::readiness::Policy;

/// Longest words of a server in a message, in characters.
const LONGEST: usize = 200;

/// A custom kind, read once.
#[derive(Clone, Debug, PartialEq)]
pub struct Placeable {
    /// Name of the PlaceableKind, which is plural.group.
    pub name: String,
    /// Its uid and generation: another pair may be another policy.
    pub revision: (String, i64),
    /// As placements write it.
    pub kind: TemplateKind,
    /// How its objects are addressed.
    pub address: Address,
    /// Whether its copies are divided.
    pub copies: bool,
    /// When an object of it is ready; or why that cannot be said, `English | 中文`.
    pub policy: Result<Policy, String>,
    /// What its status says.
    pub status: Option<PlaceableKindStatus>,
}

/// Reads a kind.
pub fn read(kind: &PlaceableKind) -> Placeable {
    let spec = &kind.spec;
    let metadata = &kind.metadata;
    Placeable {
        name: metadata.name.clone().unwrap_or_default(),
        revision: (
            metadata.uid.clone().unwrap_or_default(),
            metadata.generation.unwrap_or_default(),
        ),
        kind: TemplateKind::custom(&spec.kind, &spec.group),
        address: Address {
            group: spec.group.clone(),
            version: spec.version.clone(),
            kind: spec.kind.clone(),
            plural: spec.plural.clone(),
        },
        copies: spec.copies,
        policy: Policy::read(spec.ready.as_deref(), spec.message.as_deref()),
        status: kind.status.clone(),
    }
}

/// All custom kinds that can be placed.
#[derive(Clone, Debug, Default)]
pub struct Kinds(BTreeMap<TemplateKind, Arc<Placeable>>);

impl Kinds {
    /// Where two speak of one kind, the first by its name counts.
    pub fn new(all: &[Arc<Placeable>]) -> Self {
        let mut sorted: Vec<_> = all.iter().collect();
        sorted.sort_by(|a, b| a.name.cmp(&b.name));
        let mut kinds = BTreeMap::new();
        for one in sorted {
            kinds.entry(one.kind.clone()).or_insert_with(|| Arc::clone(one));
        }
        Self(kinds)
    }

    /// What is known of a custom kind.
    pub fn get(&self, kind: &TemplateKind) -> Option<&Arc<Placeable>> {
        self.0.get(kind)
    }

    /// Every custom kind.
    pub fn all(&self) -> impl Iterator<Item = &TemplateKind> {
        self.0.keys()
    }

    /// How a kind is addressed; `None` for a custom one of which nobody says it.
    pub fn address(&self, kind: &TemplateKind) -> Option<Address> {
        kind.address().or_else(|| self.get(kind).map(|p| p.address.clone()))
    }

    /// Whether copies of the kind are divided over the centres.
    pub fn divides(&self, kind: &TemplateKind) -> bool {
        kind.has_copies() || self.get(kind).is_some_and(|p| p.copies)
    }
}

/// Why objects of a custom kind cannot be seen in a cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unseen {
    /// The cluster does not serve the kind.
    Missing,
    /// We may not read it.
    Forbidden,
    /// The cluster serves it and answers with an error, in these words: what stands is not known.
    Failing(String),
}

/// Custom kinds that cannot be seen in a cluster.
pub type Blind = BTreeMap<TemplateKind, Unseen>;

/// Reason and message for an object that cannot be placed because of its kind.
pub type Why = (&'static str, String);

/// What the hub lacks for objects of that kind, in the operator's eyes.
pub fn lacking_in_hub(kinds: &Kinds, blind: &Blind, kind: &TemplateKind) -> Option<Why> {
    if !kind.is_custom() {
        return None;
    }
    let name = kind.name();
    let Some(placeable) = kinds.get(kind) else {
        let message = format!(
            "no PlaceableKind says how {name} is placed; what runs stays; the platform team adds it | 没有 {name} 的 PlaceableKind，已有对象不变，请平台团队添加"
        );
        return Some((reason::KIND_MISSING, message));
    };
    blind
        .get(kind)
        .map(|unseen| in_hub(placeable, unseen, "aggregate-to-controller"))
}

fn in_hub(placeable: &Placeable, unseen: &Unseen, label: &str) -> Why {
    let (crd, version) = (&placeable.name, &placeable.address.version);
    match unseen {
        Unseen::Missing => (
            reason::KIND_MISSING,
            format!(
                "the hub does not serve {crd} in version {version}; what runs stays; install the CRD there, or correct the PlaceableKind | 省级控制面没有 {crd}（版本 {version}），已有对象不变，请在省级控制面安装该 CRD 或修改 PlaceableKind"
            ),
        ),
        Unseen::Forbidden => (
            reason::ROLE_MISSING,
            format!(
                "{crd} may not be read in the hub; what runs stays; add a ClusterRole with get, list and watch and the label xiangyun.io/{label}=true there | 省级控制面未授权读取 {crd}，已有对象不变，请添加带标签 xiangyun.io/{label}=true 的 ClusterRole（get、list、watch）"
            ),
        ),
        Unseen::Failing(said) => failing(placeable, ("the hub", "省级控制面"), said),
    }
}

/// The kind is served there, and cannot be listed.
fn failing(placeable: &Placeable, (place, place_zh): (&str, &str), said: &str) -> Why {
    let (crd, version) = (&placeable.name, &placeable.address.version);
    let said = within(said, LONGEST);
    let (en, zh) = halves(&said);
    let message = format!(
        "{place} cannot list {crd} in version {version}; what runs stays, everything else goes on; mend its conversion webhook or its APIService there, this goes on by itself; the server says: {en} | {place_zh} 无法读取 {crd}（版本 {version}），已有对象不变，其余对象不受影响，请修复其转换 webhook 或 APIService，随后自动继续；服务端返回：{zh}"
    );
    (reason::KIND_MISSING, message)
}

/// The same in the eyes of an agent, who reads the template in the hub.
pub fn template_unseen(kinds: &Kinds, blind: &Blind, kind: &TemplateKind) -> Option<Why> {
    let unseen = blind.get(kind)?;
    Some(in_hub(kinds.get(kind)?, unseen, "aggregate-to-centre"))
}

/// What a centre lacks for objects of that kind.
pub fn lacking_in_centre(kinds: &Kinds, blind: &Blind, centre: &str, kind: &TemplateKind) -> Option<Why> {
    if !kind.is_custom() {
        return None;
    }
    let Some(placeable) = kinds.get(kind) else {
        return lacking_in_hub(kinds, blind, kind);
    };
    match blind.get(kind)? {
        Unseen::Missing => Some(kind_missing(placeable, centre)),
        Unseen::Forbidden => Some(role_missing(placeable, centre)),
        Unseen::Failing(said) => Some(failing(placeable, (centre, centre), said)),
    }
}

/// The centre does not serve the kind.
pub fn kind_missing(placeable: &Placeable, centre: &str) -> Why {
    let (crd, version) = (&placeable.name, &placeable.address.version);
    let message = format!(
        "{centre} does not serve {crd} in version {version}; everything else goes on; install the CRD in {centre}, this goes on by itself | {centre} 没有 {crd}（版本 {version}），其余对象不受影响，请在 {centre} 安装该 CRD，随后自动继续"
    );
    (reason::KIND_MISSING, message)
}

/// The agent may not read or write the kind.
pub fn role_missing(placeable: &Placeable, centre: &str) -> Why {
    let crd = &placeable.name;
    let message = format!(
        "the agent may not read and write {crd} in {centre}; everything else goes on; add a ClusterRole with create, patch, delete, get, list and watch and the label xiangyun.io/aggregate-to-centre=true in {centre} | {centre} 的代理无权读写 {crd}，其余对象不受影响，请在 {centre} 添加带标签 xiangyun.io/aggregate-to-centre=true 的 ClusterRole（create、patch、delete、get、list、watch）"
    );
    (reason::ROLE_MISSING, message)
}

/// What becomes of a PlaceableKind: its status, from what is decided and seen.
pub fn status(
    one: &Placeable,
    kinds: &Kinds,
    blind: &Blind,
    placed: &BTreeMap<TemplateKind, i64>,
    now: Timestamp,
) -> PlaceableKindStatus {
    let mut status = one.status.clone().unwrap_or_default();
    let first = kinds.get(&one.kind).map_or(one.name.as_str(), |k| k.name.as_str());
    status.placed = if first == one.name {
        placed.get(&one.kind).copied().unwrap_or_default()
    } else {
        0
    };
    let (why, message) = if first != one.name {
        let name = one.kind.name();
        (
            reason::KIND_TAKEN,
            format!("{first} speaks of {name} already; delete one of the two | {first} 已定义 {name}，请删除其一"),
        )
    } else if let Err(wrong) = &one.policy {
        (reason::EXPRESSION_INVALID, wrong.clone())
    } else if let Some(unseen) = blind.get(&one.kind) {
        in_hub(one, unseen, "aggregate-to-controller")
    } else {
        let (name, number) = (one.kind.name(), status.placed);
        (
            reason::PLACEABLE,
            format!("placements may take {name}; {number} objects are placed | 可部署 {name}，已分派 {number} 个对象"),
        )
    };
    let (is, generation) = (Some(why == reason::PLACEABLE), Some(one.revision.1));
    set_condition(
        &mut status.conditions,
        condition::READY,
        is,
        why,
        message,
        generation,
        now,
    );
    status.observed_generation = generation;
    status
}

/// Objects of custom kinds, counted.
pub fn count<'a>(objects: impl IntoIterator<Item = &'a PlacedObject>) -> BTreeMap<TemplateKind, i64> {
    let mut counts = BTreeMap::new();
    for object in objects.into_iter().filter(|o| o.kind.is_custom()) {
        *counts.entry(object.kind.clone()).or_default() += 1;
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn placeable(name: &str, ready: &str) -> Arc<Placeable> {
        let text = format!(
            r#"{{"displayName": "w", "group": "example.org", "version": "v1", "kind": "Widget", "plural": "widgets", "ready": "{ready}"}}"#
        );
        Arc::new(read(&PlaceableKind::new(name, serde_json::from_str(&text).unwrap())))
    }

    fn said(one: &Placeable, all: &[Arc<Placeable>], blind: &Blind) -> (String, i64) {
        let placed = [(one.kind.clone(), 3)].into();
        let status = status(one, &Kinds::new(all), blind, &placed, Timestamp::UNIX_EPOCH);
        (status.conditions[0].reason.clone(), status.placed)
    }

    #[test]
    fn a_kind_says_what_is_wrong_with_it() {
        let (good, bad, twin) = (
            placeable("widgets.example.org", "true"),
            placeable("widgets.example.org", "self.a =="),
            placeable("wodgets.example.org", "true"),
        );
        let both = [Arc::clone(&good), Arc::clone(&twin)];
        let blind = |unseen| Blind::from([(good.kind.clone(), unseen)]);
        let of = |one: &Placeable, blind: &Blind| said(one, &both, blind);
        assert_eq!(of(&good, &Blind::new()), ("Placeable".to_owned(), 3));
        assert_eq!(of(&twin, &Blind::new()), ("KindTaken".to_owned(), 0));
        assert_eq!(of(&good, &blind(Unseen::Missing)).0, "KindMissing");
        assert_eq!(of(&good, &blind(Unseen::Forbidden)).0, "RoleMissing");
        assert_eq!(of(&good, &blind(Unseen::Failing("no".to_owned()))).0, "KindMissing");
        assert_eq!(said(&bad, &[Arc::clone(&bad)], &Blind::new()).0, "ExpressionInvalid");
    }

    #[test]
    fn each_lack_has_a_next_step_and_names_the_place() {
        let one = placeable("widgets.example.org", "true");
        let kinds = Kinds::new(&[Arc::clone(&one)]);
        let blind = |unseen| Blind::from([(one.kind.clone(), unseen)]);
        let none = Blind::new();
        let failing = || Unseen::Failing("500 conversion webhook failed".to_owned());
        assert_eq!(lacking_in_hub(&kinds, &none, &one.kind), None);
        assert_eq!(lacking_in_hub(&kinds, &none, &TemplateKind::Secret), None);
        assert_eq!(lacking_in_centre(&kinds, &none, "jishi", &one.kind), None);
        let all = [
            lacking_in_hub(&Kinds::default(), &none, &one.kind),
            lacking_in_hub(&kinds, &blind(Unseen::Missing), &one.kind),
            lacking_in_hub(&kinds, &blind(Unseen::Forbidden), &one.kind),
            template_unseen(&kinds, &blind(Unseen::Forbidden), &one.kind),
            lacking_in_centre(&kinds, &blind(Unseen::Missing), "jishi", &one.kind),
            lacking_in_centre(&kinds, &blind(Unseen::Forbidden), "jishi", &one.kind),
            lacking_in_centre(&kinds, &blind(failing()), "jishi", &one.kind),
            lacking_in_hub(&kinds, &blind(failing()), &one.kind),
        ];
        let reasons: Vec<_> = all.iter().map(|w| w.as_ref().unwrap().0).collect();
        let (kind, role) = ("KindMissing", "RoleMissing");
        assert_eq!(reasons, [kind, kind, role, role, kind, role, kind, kind]);
        for (_, message) in all.iter().flatten() {
            let (english, chinese) = message.split_once(" | ").unwrap();
            let steps = ["add", "install", "mend"];
            assert!(steps.iter().any(|step| english.contains(step)), "{english}");
            assert!(english.is_ascii() && !chinese.is_ascii(), "{message}");
        }
        let of_centre = |w: &Option<Why>| w.as_ref().unwrap().1.matches("jishi").count();
        assert!(all[4..7].iter().all(|why| of_centre(why) >= 2));
        for why in &all[6..] {
            let said = &why.as_ref().unwrap().1;
            assert_eq!(said.matches("500 conversion webhook failed").count(), 2, "{said}");
        }
    }

    #[test]
    fn built_in_kinds_need_nobody_to_say_how_they_are_addressed() {
        let kinds = Kinds::default();
        let web = kinds.address(&TemplateKind::Deployment).unwrap();
        assert_eq!((web.group.as_str(), web.plural.as_str()), ("apps", "deployments"));
        assert_eq!(kinds.address(&TemplateKind::custom("Widget", "example.org")), None);
        assert!(kinds.divides(&TemplateKind::Deployment) && !kinds.divides(&TemplateKind::Secret));
    }
}
