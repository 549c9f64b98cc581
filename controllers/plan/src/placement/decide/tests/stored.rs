//! What a decision says of its templates, and whether it can be stored.

use super::*;

#[test]
fn more_than_the_status_can_hold_is_refused() {
    let mut s = stage(10);
    for i in 0..=size::MOST {
        s.template(object(TemplateKind::ConfigMap, format!("map-{i}")), 1, "maps", &[]);
    }
    s.placement("p", "maps", BOTH);
    let refused = s.store("p", true);
    assert_eq!(
        (refused.assignment.is_some(), why(&refused)),
        (false, Some(reason::TOO_MANY_OBJECTS))
    );
}

#[test]
fn what_takes_more_than_the_store_takes_is_refused() {
    let mut s = stage(4000);
    for i in 0..1800 {
        s.template(object(TemplateKind::Deployment, format!("web-{i}")), 1, "many", &[]);
    }
    s.placement("p", "many", BOTH);
    let refused = s.store("p", true);
    assert_eq!(
        (refused.assignment.is_some(), why(&refused)),
        (false, Some(reason::TOO_MANY_OBJECTS))
    );
    let said = refused.obstacle.unwrap().message;
    assert!(said.starts_with("1800 objects in 2 centres take about 1"), "{said}");
    s.templates
        .retain(|(_, object), _| object.name.len() < "web-1000".len());
    let stored = s.store("p", true);
    assert_eq!(why(&stored), None);
    // It takes no more than was reckoned.
    let status = s.placements[0].status.as_ref().unwrap();
    let is = serde_json::to_string(&status.assignment).unwrap().len()
        + serde_json::to_string(&status.centres).unwrap().len();
    assert!(is < 640_000, "{is}");
}

/// What a decision looked at is named in it; another image asks for nothing else.
#[test]
fn a_decision_names_what_the_templates_ask_for() {
    let mut s = stage(10);
    s.template(web(), 4, "web", &[]);
    s.placement("p", "web", BOTH);
    let first = s.store("p", true).assignment.unwrap();
    assert!(!first.asks_of(&web()).is_empty());
    let resize = |s: &mut Stage, cpu: i128| {
        let key = ("dept".to_owned(), web());
        let mut template = (*s.templates[&key]).clone();
        template.each.cpu = cpu;
        template.revision = cpu.to_string();
        s.templates.insert(key, Arc::new(template));
    };
    resize(&mut s, 9000);
    let refused = s.store("p", true);
    assert_eq!(why(&refused), Some(reason::GRANT_TOO_SMALL));
    assert_eq!(refused.assignment.as_ref(), Some(&first));
    resize(&mut s, 2000);
    let next = s.store("p", true).assignment.unwrap();
    assert_ne!(next.asks_of(&web()), first.asks_of(&web()));
    // It is no other work: nobody has to carry anything out anew.
    assert_eq!((next.number, &next.centres), (first.number, &first.centres));
}
