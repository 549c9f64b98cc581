//! Custom kinds: divided where their PlaceableKind says so, and kept where the hub shows nothing of them.

use crds::PlaceableKind;

use super::*;
use crate::placement::kinds::{Unseen, read};

fn widget() -> PlacedObject {
    object(TemplateKind::custom("Widget", "example.org"), "blue")
}

/// A Deployment and a custom object of five copies, both selected.
fn with_widget(copies: bool) -> Stage {
    let mut s = stage(40);
    let text = format!(
        r#"{{"displayName": "w", "group": "example.org", "version": "v1", "kind": "Widget", "plural": "widgets", "copies": {copies}}}"#
    );
    let kind = PlaceableKind::new("widgets.example.org", serde_json::from_str(&text).unwrap());
    s.kinds = Kinds::new(&[Arc::new(read(&kind))]);
    s.template(web(), 4, "w", &[]);
    s.template(widget(), 5, "w", &[]);
    s.placement("w", "w", BOTH);
    s
}

fn of(decision: &Decision, object: &PlacedObject) -> Vec<i64> {
    let centres = decision.assignment.iter().flat_map(|a| &a.centres);
    let copies = centres.flat_map(|c| c.copies.iter().filter(|w| w.kind == object.kind));
    copies.map(|w| w.copies).collect()
}

#[test]
fn copies_are_divided_where_the_kind_says_so() {
    let whole = with_widget(false).store("w", true);
    assert_eq!((of(&whole, &web()), of(&whole, &widget())), (vec![2, 2], vec![]));
    assert_eq!(whole.assignment.unwrap().objects, [web(), widget()]);
    let divided = with_widget(true).store("w", true);
    assert_eq!(of(&divided, &widget()), [3, 2]);
}

#[test]
fn a_kind_that_the_hub_does_not_show_takes_nothing_away() {
    let mut s = with_widget(false);
    s.store("w", true);
    let key = ("dept".to_owned(), widget());
    s.templates.remove(&key);
    // The watch of the kind is complete, so the object itself is asked for.
    let seen = s.store("w", true);
    assert_eq!((why(&seen), seen.confirm.len()), (None, 1));
    let failing = Unseen::Failing("500 no".to_owned());
    let all = [
        (Unseen::Missing, "KindMissing"),
        (Unseen::Forbidden, "RoleMissing"),
        (failing, "KindMissing"),
    ];
    for (unseen, reason) in all {
        s.blind = [(widget().kind, unseen)].into();
        let blind = s.store("w", true);
        assert_eq!((why(&blind), blind.confirm.len()), (Some(reason), 0));
        assert!(blind.assignment.unwrap().objects.contains(&widget()));
    }
    // The rest goes on.
    s.template(web(), 8, "w", &[]);
    assert_eq!(of(&s.store("w", true), &web()), [4, 4]);
}

#[test]
fn a_kind_that_nobody_placed_is_told_by_name() {
    let mut s = stage(40);
    s.template(web(), 4, "w", &[]);
    let select = r#""mode": "ActiveActive", "centres": [{"name": "a"}, {"name": "b"}]"#;
    s.placement("w", "w", select);
    s.placements[0].spec.select.refs = vec![crds::TemplateRef {
        kind: widget().kind,
        name: "blue".into(),
    }];
    let decision = s.store("w", true);
    assert_eq!(why(&decision), Some("KindMissing"));
    assert_eq!(of(&decision, &web()), [2, 2]);
    let message = decision.obstacle.unwrap().message;
    assert!(
        message.contains("no PlaceableKind says how Widget.example.org"),
        "{message}"
    );
}
