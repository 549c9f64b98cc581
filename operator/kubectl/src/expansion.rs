//! Which phase of expansion would make room.

use std::rc::Rc;

use crds::{ExpansionPhase, PhaseStage, Resources};
use plan::admission::{Case, assess, if_approved};
use plan::market::Choice;
use plan::phase::name;

use crate::amount::{short, unit, unit_zh};
use crate::floor::{Floor, Province};
use crate::lang::both;

/// The first phase that is not accepted yet, by its date, with which the request would start after those ahead of it,
/// `English | 中文`.
pub fn starts(floor: &Floor, case: &Case<'_>, province: &Province) -> Option<String> {
    if granted(floor, case).is_some() {
        return None;
    }
    let planned = |p: &&ExpansionPhase| p.spec.stage != PhaseStage::Accepted && !p.spec.existing;
    let mut phases: Vec<&ExpansionPhase> = province.phases.iter().filter(planned).collect();
    phases.sort_by_key(|p| (p.spec.due.is_none(), p.spec.due.as_deref(), name(p)));
    let queues = province.queues.as_deref().unwrap_or_default();
    phases.into_iter().find_map(|phase| {
        let after = floor.after(phase, queues, case.request.uid());
        in_words(phase, floor, &after, &granted(&after, case)?)
    })
}

/// What it would be granted there, if everybody whose word is missing agreed.
fn granted(floor: &Floor, case: &Case<'_>) -> Option<Vec<Choice>> {
    let case = Case {
        tenant: Rc::new(floor.applicant(case.request.tenant())),
        ..case.clone()
    };
    let found = assess(&case, floor.market());
    if found.fits {
        return Some(found.choices);
    }
    match if_approved(&case, floor.market()) {
        Ok((choices, None)) => Some(choices),
        _ => None,
    }
}

fn in_words(phase: &ExpansionPhase, before: &Floor, after: &Floor, choices: &[Choice]) -> Option<String> {
    let committable = |floor: &Floor, pool: &str, centre: &str| {
        let entry = floor.ledger.centre(pool, centre);
        entry.map_or(Resources::ZERO, |c| c.committable)
    };
    let parts = choices
        .iter()
        .flat_map(|c| c.grant.centres.keys().map(move |centre| (c, centre)));
    // Where there is too little for it now, and the phase adds some.
    let more = parts.flat_map(|(choice, centre)| {
        let pool = &choice.pool;
        let adds = committable(after, pool, centre).minus(committable(before, pool, centre));
        let (wanted, free) = (choice.added(centre), before.market().free(pool, centre));
        let short = move |(r, v): &(&'static str, i128)| *v > 0 && wanted[r] > free[r];
        adds.iter().filter(short).map(move |(r, v)| (pool, centre, r, v))
    });
    // CPU and memory come with the cards.
    let (pool, centre, resource, adds) = more.min_by_key(|(_, _, r, _)| *r != "accelerators")?;
    let (phase, planned, due) = (name(phase), phase.spec.stage == PhaseStage::Planned, &phase.spec.due);
    let (when, when_zh) = match due.as_deref().filter(|_| planned) {
        Some(due) => (format!("on {due}"), format!("于 {due} ")),
        None => ("once it is accepted".to_owned(), "验收后".to_owned()),
    };
    let adds = short(resource, adds);
    Some(both(
        format!(
            "{phase} adds {adds}{} to {pool} in {centre} {when}: fits then",
            unit(resource)
        ),
        format!(
            "{phase} {when_zh}为 {pool} 在 {centre} 增加{adds}{}，届时可授予",
            unit_zh(resource)
        ),
    ))
}
