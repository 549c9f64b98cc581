//! What must hold at every moment.

use arbiter::row::{Phase, Row};
use arbiter::txn::key;
use arbiter::view::View;

use crate::net::PLACES;
use crate::world::{SCOPE, World};

impl World {
    /// Whether a pod of the scope can send and receive there.
    pub(crate) fn communicates(&self, place: usize) -> bool {
        let centre = &self.centres[place];
        let open = |pod: u64| !self.gated || centre.permit.is_some_and(|(id, until)| id == pod && until > self.now);
        centre.off_until <= self.now && centre.frozen_until <= self.now && centre.pod.is_some_and(|pod| open(pod.id))
    }

    pub(crate) fn wrong(&mut self, what: &str) {
        let now = self.now;
        self.violation.get_or_insert(format!("{now} ms: {what}"));
    }

    /// I4: an exclusive scope never communicates in two places.
    pub(crate) fn check(&mut self) {
        if self.communicates(0) && self.communicates(1) {
            self.wrong("two writers");
        }
        for place in [0, 1] {
            let Some(pod) = self.centres[place].pod.filter(|_| self.communicates(place)) else {
                continue;
            };
            let later = self.ran.range(pod.epoch..).any(|(_, ran)| *ran != place);
            if later {
                self.wrong(&format!(
                    "a copy of {} communicates after the other place ran",
                    pod.epoch
                ));
            }
            self.ran.insert(pod.epoch, place);
        }
    }

    /// The row as it is.
    pub(crate) fn row(&mut self) -> Option<Row> {
        let view = View::of(&self.store.commit(&View::look()));
        view.rows.get(SCOPE).map(|(row, _)| row.clone())
    }

    /// After everything healed: the scope runs somewhere, or what is stored says why not.
    pub(crate) fn ends(&mut self) {
        let row = self.row();
        let waits = row.as_ref().is_some_and(|row| row.phase == Phase::Regrant);
        if !self.communicates(0) && !self.communicates(1) && !waits {
            self.wrong(&format!("it runs nowhere: {row:?}"));
        }
    }

    /// I2: an epoch is never given to two places, across restores as well.
    pub(crate) fn committed(&mut self) {
        let read = self.store.peek(&key::epoch(SCOPE));
        let Some(row) = read.and_then(|value| serde_json::from_str::<Row>(value).ok()) else {
            return;
        };
        let asked = self.last.as_ref().is_some_and(|last| last.phase == Phase::Regrant);
        if let (true, Phase::Held, Some((ran, place))) = (asked, row.phase, self.ran.last_key_value()) {
            // Whoever was handed it by the last one may get it before it ran there.
            let given = PLACES
                .iter()
                .position(|place| row.holder.as_deref() == Some(place))
                .unwrap();
            let held = self.held[given];
            if given != *place && held.is_none_or(|held| held < *ran) {
                let what = format!("it last ran in {}, and is given to {}", PLACES[*place], PLACES[given]);
                self.wrong(&what);
            }
        }
        if self.last.as_ref() != Some(&row) {
            self.tell(|| format!("{row:?}"));
            self.last = Some(row.clone());
        }
        let Some(holder) = row.holder else { return };
        let first = self.holders.entry(row.epoch).or_insert_with(|| holder.clone());
        if *first != holder {
            let what = format!("epoch {} was {first}'s and is {holder}'s", row.epoch);
            self.wrong(&what);
        }
        self.moves = u64::try_from(self.holders.len()).unwrap();
    }
}
