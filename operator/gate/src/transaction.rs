//! What is written into the table, as nft's own language: JSON knows timeouts in whole seconds only.

use core::net::IpAddr;
use std::collections::BTreeSet;
use std::fmt::Write as _;

use crate::bounds::TICKET_MS;
use crate::clock::BootTime;
use crate::plan::Opening;
use crate::ruleset::TABLE;

/// Marks the tickets of one round, so that no other writer can use them up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Round(pub u32);

/// 4 or 6, as sets are named.
const fn family(address: IpAddr) -> u8 {
    match address {
        IpAddr::V4(_) => 4,
        IpAddr::V6(_) => 6,
    }
}

fn elements(verb: &str, set: &str, family: u8, elements: &[String]) -> String {
    let elements = elements.join(", ");
    format!("{verb} element inet {TABLE} {set}{family} {{ {elements} }}\n")
}

/// Tickets for addresses; `None` where there are none to write.
pub fn tickets(addresses: &BTreeSet<IpAddr>, round: Round) -> Option<String> {
    let mut text = String::new();
    for of in [4, 6] {
        let of_family = addresses.iter().filter(|a| family(**a) == of);
        let all: Vec<_> = of_family
            .map(|address| format!("{address} . {:#x} timeout {TICKET_MS}ms", round.0))
            .collect();
        if !all.is_empty() {
            text += &elements("add", "tickets", of, &all);
        }
    }
    (!text.is_empty()).then_some(text)
}

/// One transaction that opens or extends all of them or none: it takes the round's ticket of each address and the permit
/// that stood, and fails when one of them has run out. `None` where at `now` no time is left for any.
pub fn openings(openings: &[Opening], round: Round, now: BootTime) -> Option<String> {
    let mut text = String::new();
    for opening in openings {
        let Some(ms) = opening.timeout_ms(now) else { continue };
        let (address, of) = (opening.address, family(opening.address));
        let ticket = format!("{address} . {:#x}", round.0);
        text += &elements("delete", "tickets", of, &[ticket]);
        if opening.extends {
            text += &elements("delete", "permits", of, &[address.to_string()]);
        }
        let _ = write!(
            text,
            "{}",
            elements("add", "permits", of, &[format!("{address} timeout {ms}ms")])
        );
    }
    (!text.is_empty()).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::answer::Epoch;

    #[test]
    fn a_permit_takes_its_ticket_and_the_permit_before_it() {
        let opening = |address: &str, extends| Opening {
            address: address.parse().unwrap(),
            scope: "a/b".into(),
            epoch: Epoch {
                incarnation: 1,
                counter: 1,
            },
            extends,
            until: BootTime(10_000),
        };
        let all = [opening("198.18.3.20", true), opening("fd00::14", false)];
        let text = super::openings(&all, Round(255), BootTime(8_500)).unwrap();
        let expected = "delete element inet xiangyun_gate tickets4 { 198.18.3.20 . 0xff }
delete element inet xiangyun_gate permits4 { 198.18.3.20 }
add element inet xiangyun_gate permits4 { 198.18.3.20 timeout 1500ms }
delete element inet xiangyun_gate tickets6 { fd00::14 . 0xff }
add element inet xiangyun_gate permits6 { fd00::14 timeout 1500ms }
";
        assert_eq!(text, expected);
        assert_eq!(super::openings(&all, Round(255), BootTime(9_990)), None);
    }

    #[test]
    fn tickets_are_of_one_round() {
        let addresses = ["198.18.3.20", "198.18.3.21", "fd00::14"].map(|a| a.parse().unwrap());
        let text = tickets(&addresses.into(), Round(1)).unwrap();
        let expected = "add element inet xiangyun_gate tickets4 { 198.18.3.20 . 0x1 timeout 2000ms, 198.18.3.21 . 0x1 timeout 2000ms }
add element inet xiangyun_gate tickets6 { fd00::14 . 0x1 timeout 2000ms }
";
        assert_eq!(text, expected);
        assert_eq!(tickets(&BTreeSet::new(), Round(1)), None);
    }
}
