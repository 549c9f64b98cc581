//! Cuts between places: nftables rules in the namespace of the place that is cut off.

use std::fmt::Write;

use anyhow::{Result, bail};

use crate::command::{run, run_with_input};
use crate::net::place_range;
use crate::place::Place;
use crate::state::State;

/// A cut between one place and others. The host still reaches every place, so a cut-off side can be looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cut {
    /// The place that is cut off.
    pub place: Place,
    /// From this one only; from all other places if `None`.
    pub from: Option<Place>,
    /// Drop only the packets that arrive in `place`; what it sends still goes out. A TCP connection does not survive
    /// that either, but the other side sees the attempts.
    pub one_way: bool,
    /// Only TCP connections to this port, whichever side serves it (with `one_way`: only those that `place` serves).
    pub port: Option<u16>,
}

impl Cut {
    /// Cuts `place` off from all other places.
    pub fn off(place: Place) -> Self {
        Self {
            place,
            from: None,
            one_way: false,
            port: None,
        }
    }

    /// Cuts only the pair of `place` and `other`.
    pub fn pair(place: Place, other: Place) -> Self {
        Self {
            from: Some(other),
            ..Self::off(place)
        }
    }
}

/// One table for each cut pair, so that a heal of either side finds it by its name.
fn table(other: Place) -> String {
    format!("inet cut-{other}")
}

/// Rules of one pair, for `nft -f`. A second cut of the same pair adds to the first one.
fn rules(other: Place, range: &str, one_way: bool, port: Option<u16>) -> String {
    let table = table(other);
    let mut text = format!(
        "add table {table}
add chain {table} arriving {{ type filter hook input priority -10; policy accept; }}
add chain {table} leaving {{ type filter hook output priority -10; policy accept; }}
"
    );
    let mut drop = |chain: &str, matched: String| {
        let _ = writeln!(text, "add rule {table} {chain} {matched} drop");
    };
    match (port, one_way) {
        (None, _) => drop("arriving", format!("ip saddr {range}")),
        (Some(port), true) => drop("arriving", format!("ip saddr {range} tcp dport {port}")),
        (Some(port), false) => {
            drop("arriving", format!("ip saddr {range} tcp dport {port}"));
            drop("arriving", format!("ip saddr {range} tcp sport {port}"));
        }
    }
    match (port, one_way) {
        (_, true) => {}
        (None, false) => drop("leaving", format!("ip daddr {range}")),
        (Some(port), false) => {
            drop("leaving", format!("ip daddr {range} tcp dport {port}"));
            drop("leaving", format!("ip daddr {range} tcp sport {port}"));
        }
    }
    text
}

/// The places that a cut can be between: whoever only watches is never cut off.
fn others(state: &State, place: Place) -> impl Iterator<Item = Place> {
    let watcher = state.profile.prometheus_place();
    let all = state.places.keys().copied();
    all.filter(move |other| *other != place && Some(*other) != watcher)
}

/// Applies a cut.
pub(crate) async fn cut(state: &State, cut: Cut) -> Result<()> {
    let netns = &state.net(cut.place)?.netns;
    if cut.from == Some(cut.place) {
        bail!("{} cannot be cut from itself", cut.place);
    }
    let mut text = String::new();
    for other in others(state, cut.place).filter(|other| cut.from.is_none_or(|from| from == *other)) {
        text.push_str(&rules(
            other,
            &place_range(state.address(other)?),
            cut.one_way,
            cut.port,
        ));
    }
    if text.is_empty() {
        bail!("this cloud has no place to cut {} from", cut.place);
    }
    nft(netns, &text).await
}

/// Lifts every cut that `place` is a side of, or every cut of the cloud.
pub(crate) async fn lift(state: &State, place: Option<Place>) -> Result<()> {
    for (own, net) in &state.places {
        let mut text = String::new();
        for other in others(state, *own) {
            if place.is_none_or(|place| place == *own || place == other) {
                // Adding it first makes the deletion succeed where there is none.
                let table = table(other);
                let _ = writeln!(text, "add table {table}\ndelete table {table}");
            }
        }
        nft(&net.netns, &text).await?;
    }
    Ok(())
}

/// The pairs that are cut now: the place that holds the rules, and the other one.
pub(crate) async fn cuts(state: &State) -> Result<Vec<(Place, Place)>> {
    let mut found = Vec::new();
    for (own, net) in &state.places {
        let tables = run("ip", &["netns", "exec", &net.netns, "nft", "list", "tables"]).await?;
        found.extend(
            others(state, *own)
                .filter(|o| tables.lines().any(|l| l.ends_with(&table(*o))))
                .map(|o| (*own, o)),
        );
    }
    Ok(found)
}

async fn nft(netns: &str, text: &str) -> Result<()> {
    run_with_input("ip", &["netns", "exec", netns, "nft", "-f", "-"], text)
        .await
        .map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn added(one_way: bool, port: Option<u16>) -> Vec<String> {
        let text = rules(Place::Jiyidong, "198.18.3.0/24", one_way, port);
        let lines = text
            .lines()
            .filter_map(|l| l.strip_prefix("add rule inet cut-jiyidong "));
        lines.map(str::to_owned).collect()
    }

    #[test]
    fn a_cut_drops_both_ways_and_a_one_way_cut_what_arrives() {
        assert_eq!(
            added(false, None),
            [
                "arriving ip saddr 198.18.3.0/24 drop",
                "leaving ip daddr 198.18.3.0/24 drop"
            ]
        );
        assert_eq!(added(true, None), ["arriving ip saddr 198.18.3.0/24 drop"]);
    }

    #[test]
    fn a_port_is_cut_whichever_side_serves_it() {
        let both = added(false, Some(2380));
        assert_eq!(both.len(), 4);
        assert!(both.contains(&"leaving ip daddr 198.18.3.0/24 tcp sport 2380 drop".to_owned()));
        assert_eq!(
            added(true, Some(2380)),
            ["arriving ip saddr 198.18.3.0/24 tcp dport 2380 drop"]
        );
    }
}
