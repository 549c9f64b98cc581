//! What an object was found in order, or reported, against: it is not compared again while nothing changed.

use std::sync::Arc;

use crds::Drift;
use plan::placement::centre::{Spot, Want};
use plan::placement::object::Here;
use plan::placement::row::{State, Version};

use super::live::Live;
use super::{HubTemplate, Placements};

#[derive(Clone, Debug)]
pub(super) struct Checked {
    template: String,
    live: u64,
    pub(super) here: Here,
    pub(super) drift: Drift,
    /// What it was found to be.
    pub(super) state: State,
}

impl Checked {
    /// In order, as far as is known.
    pub(super) fn new(want: &Want, live: Option<&Arc<Live>>, template: &HubTemplate, here: Here) -> Self {
        let done = State::Done(Version {
            generation: template.facts.generation,
            revision: template.facts.revision.clone(),
            template: template.facts.uid.clone(),
        });
        Self {
            template: template.facts.version.clone(),
            live: live.map_or(0, |l| l.version),
            here,
            drift: want.drift,
            state: done,
        }
    }

    /// Whether it was held against that state of the template.
    pub(super) fn is_of(&self, template: &HubTemplate) -> bool {
        self.template == template.facts.version
    }

    /// Whether it was found against the same.
    fn like(&self, other: &Self) -> bool {
        let Self {
            template,
            live,
            here,
            drift,
            state: _,
        } = self;
        (template, live, here, drift) == (&other.template, &other.live, &other.here, &other.drift)
    }
}

impl Placements {
    /// What it was found to be, where nothing changed since.
    pub(super) fn found(&self, spot: &Spot, check: &Checked) -> Option<&Checked> {
        self.checked.get(spot).filter(|before| before.like(check))
    }
}
