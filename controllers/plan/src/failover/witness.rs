//! How the arbiter hears each centre, from what was last read of it. Nothing is concluded from not having read.

use std::collections::{BTreeMap, BTreeSet};

use crds::{CentreWitness, WitnessState};
use jiff::Timestamp;

use super::facts::stamp;

/// What was last read of the beats.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Beats {
    /// Centres of which two observers say that they are silent, and after which beat.
    pub lost: BTreeMap<String, u64>,
    /// Centres whose beat is silent while their API server answers.
    pub down: BTreeSet<String>,
    /// Centres that beat and do not reach their own API server.
    pub ailing: BTreeSet<String>,
    /// When this process last saw a beat change.
    pub alive: BTreeMap<String, Timestamp>,
}

/// One centre, as far as its state depends on more than its beat.
#[derive(Clone, Copy, Debug)]
pub struct About<'a> {
    /// Its name.
    pub name: &'a str,
    /// What was said of it before.
    pub before: Option<&'a CentreWitness>,
    /// Whether its agent reports to the hub.
    pub reports: bool,
    /// Whether everything that was moved away is back, and nothing is on its way.
    pub settled: bool,
}

/// The name that everything of one loss has: the same for whoever looks.
pub fn incident(centre: &str, beat: u64) -> String {
    format!("{centre}-{beat}")
}

/// What is said of a centre now; `None` where it never beat.
pub fn next(about: &About<'_>, beats: &Beats, now: Timestamp) -> Option<CentreWitness> {
    let About { name, before, .. } = *about;
    let seen = beats.alive.get(name);
    if let Some(beat) = beats.lost.get(name) {
        let incident = incident(name, *beat);
        let known = before.filter(|w| w.state == WitnessState::Lost && w.incident.as_ref() == Some(&incident));
        return Some(known.cloned().unwrap_or_else(|| CentreWitness {
            state: WitnessState::Lost,
            since: stamp(now),
            last_seen: seen.map(|at| stamp(*at)),
            incident: Some(incident),
        }));
    }
    if beats.down.contains(name) {
        // Whoever was lost stays lost: that its API server answers again moves nothing back.
        let lost = before.filter(|w| matches!(w.state, WitnessState::Lost | WitnessState::AgentDown));
        return Some(
            lost.cloned()
                .unwrap_or_else(|| still(before, WitnessState::AgentDown, now)),
        );
    }
    if beats.ailing.contains(name) {
        // What came back without its API server has not come back.
        let stays = before.filter(|w| w.state != WitnessState::Granted && w.state != WitnessState::AgentDown);
        return Some(
            stays
                .cloned()
                .unwrap_or_else(|| still(before, WitnessState::Degraded, now)),
        );
    }
    let Some(before) = before else {
        return seen.map(|_| plain(WitnessState::Granted, now));
    };
    // A beat from before it was lost is no sign of life.
    let since = before.since.parse::<Timestamp>().ok();
    let beats_again = seen.is_some_and(|at| since.is_none_or(|since| *at > since));
    let (state, moves) = match before.state {
        WitnessState::Granted => (WitnessState::Granted, false),
        WitnessState::Lost => (WitnessState::Returned, beats_again && about.reports),
        WitnessState::AgentDown | WitnessState::Degraded if before.incident.is_some() => {
            (WitnessState::Returned, beats_again)
        }
        WitnessState::AgentDown | WitnessState::Degraded => (WitnessState::Granted, beats_again),
        WitnessState::Returned => (WitnessState::Granted, about.settled),
    };
    if !moves {
        return Some(before.clone());
    }
    let loss = Some(before).filter(|_| state == WitnessState::Returned);
    Some(still(loss, state, now))
}

/// A state of a centre that belongs to a loss until that is settled, whatever becomes of its agents meanwhile: only from
/// `Returned` is anything moved back.
fn still(before: Option<&CentreWitness>, state: WitnessState, now: Timestamp) -> CentreWitness {
    CentreWitness {
        incident: before.and_then(|w| w.incident.clone()),
        last_seen: before.and_then(|w| w.last_seen.clone()),
        ..plain(state, now)
    }
}

fn plain(state: WitnessState, now: Timestamp) -> CentreWitness {
    CentreWitness {
        state,
        since: stamp(now),
        last_seen: None,
        incident: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn about(before: Option<&CentreWitness>) -> About<'_> {
        About {
            name: "a",
            before,
            reports: true,
            settled: false,
        }
    }

    fn alive(second: i64) -> Beats {
        Beats {
            alive: [("a".to_owned(), at(second))].into(),
            ..Beats::default()
        }
    }

    fn lost(beat: u64, seen: i64) -> Beats {
        Beats {
            lost: [("a".to_owned(), beat)].into(),
            ..alive(seen)
        }
    }

    #[test]
    fn a_centre_is_heard_lost_back_and_settled() {
        assert_eq!(next(&about(None), &Beats::default(), at(0)), None);
        let granted = next(&about(None), &alive(1), at(1)).unwrap();
        assert_eq!(granted.state, WitnessState::Granted);
        let gone = next(&about(Some(&granted)), &lost(17, 5), at(16)).unwrap();
        assert_eq!(gone.state, WitnessState::Lost);
        assert_eq!(gone.incident.as_deref(), Some("a-17"));
        assert_eq!(gone.last_seen.as_deref(), Some("1970-01-01T00:00:05.000Z"));
        // The same verdict changes nothing, and an old beat is no life.
        assert_eq!(next(&about(Some(&gone)), &lost(17, 5), at(20)), Some(gone.clone()));
        assert_eq!(next(&about(Some(&gone)), &alive(5), at(21)), Some(gone.clone()));
        let silent = About {
            reports: false,
            ..about(Some(&gone))
        };
        assert_eq!(next(&silent, &alive(30), at(30)), Some(gone.clone()));
        let back = next(&about(Some(&gone)), &alive(30), at(30)).unwrap();
        assert_eq!(
            (back.state, back.incident.as_deref()),
            (WitnessState::Returned, Some("a-17"))
        );
        assert_eq!(next(&about(Some(&back)), &alive(31), at(31)), Some(back.clone()));
        let settled = About {
            settled: true,
            ..about(Some(&back))
        };
        let granted = next(&settled, &alive(40), at(40)).unwrap();
        assert_eq!((granted.state, granted.incident), (WitnessState::Granted, None));
    }

    #[test]
    fn a_process_that_just_began_concludes_nothing() {
        let gone = next(&about(None), &lost(17, 5), at(16)).unwrap();
        assert_eq!(next(&about(Some(&gone)), &Beats::default(), at(17)), Some(gone));
    }

    #[test]
    fn a_new_loss_is_a_new_incident() {
        let gone = next(&about(None), &lost(17, 5), at(16)).unwrap();
        let back = next(&about(Some(&gone)), &alive(30), at(30)).unwrap();
        let again = next(&about(Some(&back)), &lost(23, 31), at(42)).unwrap();
        assert_eq!(
            (again.state, again.incident.as_deref()),
            (WitnessState::Lost, Some("a-23"))
        );
    }

    #[test]
    fn without_its_api_server_a_centre_lives_until_its_beat_ends() {
        let ailing = |beats: Beats| Beats {
            ailing: ["a".to_owned()].into(),
            ..beats
        };
        let granted = next(&about(None), &alive(1), at(1)).unwrap();
        let is = next(&about(Some(&granted)), &ailing(alive(20)), at(20)).unwrap();
        assert_eq!((is.state, is.incident.as_deref()), (WitnessState::Degraded, None));
        let well = next(&about(Some(&is)), &alive(40), at(40)).unwrap();
        assert_eq!(well.state, WitnessState::Granted);
        let gone = next(&about(Some(&is)), &ailing(lost(17, 60)), at(71)).unwrap();
        assert_eq!(gone.state, WitnessState::Lost);
        assert_eq!(next(&about(Some(&gone)), &ailing(alive(90)), at(90)), Some(gone));
    }

    #[test]
    fn silent_agents_are_no_loss() {
        let down = Beats {
            down: ["a".to_owned()].into(),
            ..Beats::default()
        };
        let granted = next(&about(None), &alive(1), at(1)).unwrap();
        let is = next(&about(Some(&granted)), &down, at(15)).unwrap();
        assert_eq!((is.state, is.incident.as_deref()), (WitnessState::AgentDown, None));
        assert_eq!(
            next(&about(Some(&is)), &alive(20), at(20)).unwrap().state,
            WitnessState::Granted
        );
        let gone = next(&about(None), &lost(17, 5), at(16)).unwrap();
        assert_eq!(next(&about(Some(&gone)), &down, at(18)), Some(gone));
    }

    #[test]
    fn agents_that_end_after_a_return_settle_nothing() {
        let gone = next(&about(None), &lost(17, 5), at(16)).unwrap();
        let back = next(&about(Some(&gone)), &alive(30), at(30)).unwrap();
        let down = Beats {
            down: ["a".to_owned()].into(),
            ..Beats::default()
        };
        let ailing = Beats {
            ailing: ["a".to_owned()].into(),
            ..alive(40)
        };
        let is = next(&about(Some(&back)), &down, at(35)).unwrap();
        assert_eq!(
            (is.state, is.incident.as_deref()),
            (WitnessState::AgentDown, Some("a-17"))
        );
        let is = next(&about(Some(&is)), &ailing, at(40)).unwrap();
        assert_eq!(
            (is.state, is.incident.as_deref()),
            (WitnessState::Degraded, Some("a-17"))
        );
        let again = next(&about(Some(&is)), &alive(50), at(50)).unwrap();
        assert_eq!(
            (again.state, again.incident.as_deref(), again.since.as_str()),
            (WitnessState::Returned, Some("a-17"), "1970-01-01T00:00:50.000Z")
        );
    }
}
