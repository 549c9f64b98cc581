//! Which templates a placement takes: what it selects, and what the pods of that refer to.

use std::collections::{BTreeMap, BTreeSet};

use crds::{PlacedObject, Select};

use super::template::Template;

/// The templates of one namespace.
pub type Templates<'a> = BTreeMap<&'a PlacedObject, &'a Template>;

/// What is taken.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Taken {
    /// Everything, in the order in which it is applied.
    pub objects: BTreeSet<PlacedObject>,
    /// Names that lead nowhere.
    pub missing: BTreeSet<PlacedObject>,
}

/// The templates of one namespace by each of their labels, so that a selection looks at few of them.
#[derive(Clone, Debug, Default)]
pub struct ByLabel<'a>(BTreeMap<(&'a str, &'a str), Vec<&'a PlacedObject>>);

impl<'a> ByLabel<'a> {
    /// Of these.
    pub fn of(templates: &Templates<'a>) -> Self {
        let mut all: BTreeMap<(&str, &str), Vec<&PlacedObject>> = BTreeMap::new();
        for (object, template) in templates {
            for (key, value) in &template.labels {
                all.entry((key, value)).or_default().push(object);
            }
        }
        Self(all)
    }
}

/// What a placement selects itself. Nothing is selected by nothing.
pub fn selected(select: &Select, templates: &Templates<'_>, by_label: &ByLabel<'_>) -> BTreeSet<PlacedObject> {
    let named = select.refs.iter().map(|r| PlacedObject {
        kind: r.kind.clone(),
        name: r.name.clone(),
    });
    let first = select.match_labels.first_key_value();
    let first = first.and_then(|(k, v)| by_label.0.get(&(k.as_str(), v.as_str())));
    let labelled = first.into_iter().flatten().filter(|object| {
        let labels = templates.get(*object).map(|t| &t.labels);
        let has = |(k, v)| labels.is_some_and(|labels| labels.get(k) == Some(v));
        select.match_labels.iter().all(has)
    });
    let all = named.chain(labelled.map(|object| (*object).clone()));
    all.filter(|object| templates.get(object).is_some_and(|t| t.placeable))
        .collect()
}

/// The selected templates and what they refer to. A workload waits until all it needs is there; one that runs already
/// (`standing`) keeps what it has, and so does what is missing now but was there before.
pub fn taken(
    select: &Select,
    own: &BTreeSet<PlacedObject>,
    templates: &Templates<'_>,
    standing: &BTreeSet<PlacedObject>,
) -> Taken {
    let mut taken = Taken::default();
    for r in &select.refs {
        let object = PlacedObject {
            kind: r.kind.clone(),
            name: r.name.clone(),
        };
        if !templates.get(&object).is_some_and(|t| t.placeable) {
            taken.missing.insert(object);
        }
    }
    for object in own {
        let Some(template) = templates.get(object) else {
            continue;
        };
        let needs = closure(template, templates);
        let lacks: Vec<_> = needs.iter().filter(|n| !templates.contains_key(n)).cloned().collect();
        let waits = !lacks.is_empty() && !standing.contains(object);
        taken.missing.extend(lacks.iter().cloned());
        if waits {
            continue;
        }
        let there = |o: &PlacedObject| templates.contains_key(o) || standing.contains(o);
        taken.objects.extend(needs.into_iter().filter(there));
        taken.objects.insert(object.clone());
    }
    taken
}

/// Everything that a template's pods refer to, also by way of their ServiceAccount; what may be missing only where it is
/// there.
pub(super) fn closure(template: &Template, templates: &Templates<'_>) -> BTreeSet<PlacedObject> {
    let mut found = template.needs.clone();
    let liked = |t: &Template| {
        t.likes
            .iter()
            .filter(|o| templates.contains_key(o))
            .cloned()
            .collect::<Vec<_>>()
    };
    found.extend(liked(template));
    let further: Vec<_> = found
        .iter()
        .filter_map(|o| templates.get(o))
        .flat_map(|t| liked(t))
        .collect();
    found.extend(further);
    found
}

/// Templates that several placements select: by object, their names.
pub fn claimed_twice(selections: &BTreeMap<String, BTreeSet<PlacedObject>>) -> BTreeMap<PlacedObject, Vec<String>> {
    let mut by_object: BTreeMap<PlacedObject, Vec<String>> = BTreeMap::new();
    for (placement, objects) in selections {
        for object in objects {
            by_object.entry(object.clone()).or_default().push(placement.clone());
        }
    }
    by_object.retain(|_, claimants| claimants.len() > 1);
    by_object
}

#[cfg(test)]
mod tests {
    use crds::{TemplateKind, TemplateRef};

    use super::super::template::object;
    use super::*;

    fn template(app: &str, needs: &[PlacedObject]) -> Template {
        Template {
            labels: [("app".to_owned(), app.to_owned())].into(),
            needs: needs.iter().cloned().collect(),
            placeable: true,
            ..Template::default()
        }
    }

    fn by_label(app: &str) -> Select {
        Select {
            match_labels: [("app".to_owned(), app.to_owned())].into(),
            refs: Vec::new(),
        }
    }

    #[test]
    fn dependencies_come_along_and_first() {
        let (web, map) = (
            object(TemplateKind::Deployment, "web"),
            object(TemplateKind::ConfigMap, "map"),
        );
        let (a, b) = (template("web", std::slice::from_ref(&map)), template("none", &[]));
        let templates: Templates<'_> = [(&web, &a), (&map, &b)].into();
        let own = selected(&by_label("web"), &templates, &ByLabel::of(&templates));
        assert_eq!(own, [web.clone()].into());
        let taken = taken(&by_label("web"), &own, &templates, &BTreeSet::new());
        assert_eq!(taken.objects.iter().collect::<Vec<_>>(), [&map, &web]);
        assert!(taken.missing.is_empty());
    }

    #[test]
    fn a_workload_waits_for_what_it_needs_unless_it_runs() {
        let (web, map) = (
            object(TemplateKind::Deployment, "web"),
            object(TemplateKind::ConfigMap, "map"),
        );
        let a = template("web", std::slice::from_ref(&map));
        let templates: Templates<'_> = [(&web, &a)].into();
        let own = selected(&by_label("web"), &templates, &ByLabel::of(&templates));
        let new = taken(&by_label("web"), &own, &templates, &BTreeSet::new());
        assert!(new.objects.is_empty());
        assert_eq!(new.missing, [map.clone()].into());
        let standing = [web.clone(), map.clone()].into();
        assert_eq!(taken(&by_label("web"), &own, &templates, &standing).objects, standing);
    }

    #[test]
    fn empty_selects_nothing() {
        let web = object(TemplateKind::Deployment, "web");
        let a = template("web", &[]);
        let templates: Templates<'_> = [(&web, &a)].into();
        let labels = ByLabel::of(&templates);
        assert!(selected(&Select::default(), &templates, &labels).is_empty());
        let refs = Select {
            refs: vec![TemplateRef {
                kind: web.kind.clone(),
                name: "other".into(),
            }],
            ..Select::default()
        };
        let own = selected(&refs, &templates, &labels);
        assert!(own.is_empty());
        assert_eq!(taken(&refs, &own, &[(&web, &a)].into(), &own).missing.len(), 1);
    }

    #[test]
    fn two_claims_are_named() {
        let web = object(TemplateKind::Deployment, "web");
        let all = [
            ("a".to_owned(), [web.clone()].into()),
            ("b".to_owned(), [web.clone()].into()),
        ]
        .into();
        assert_eq!(
            claimed_twice(&all).get(&web).map(Vec::as_slice),
            Some(&["a".to_owned(), "b".to_owned()][..])
        );
    }
}
