//! From the copies that stand to those that should: raise first, lower when what was raised is ready. In between no
//! moment has fewer ready copies than before or than wanted, whichever is less.

use std::collections::BTreeMap;

/// One centre's figures of one workload.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Side {
    /// Copies assigned now.
    pub now: i64,
    /// Copies that should be.
    pub target: i64,
    /// Ready copies under the present assignment; `None` where nobody knows.
    pub ready: Option<i64>,
}

/// The next assignment, by centre.
pub fn next(sides: &BTreeMap<String, Side>) -> BTreeMap<String, i64> {
    let mut next: BTreeMap<String, i64> = sides.iter().map(|(c, s)| (c.clone(), s.now.max(s.target))).collect();
    let need: i64 = sides.values().map(|s| s.target).sum();
    for (centre, side) in sides.iter().filter(|(_, s)| s.target < s.now) {
        let serving: i64 = sides
            .iter()
            .map(|(c, s)| {
                let copies = if c == centre {
                    side.target
                } else {
                    next.get(c).copied().unwrap_or_default()
                };
                s.ready.unwrap_or_default().min(copies)
            })
            .sum();
        let loses_nothing = side.ready.is_some_and(|ready| ready <= side.target);
        if serving >= need || loses_nothing {
            next.insert(centre.clone(), side.target);
        }
    }
    next
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sides(all: &[(&str, i64, i64, Option<i64>)]) -> BTreeMap<String, Side> {
        let side = |(c, now, target, ready): &(&str, i64, i64, Option<i64>)| {
            (
                (*c).to_owned(),
                Side {
                    now: *now,
                    target: *target,
                    ready: *ready,
                },
            )
        };
        all.iter().map(side).collect()
    }

    fn copies(all: &[(&str, i64)]) -> BTreeMap<String, i64> {
        all.iter().map(|(c, n)| ((*c).to_owned(), *n)).collect()
    }

    #[test]
    fn a_move_raises_waits_and_lowers() {
        let first = next(&sides(&[("a", 5, 9, Some(5)), ("b", 5, 1, Some(5))]));
        assert_eq!(first, copies(&[("a", 9), ("b", 5)]));
        let waits = next(&sides(&[("a", 9, 9, Some(8)), ("b", 5, 1, Some(5))]));
        assert_eq!(waits, copies(&[("a", 9), ("b", 5)]));
        let done = next(&sides(&[("a", 9, 9, Some(9)), ("b", 5, 1, Some(5))]));
        assert_eq!(done, copies(&[("a", 9), ("b", 1)]));
    }

    #[test]
    fn fewer_copies_are_taken_at_once_where_none_is_missed() {
        assert_eq!(
            next(&sides(&[("a", 5, 3, Some(5)), ("b", 5, 3, Some(5))])),
            copies(&[("a", 3), ("b", 3)])
        );
        // Nothing of it ever ran: nobody is missed.
        assert_eq!(
            next(&sides(&[("a", 5, 1, Some(0)), ("b", 5, 1, Some(0))])),
            copies(&[("a", 1), ("b", 1)])
        );
    }

    #[test]
    fn a_silent_centre_is_not_lowered_by_guesses() {
        assert_eq!(
            next(&sides(&[("a", 5, 9, None), ("b", 5, 1, None)])),
            copies(&[("a", 9), ("b", 5)])
        );
        assert_eq!(
            next(&sides(&[("a", 4, 0, None), ("b", 4, 4, Some(3))])),
            copies(&[("a", 4), ("b", 4)])
        );
        // The others hold everything by themselves.
        assert_eq!(
            next(&sides(&[("a", 4, 0, None), ("b", 4, 4, Some(4))])),
            copies(&[("a", 0), ("b", 4)])
        );
    }

    proptest! {
        #[test]
        fn ready_copies_never_fall_below_what_was_or_is_wanted(
            all in proptest::collection::vec((0i64..9, 0i64..9, proptest::option::of(0i64..12)), 1..5)
        ) {
            let sides: BTreeMap<String, Side> = all.iter().enumerate().map(|(i, (now, target, ready))| {
                (format!("c{i}"), Side { now: *now, target: *target, ready: ready.map(|r| r.min(*now)) })
            }).collect();
            let next = next(&sides);
            let ready = |copies: &dyn Fn(&String, &Side) -> i64| -> i64 {
                sides.iter().map(|(c, s)| s.ready.unwrap_or_default().min(copies(c, s))).sum()
            };
            let before = ready(&|_, s| s.now);
            let after = ready(&|c, _| next[c]);
            let need: i64 = sides.values().map(|s| s.target).sum();
            prop_assert!(after >= before.min(need));
            for (c, s) in &sides {
                prop_assert!(next[c] == s.target || (next[c] == s.now && s.now > s.target));
            }
        }
    }
}
