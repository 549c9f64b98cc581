//! Objects that are put right again and again, because something else writes them too.

use std::collections::BTreeMap;
use std::time::Duration;

use super::centre::Spot;

/// So often an object is put right before that is told: somebody who tries something is none of it.
const OFTEN: u32 = 5;
/// Corrections further apart have nothing to do with each other.
const CALM: Duration = Duration::from_secs(600);

#[derive(Clone, Debug)]
struct Fight {
    times: u32,
    last: Duration,
    said: Option<String>,
}

/// What was put right lately.
#[derive(Clone, Debug, Default)]
pub struct Fights(BTreeMap<Spot, Fight>);

impl Fights {
    /// An object was put right at `now`, by a clock that never goes back; `words` say what was changed and by whom,
    /// `English | 中文`.
    pub fn corrected(&mut self, spot: &Spot, words: &str, now: Duration) {
        self.end(now);
        let fight = self.0.entry(spot.clone()).or_insert(Fight {
            times: 0,
            last: now,
            said: None,
        });
        fight.times = fight.times.saturating_add(1);
        fight.last = now;
        // The first words stay: others would be one more write in the hub for every correction.
        if fight.times >= OFTEN && fight.said.is_none() {
            fight.said = Some(words.to_owned());
        }
    }

    /// Objects that something else changes again and again, in words that stay until that is over.
    pub fn told(&mut self, now: Duration) -> BTreeMap<Spot, String> {
        self.end(now);
        let told = self.0.iter().filter_map(|(s, f)| Some((s.clone(), f.said.clone()?)));
        told.collect()
    }

    fn end(&mut self, now: Duration) {
        self.0.retain(|_, fight| now.saturating_sub(fight.last) < CALM);
    }
}

#[cfg(test)]
mod tests {
    use crds::TemplateKind;

    use super::super::template::object;
    use super::*;

    #[test]
    fn the_fifth_time_is_told_once_until_it_is_calm() {
        let spot = ("dept".to_owned(), object(TemplateKind::Deployment, "web"));
        let at = Duration::from_secs;
        let mut fights = Fights::default();
        for second in 0..4 {
            fights.corrected(&spot, "a | 甲", at(second));
            assert!(fights.told(at(second)).is_empty());
        }
        fights.corrected(&spot, "b | 乙", at(4));
        fights.corrected(&spot, "c | 丙", at(5));
        assert_eq!(fights.told(at(600)), [(spot.clone(), "b | 乙".to_owned())].into());
        assert!(fights.told(at(605)).is_empty());
        // What was said before says nothing about the next one.
        fights.corrected(&spot, "d | 丁", at(606));
        assert!(fights.told(at(606)).is_empty());
    }

    #[test]
    fn an_edit_now_and_then_is_no_fight() {
        let spot = ("dept".to_owned(), object(TemplateKind::Deployment, "web"));
        let mut fights = Fights::default();
        for hour in 0..9 {
            let now = Duration::from_secs(3600 * hour);
            fights.corrected(&spot, "a | 甲", now);
            assert!(fights.told(now).is_empty());
        }
    }
}
