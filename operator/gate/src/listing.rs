//! What `nft -j list table` says, held against the table that should stand.

use core::net::IpAddr;
use std::collections::BTreeSet;

use serde_json::{Value, json};
use thiserror::Error;

use crate::bounds::PERMIT_MS;
use crate::ranges::Ranges;
use crate::ruleset::expected;

/// A table that is exactly ours.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// Addresses with a permit.
    pub permits: BTreeSet<IpAddr>,
}

/// How the table differs from ours.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum Difference {
    /// There is no such table.
    #[error("the table is missing")]
    Missing,
    /// Not a listing.
    #[error("the listing is unreadable: {0}")]
    Unreadable(String),
    /// Something of ours is not there.
    #[error("missing: {0}")]
    Lacks(Value),
    /// Something is there that is not ours.
    #[error("not ours: {0}")]
    Foreign(Value),
    /// The governed addresses are others.
    #[error("{0} is not what the ranges say")]
    Governed(String),
    /// An element of permits without an end, or with one too far away.
    #[error("a permit without an end: {0}")]
    Endless(Value),
}

/// Reads a listing.
///
/// # Errors
/// How it differs from the table that should stand.
pub fn examine(listing: &Value, ranges: &Ranges) -> Result<Standing, Difference> {
    let unreadable = || Difference::Unreadable("no list `nftables`".to_owned());
    let objects = listing
        .get("nftables")
        .and_then(Value::as_array)
        .ok_or_else(unreadable)?;
    let mut missing = expected();
    let mut standing = Standing::default();
    for object in objects.iter().filter(|object| object.get("metainfo").is_none()) {
        let (object, elements) = plain(object.clone());
        // Rules are the same in any order: each of them drops or jumps.
        let place = missing.iter().position(|wanted| *wanted == object);
        missing.swap_remove(place.ok_or_else(|| Difference::Foreign(object.clone()))?);
        match object.pointer("/set/name").and_then(Value::as_str) {
            Some(name) if name.starts_with("governed") => governed(name, &elements, ranges)?,
            Some(name) if name.starts_with("permits") => {
                for element in &elements {
                    standing.permits.insert(permit(element)?);
                }
            }
            _ => {}
        }
    }
    match missing.into_iter().next() {
        None => Ok(standing),
        Some(Value::Object(table)) if table.contains_key("table") => Err(Difference::Missing),
        Some(object) => Err(Difference::Lacks(object)),
    }
}

/// An object without what the kernel adds, and the elements if it is a set.
fn plain(mut object: Value) -> (Value, Vec<Value>) {
    let mut elements = Vec::new();
    for inner in object.as_object_mut().into_iter().flat_map(|o| o.values_mut()) {
        let Some(inner) = inner.as_object_mut() else { continue };
        inner.remove("handle");
        if let Some(Value::Array(all)) = inner.remove("elem") {
            elements = all;
        }
        for step in inner
            .get_mut("expr")
            .and_then(Value::as_array_mut)
            .into_iter()
            .flatten()
        {
            if step.get("counter").is_some() {
                *step = json!({"counter": null});
            }
        }
    }
    (object, elements)
}

/// First and last address of an interval, as numbers.
type Interval = (u128, u128);

fn number(ip: IpAddr) -> u128 {
    match ip {
        IpAddr::V4(ip) => u32::from(ip).into(),
        IpAddr::V6(ip) => ip.into(),
    }
}

fn address(value: &Value) -> Option<IpAddr> {
    value.as_str()?.parse().ok()
}

/// An element of an interval set: an address, a prefix or a range.
fn interval(element: &Value) -> Option<Interval> {
    if let Some(prefix) = element.get("prefix") {
        let ip = address(prefix.get("addr")?)?;
        let len = prefix.get("len")?.as_u64()?;
        let net = ipnet::IpNet::new(ip, u8::try_from(len).ok()?).ok()?;
        return Some((number(net.network()), number(net.broadcast())));
    }
    if let Some([first, last]) = element.get("range").and_then(Value::as_array).map(Vec::as_slice) {
        return Some((number(address(first)?), number(address(last)?)));
    }
    address(element).map(|ip| (number(ip), number(ip)))
}

/// Sorted, with neighbours joined: the kernel may show two ranges that touch as one.
fn joined(mut intervals: Vec<Interval>) -> Vec<Interval> {
    intervals.sort_unstable();
    let mut all: Vec<Interval> = Vec::new();
    for (first, last) in intervals {
        match all.last_mut() {
            Some(before) if first <= before.1.saturating_add(1) => before.1 = before.1.max(last),
            _ => all.push((first, last)),
        }
    }
    all
}

fn governed(name: &str, elements: &[Value], ranges: &Ranges) -> Result<(), Difference> {
    let stand: Option<Vec<Interval>> = elements.iter().map(interval).collect();
    let wanted = if name.ends_with('4') {
        let all = ranges.v4().iter();
        all.map(|r| (number(r.network().into()), number(r.broadcast().into())))
            .collect()
    } else {
        let all = ranges.v6().iter();
        all.map(|r| (number(r.network().into()), number(r.broadcast().into())))
            .collect()
    };
    if stand.map(joined) == Some(joined(wanted)) {
        Ok(())
    } else {
        Err(Difference::Governed(name.to_owned()))
    }
}

/// The address of a permit. Without a timeout of its own an element has the set's.
fn permit(element: &Value) -> Result<IpAddr, Difference> {
    let endless = || Difference::Endless(element.clone());
    let inner = element.get("elem").ok_or_else(endless)?;
    let seconds = |what: &str| inner.get(what).and_then(Value::as_u64);
    let longest = PERMIT_MS / 1_000;
    let ends = seconds("expires").is_some_and(|s| s <= longest);
    let lasts = seconds("timeout").is_none_or(|s| s <= longest);
    let ip = inner.get("val").and_then(address).ok_or_else(endless)?;
    if ends && lasts { Ok(ip) } else { Err(endless()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ranges() -> Ranges {
        Ranges::new(["198.18.3.0/24", "198.18.4.7/32"]).unwrap()
    }

    /// As nft 1.0.6 prints it.
    fn listing(permits: &Value) -> Value {
        let mut all = expected();
        for (at, object) in all.iter_mut().enumerate() {
            for inner in object.as_object_mut().unwrap().values_mut() {
                inner["handle"] = json!(at);
            }
            match object.pointer("/set/name").and_then(Value::as_str) {
                Some("governed4") => {
                    object["set"]["elem"] = json!([{"prefix": {"addr": "198.18.3.0", "len": 24}}, "198.18.4.7"]);
                }
                Some("permits4") => object["set"]["elem"] = permits.clone(),
                _ => {}
            }
        }
        all.insert(0, json!({"metainfo": {"version": "1.0.6"}}));
        json!({"nftables": all})
    }

    fn element(address: &str, timeout: u64, expires: u64) -> Value {
        json!({"elem": {"val": address, "timeout": timeout, "expires": expires}})
    }

    #[test]
    fn a_table_of_ours_says_who_has_a_permit() {
        let permits = json!([element("198.18.3.20", 1, 0), {"elem": {"val": "198.18.3.21", "expires": 1}}]);
        let standing = examine(&listing(&permits), &ranges()).unwrap();
        let expected = ["198.18.3.20", "198.18.3.21"].map(|a| a.parse().unwrap());
        assert_eq!(standing.permits, expected.into());
    }

    #[test]
    fn whatever_differs_is_not_ours() {
        let differs = |change: &dyn Fn(&mut Vec<Value>)| {
            let mut listing = listing(&json!([]));
            change(listing["nftables"].as_array_mut().unwrap());
            examine(&listing, &ranges()).unwrap_err()
        };
        let at = |all: &[Value], pointer: &str, value: &str| {
            all.iter()
                .position(|o| o.pointer(pointer) == Some(&json!(value)))
                .unwrap()
        };
        let dormant = |all: &mut Vec<Value>| all[1]["table"]["flags"] = json!("dormant");
        assert!(matches!(differs(&dormant), Difference::Foreign(_)));
        let late = |all: &mut Vec<Value>| {
            let chain = at(all, "/chain/hook", "forward");
            all[chain]["chain"]["prio"] = json!(0);
        };
        assert!(matches!(differs(&late), Difference::Foreign(_)));
        let unhooked = |all: &mut Vec<Value>| drop(all.remove(at(all, "/rule/chain", "forward")));
        assert!(matches!(differs(&unhooked), Difference::Lacks(_)));
        let accepted = |all: &mut Vec<Value>| {
            all.push(json!({"rule": {"family": "inet", "table": "xiangyun_gate", "chain": "closed", "expr": [{"accept": null}]}}));
        };
        assert!(matches!(differs(&accepted), Difference::Foreign(_)));
        let ungoverned = |all: &mut Vec<Value>| {
            let set = at(all, "/set/name", "governed4");
            all[set]["set"]["elem"] = json!([{"prefix": {"addr": "198.18.3.0", "len": 25}}]);
        };
        assert_eq!(differs(&ungoverned), Difference::Governed("governed4".into()));
        assert_eq!(differs(&|all: &mut Vec<Value>| all.truncate(1)), Difference::Missing);
    }

    #[test]
    fn a_permit_must_end() {
        for endless in [
            json!("198.18.3.20"),
            element("198.18.3.20", 9, 8),
            json!({"elem": {"val": "198.18.3.20"}}),
        ] {
            let outcome = examine(&listing(&json!([endless])), &ranges());
            assert!(matches!(outcome, Err(Difference::Endless(_))), "{outcome:?}");
        }
    }

    #[test]
    fn ranges_that_touch_may_be_shown_as_one() {
        let wanted = Ranges::new(["198.18.1.0/24", "198.18.2.0/24"]).unwrap();
        let shown = [json!({"range": ["198.18.1.0", "198.18.2.255"]})];
        assert_eq!(governed("governed4", &shown, &wanted), Ok(()));
        assert!(governed("governed4", &[], &wanted).is_err());
        assert_eq!(governed("governed6", &[], &wanted), Ok(()));
    }
}
