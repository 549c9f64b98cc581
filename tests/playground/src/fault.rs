//! Faults between places: nftables rules in the namespace of one place, and relays beside them.

use std::fmt::Write;
use std::time::Duration;

use anyhow::{Result, bail};
use serde::Serialize;

use crate::command::{run, run_with_input};
use crate::net::place_range;
use crate::place::{Place, port};
use crate::relay::MARK;
use crate::state::State;

/// A fault between one place and others. The host still reaches every place, so a cut-off side can be looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cut {
    /// The place that is concerned.
    pub place: Place,
    /// Between it and this one only; between it and all other places if `None`. The place itself: between the programs
    /// in it, for faults of connections to one port.
    pub from: Option<Place>,
    /// Drop only the packets that arrive in `place`; what it sends still goes out. A TCP connection does not survive
    /// that either, but the other side sees the attempts. Not for faults of connections.
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

/// What happens to what passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// All packets are lost.
    Cut,
    /// So many percent of the packets are lost.
    Drop(u8),
    /// Everything arrives that much later, in each direction. Connections that were open are reset first.
    Delay(Duration),
    /// Connections stay open, or are accepted, and nothing comes through any more.
    Blackhole,
}

impl Fault {
    const NAMES: [&str; 4] = ["cut", "drop", "delay", "blackhole"];

    const fn name(self) -> &'static str {
        match self {
            Self::Cut => "cut",
            Self::Drop(_) => "drop",
            Self::Delay(_) => "delay",
            Self::Blackhole => "blackhole",
        }
    }
}

/// A fault that is in force.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Found {
    /// `cut`, `drop`, `delay` or `blackhole`.
    pub fault: &'static str,
    /// The place that has the rules.
    pub place: Place,
    /// The other side.
    pub from: Place,
}

impl Found {
    /// Name of the relay that belongs to it.
    pub(crate) fn relay(&self) -> String {
        crate::workers::relay_name(self.fault, self.place, self.from)
    }
}

/// One table for each fault of a pair, so that a heal of either side finds it by its name.
fn table(fault: &str, other: Place) -> String {
    format!("inet {fault}-{other}")
}

/// Port of the relay for one pair and fault.
pub(crate) fn relay_port(fault: Fault, other: Place) -> u16 {
    let kind = u16::from(fault == Fault::Blackhole);
    port::RELAY + kind * 10 + u16::from(other.slot())
}

/// Rules of one pair, for `nft -f`. A second one of the same kind adds to the first.
fn rules(fault: Fault, other: Place, range: &str, cut: Cut) -> String {
    let table = table(fault.name(), other);
    let mut text = format!(
        "add table {table}
add chain {table} arriving {{ type filter hook input priority -10; policy accept; }}
add chain {table} leaving {{ type filter hook output priority -10; policy accept; }}
add chain {table} passing {{ type filter hook forward priority -10; policy accept; }}
"
    );
    match fault {
        Fault::Cut => lossy(&mut text, &table, range, cut, "drop"),
        Fault::Drop(percent) => lossy(
            &mut text,
            &table,
            range,
            cut,
            &format!("numgen random mod 100 <= {} drop", percent - 1),
        ),
        Fault::Delay(_) => relayed(
            &mut text,
            &table,
            range,
            cut.port,
            relay_port(fault, other),
            "reject with tcp reset",
        ),
        Fault::Blackhole => relayed(&mut text, &table, range, cut.port, relay_port(fault, other), "drop"),
    }
    text
}

/// Packets that match are lost.
fn lossy(text: &mut String, table: &str, range: &str, cut: Cut, lost: &str) {
    // What passes is of the place's pods, which have networks of their own behind it.
    let mut add = |chain: &str, matched: String| {
        let _ = writeln!(text, "add rule {table} {chain} {matched} {lost}");
        let _ = writeln!(text, "add rule {table} passing {matched} {lost}");
    };
    match (cut.port, cut.one_way) {
        (None, _) => add("arriving", format!("ip saddr {range}")),
        (Some(port), true) => add("arriving", format!("ip saddr {range} tcp dport {port}")),
        (Some(port), false) => {
            add("arriving", format!("ip saddr {range} tcp dport {port}"));
            add("arriving", format!("ip saddr {range} tcp sport {port}"));
        }
    }
    match (cut.port, cut.one_way) {
        (_, true) => {}
        (None, false) => add("leaving", format!("ip daddr {range}")),
        (Some(port), false) => {
            add("leaving", format!("ip daddr {range} tcp dport {port}"));
            add("leaving", format!("ip daddr {range} tcp sport {port}"));
        }
    }
}

/// New connections that this place opens go to the relay, which has a mark of its own; what was open before gets
/// `verdict`, and from the other side it is lost too where nothing may come through.
fn relayed(text: &mut String, table: &str, range: &str, port: Option<u16>, relay: u16, verdict: &str) {
    // Clients' own ports are above: the kernel takes them from 32768 on.
    let ports = port.map_or_else(|| "1-32767".to_owned(), |port| port.to_string());
    let _ = write!(
        text,
        "add chain {table} out {{ type nat hook output priority -100; policy accept; }}
add rule {table} out ip daddr {range} meta mark != {MARK} tcp dport {ports} tcp flags & (syn | ack) == syn redirect to :{relay}
add rule {table} leaving meta mark {MARK} ct mark set {MARK} accept
add rule {table} leaving ip daddr {range} tcp dport {ports} {verdict}
"
    );
    if verdict == "drop" {
        let _ = write!(
            text,
            "add rule {table} arriving ct mark {MARK} accept
add rule {table} arriving ct status dnat accept
add rule {table} arriving ip saddr {range} tcp sport {ports} drop
add rule {table} passing ip daddr {range} tcp dport {ports} drop
add rule {table} passing ip saddr {range} tcp sport {ports} drop
"
        );
    }
}

/// The places that a fault can be between: whoever only watches is never cut off.
fn others(state: &State, place: Place) -> impl Iterator<Item = Place> {
    let watcher = state.profile.prometheus_place();
    let all = state.places.keys().copied();
    all.filter(move |other| *other != place && Some(*other) != watcher)
}

/// The other sides of a fault.
fn sides(state: &State, cut: Cut) -> Result<Vec<Place>> {
    state.mode.needs_namespaces()?;
    let all = others(state, cut.place).filter(|other| cut.from.is_none_or(|from| from == *other));
    let all: Vec<Place> = all.collect();
    if all.is_empty() || !others(state, all.first().copied().unwrap_or(cut.place)).any(|p| p == cut.place) {
        bail!(
            "this cloud has no such pair of places: {} and {:?}",
            cut.place,
            cut.from
        );
    }
    Ok(all)
}

/// The places that get rules, each with the other side. A relay stands where connections are opened: from there the
/// other side sees the address that it always saw, without which etcd refuses its peers. So both sides have one.
pub(crate) fn ends(state: &State, fault: Fault, cut: Cut) -> Result<Vec<(Place, Place)>> {
    if cut.from == Some(cut.place) {
        return within(state, fault, cut);
    }
    let own = sides(state, cut)?.into_iter().map(|other| (cut.place, other));
    Ok(match fault {
        Fault::Cut | Fault::Drop(_) => own.collect(),
        Fault::Delay(_) | Fault::Blackhole => own.flat_map(|(a, b)| [(a, b), (b, a)]).collect(),
    })
}

/// The one end of a fault between the programs of a place.
fn within(state: &State, fault: Fault, cut: Cut) -> Result<Vec<(Place, Place)>> {
    state.mode.needs_namespaces()?;
    let place = cut.place;
    if matches!(fault, Fault::Cut | Fault::Drop(_)) || cut.port.is_none() {
        bail!("{place} cannot be cut from itself: only a delay or a black hole of one port is possible in there");
    }
    state.address(place)?;
    Ok(vec![(place, place)])
}

/// Puts a fault in force. Its relays run already.
pub(crate) async fn apply(state: &State, fault: Fault, cut: Cut) -> Result<()> {
    if let Fault::Drop(percent @ (0 | 101..)) = fault {
        bail!("{percent} % of the packets: 1 to 100 can be lost");
    }
    for (place, other) in ends(state, fault, cut)? {
        nft(
            state,
            place,
            &rules(fault, other, &place_range(state.address(other)?), cut),
        )
        .await?;
    }
    Ok(())
}

/// The faults that `place` is a side of, or every one of the cloud.
pub(crate) async fn of(state: &State, place: Option<Place>) -> Result<Vec<Found>> {
    let mut all = found(state).await?;
    all.retain(|f| place.is_none_or(|place| place == f.place || place == f.from));
    Ok(all)
}

/// Lifts faults. Their relays have ended before: while the rules are there, clients hear of it.
pub(crate) async fn lift(state: &State, faults: &[Found]) -> Result<()> {
    for fault in faults {
        let table = table(fault.fault, fault.from);
        nft(state, fault.place, &format!("delete table {table}\n")).await?;
    }
    Ok(())
}

/// What is in force now.
pub(crate) async fn found(state: &State) -> Result<Vec<Found>> {
    let mut all = Vec::new();
    if state.mode.needs_namespaces().is_err() {
        return Ok(all);
    }
    for (place, net) in &state.places {
        let tables = run("ip", &["netns", "exec", &net.netns, "nft", "list", "tables"]).await?;
        let here = |fault: &'static str| {
            let tables = &tables;
            let others = others(state, *place).chain([*place]);
            let others = others.filter(move |o| tables.lines().any(|l| l.ends_with(&table(fault, *o))));
            others.map(move |from| Found {
                fault,
                place: *place,
                from,
            })
        };
        all.extend(Fault::NAMES.into_iter().flat_map(here));
    }
    Ok(all)
}

async fn nft(state: &State, place: Place, text: &str) -> Result<()> {
    let netns = &state.net(place)?.netns;
    run_with_input("ip", &["netns", "exec", netns, "nft", "-f", "-"], text)
        .await
        .map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn added(fault: Fault, one_way: bool, port: Option<u16>) -> Vec<String> {
        let cut = Cut {
            one_way,
            port,
            ..Cut::off(Place::Jishi)
        };
        let text = rules(fault, Place::Jiyidong, "198.18.3.0/24", cut);
        let table = format!("add rule inet {}-jiyidong ", fault.name());
        let lines = text.lines().filter_map(|l| l.strip_prefix(&table));
        lines.map(str::to_owned).collect()
    }

    #[test]
    fn a_cut_drops_both_ways_and_a_one_way_cut_what_arrives() {
        assert_eq!(
            added(Fault::Cut, false, None),
            [
                "arriving ip saddr 198.18.3.0/24 drop",
                "passing ip saddr 198.18.3.0/24 drop",
                "leaving ip daddr 198.18.3.0/24 drop",
                "passing ip daddr 198.18.3.0/24 drop"
            ]
        );
        let both = |matched: &str| ["arriving", "passing"].map(|chain| format!("{chain} {matched}"));
        assert_eq!(added(Fault::Cut, true, None), both("ip saddr 198.18.3.0/24 drop"));
        assert_eq!(
            added(Fault::Drop(20), true, None),
            both("ip saddr 198.18.3.0/24 numgen random mod 100 <= 19 drop")
        );
    }

    #[test]
    fn a_port_is_cut_whichever_side_serves_it() {
        let both = added(Fault::Cut, false, Some(2380));
        assert_eq!(both.len(), 8);
        assert!(both.contains(&"leaving ip daddr 198.18.3.0/24 tcp sport 2380 drop".to_owned()));
        assert_eq!(
            added(Fault::Cut, true, Some(2380)),
            [
                "arriving ip saddr 198.18.3.0/24 tcp dport 2380 drop",
                "passing ip saddr 198.18.3.0/24 tcp dport 2380 drop"
            ]
        );
    }

    #[test]
    fn each_relay_has_a_port_of_its_own() {
        let faults = [Fault::Delay(Duration::from_millis(1)), Fault::Blackhole];
        let ports = faults.map(|f| Place::ALL.map(|p| relay_port(f, p)));
        let unique: std::collections::BTreeSet<u16> = ports.concat().into_iter().collect();
        assert_eq!(unique.len(), 8);
    }
}
