//! What stands around an object, and what the centre adds to its template for that.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crds::{PlacedObject, TemplateKind};
use plan::placement::centre::{Spot, Want};
use plan::placement::object::Here;
use plan::placement::row::State;

use super::live::Live;
use super::{HubTemplate, Standing};

/// What stands around an object.
pub(super) struct Around<'a> {
    /// Objects whose copies an autoscaler of the centre sets.
    pub(super) scaled: &'a BTreeSet<Spot>,
    pub(super) standing: &'a Standing,
    pub(super) done: &'a BTreeMap<Spot, State>,
}

impl Around<'_> {
    /// What the object needs and has not got. One that is not even assigned is on its way: the operator has not seen yet
    /// what refers to it.
    pub(super) fn lacks<'t>(&self, spot: &Spot, needs: &'t BTreeSet<PlacedObject>) -> Option<&'t PlacedObject> {
        let stands = |need: &PlacedObject| {
            let need = (spot.0.clone(), need.clone());
            self.standing.contains_key(&need) || matches!(self.done.get(&need), Some(State::Done(_)))
        };
        needs.iter().find(|need| !stands(need))
    }
}

/// What the centre adds to the template now.
///
/// # Errors
/// What stands has to make way for another one.
pub(super) fn here<'a>(
    spot: &Spot,
    want: &Want,
    live: Option<&'a Arc<Live>>,
    template: &HubTemplate,
    around: &Around<'_>,
) -> Result<Here, &'a Arc<Live>> {
    let mut here = want.here.clone();
    here.template = (spot.1.kind == TemplateKind::Job).then(|| template.facts.uid.clone());
    if let Some(live) = live.filter(|l| l.template.is_some() && l.template != here.template) {
        return Err(live);
    }
    if let (Some(mark), Some(live), TemplateKind::Job) = (here.exclusive.as_mut(), live, &spot.1.kind) {
        // The pods of a Job are as they were made: under another right it is another Job.
        match live.pods {
            Some(pods) if pods != mark.pods && mark.runs => return Err(live),
            Some(pods) => mark.pods = pods,
            None => {}
        }
    }
    if around.scaled.contains(spot) {
        here.scale(live.map(|l| l.progress.asked));
    }
    Ok(here)
}
