//! The table of a node: the text that shuts it at boot, and whether what stands is exactly that.

use std::fmt::{Display, Write as _};

use serde_json::{Value, json};

use crate::bounds::{PERMIT_MS, TICKET_MS};
use crate::ranges::Ranges;

/// The only table that is ours.
pub const TABLE: &str = "xiangyun_gate";

/// Before raw (−300) and so before conntrack (−200): a stream that is established is cut too.
pub const PRIORITY: i32 = -350;

/// Where packets are looked at. Before addresses are translated and after: `prerouting` sees what a pod sends, `forward`,
/// `input` and `postrouting` see the pod that stands behind a Service's address, `output` what the node itself sends.
pub const HOOKS: [&str; 5] = ["prerouting", "input", "forward", "output", "postrouting"];

/// The chain that all of them jump to.
const CLOSED: &str = "closed";

/// (protocol, set suffix, type of an address).
const FAMILIES: [(&str, u8, &str); 2] = [("ip", 4, "ipv4_addr"), ("ip6", 6, "ipv6_addr")];

/// The ruleset of a node. Loading it is one transaction; loaded again it changes nothing, and permits that stand go on.
/// Loaded at boot there are none, so that everything in the ranges is shut.
pub fn boot(ranges: &Ranges) -> String {
    let mut text =
        format!("# {TABLE}: written by `xiangyun-gate boot`, loaded by nftables.service before the network.\n");
    let mut line = |words: std::fmt::Arguments<'_>| {
        let _ = writeln!(text, "{words}");
    };
    line(format_args!("add table inet {TABLE}"));
    for (_, family, kind) in FAMILIES {
        line(format_args!(
            "add set inet {TABLE} governed{family} {{ type {kind}; flags interval; }}"
        ));
        line(format_args!(
            "add set inet {TABLE} permits{family} {{ type {kind}; flags timeout; timeout {}s; }}",
            PERMIT_MS / 1_000
        ));
        line(format_args!(
            "add set inet {TABLE} tickets{family} {{ type {kind} . mark; flags timeout; timeout {}s; }}",
            TICKET_MS / 1_000
        ));
        line(format_args!("flush set inet {TABLE} governed{family}"));
    }
    for (family, elements) in [(4, joined(ranges.v4())), (6, joined(ranges.v6()))] {
        if !elements.is_empty() {
            line(format_args!(
                "add element inet {TABLE} governed{family} {{ {elements} }}"
            ));
        }
    }
    line(format_args!("add chain inet {TABLE} {CLOSED}"));
    line(format_args!("flush chain inet {TABLE} {CLOSED}"));
    for (protocol, family, _) in FAMILIES {
        for end in ["saddr", "daddr"] {
            line(format_args!(
                "add rule inet {TABLE} {CLOSED} {protocol} {end} @governed{family} \
                 {protocol} {end} != @permits{family} counter drop"
            ));
        }
    }
    for hook in HOOKS {
        line(format_args!(
            "add chain inet {TABLE} {hook} {{ type filter hook {hook} priority {PRIORITY}; policy accept; }}"
        ));
        line(format_args!("flush chain inet {TABLE} {hook}"));
        line(format_args!("add rule inet {TABLE} {hook} jump {CLOSED}"));
    }
    text
}

fn joined(ranges: &[impl Display]) -> String {
    let all: Vec<String> = ranges.iter().map(ToString::to_string).collect();
    all.join(", ")
}

/// The ruleset in place of whatever stands under our name, without a permit: one transaction, shut before and after.
pub fn closed(ranges: &Ranges) -> String {
    format!("add table inet {TABLE}\ndelete table inet {TABLE}\n{}", boot(ranges))
}

/// What a listing of the table says apart from the elements of sets, without handles and counters.
pub(crate) fn expected() -> Vec<Value> {
    let mut all = vec![json!({"table": {"family": "inet", "name": TABLE}})];
    let mut rules = Vec::new();
    for (protocol, family, kind) in FAMILIES {
        let name = |set: &str| format!("{set}{family}");
        all.push(
            json!({"set": {"family": "inet", "table": TABLE, "name": name("governed"),
            "type": kind, "flags": ["interval"]}}),
        );
        let timed = [
            ("permits", json!(kind), PERMIT_MS),
            ("tickets", json!([kind, "mark"]), TICKET_MS),
        ];
        for (set, kind, ms) in timed {
            all.push(json!({"set": {"family": "inet", "table": TABLE, "name": name(set),
                "type": kind, "flags": ["timeout"], "timeout": ms / 1_000}}));
        }
        for end in ["saddr", "daddr"] {
            let is = |op: &str, set: &str| {
                json!({"match": {"op": op, "right": format!("@{set}{family}"),
                    "left": {"payload": {"protocol": protocol, "field": end}}}})
            };
            let expr = [
                is("==", "governed"),
                is("!=", "permits"),
                json!({"counter": null}),
                json!({"drop": null}),
            ];
            rules.push(json!({"rule": {"family": "inet", "table": TABLE, "chain": CLOSED, "expr": expr}}));
        }
    }
    all.push(json!({"chain": {"family": "inet", "table": TABLE, "name": CLOSED}}));
    for hook in HOOKS {
        all.push(json!({"chain": {"family": "inet", "table": TABLE, "name": hook,
            "type": "filter", "hook": hook, "prio": PRIORITY, "policy": "accept"}}));
        rules.push(json!({"rule": {"family": "inet", "table": TABLE, "chain": hook,
            "expr": [{"jump": {"target": CLOSED}}]}}));
    }
    all.extend(rules);
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_in_the_ranges_is_shut_in_one_transaction() {
        let text = boot(&Ranges::new(["198.18.3.0/24", "fd00:19:2::10/124"]).unwrap());
        assert!(text.contains("add element inet xiangyun_gate governed4 { 198.18.3.0/24 }\n"));
        assert!(text.contains("add element inet xiangyun_gate governed6 { fd00:19:2::10/124 }\n"));
        assert!(text.contains("ip6 daddr @governed6 ip6 daddr != @permits6 counter drop\n"));
        // No permit, and nothing but our table.
        assert!(!text.contains("add element inet xiangyun_gate permits"));
        let foreign = |l: &&str| !l.starts_with('#') && !l.contains("inet xiangyun_gate");
        assert_eq!(text.lines().find(foreign), None);
    }
}
