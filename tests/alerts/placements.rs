//! The alerts about placements.

use crate::cases::Case;

pub(crate) const CASES: &[Case] = &[
    (
        "PlacementHeld",
        &[("xiangyun_placements{reason=\"GrantTooSmall\"}", "2x30")],
        20,
        true,
    ),
    (
        "PlacementHeld",
        &[("xiangyun_placements{reason=\"Running\"}", "2x30")],
        20,
        false,
    ),
    // Whose word is missing is an alert of its own, and a day is theirs.
    (
        "PlacementHeld",
        &[("xiangyun_placements{reason=\"AwaitingConfirmation\"}", "2x30")],
        20,
        false,
    ),
    (
        "MemberAwaitingConfirmation",
        &[
            ("xiangyun_member_waiting{centre=\"yanbian\"}", "1x1500"),
            ("xiangyun_member_waiting{centre=\"tonghua\"}", "0x1500"),
        ],
        1450,
        true,
    ),
    // Confirmed within the day, and another one since.
    (
        "MemberAwaitingConfirmation",
        &[("xiangyun_member_waiting{centre=\"yanbian\"}", "1x900 0x5 1x900")],
        1800,
        false,
    ),
    (
        "MemberAwaitingConfirmation",
        &[("xiangyun_member_waiting", "0x1500")],
        1450,
        false,
    ),
    (
        "PlacementNotReady",
        &[("xiangyun_placements{reason=\"Starting\"}", "1x30")],
        20,
        true,
    ),
    // A rollout of a minute is none of it.
    (
        "PlacementNotReady",
        &[("xiangyun_placements{reason=\"Starting\"}", "1x5 0x20")],
        20,
        false,
    ),
    (
        "OneSidedTraffic",
        &[("xiangyun_placements_serving{reason=\"OneSidedTraffic\"}", "1x30")],
        20,
        true,
    ),
    // A centre that has just begun gets its first users within minutes.
    (
        "OneSidedTraffic",
        &[("xiangyun_placements_serving{reason=\"OneSidedTraffic\"}", "1x8 0x20")],
        20,
        false,
    ),
    // A centre that cannot serve is an alert of its own.
    (
        "OneSidedTraffic",
        &[("xiangyun_placements_serving{reason=\"CentreDoesNotServe\"}", "1x30")],
        20,
        false,
    ),
    // A decision that gives a centre nothing is nobody's fault there.
    (
        "CentreDoesNotServe",
        &[("xiangyun_placements_serving{reason=\"NotEverywhere\"}", "1x30")],
        20,
        false,
    ),
    // What has failed for good waits for somebody, not for time.
    (
        "PlacementHeld",
        &[("xiangyun_placements{reason=\"ObjectFailed\"}", "1x30")],
        20,
        true,
    ),
    (
        "PlacementNotReady",
        &[("xiangyun_placements{reason=\"ObjectFailed\"}", "1x30")],
        20,
        false,
    ),
    (
        "CorrectedAgainAndAgain",
        &[(
            "xiangyun_agent_drift_corrected_total{place=\"jishi\",kind=\"Deployment\"}",
            "0+3x60",
        )],
        45,
        true,
    ),
    // Somebody who tries something for a while is none of it.
    (
        "CorrectedAgainAndAgain",
        &[(
            "xiangyun_agent_drift_corrected_total{place=\"jishi\",kind=\"Deployment\"}",
            "0+3x10 30x50",
        )],
        45,
        false,
    ),
    // Their copies are ready, so that nothing else is said.
    (
        "CentreDoesNotServe",
        &[
            ("xiangyun_placements{reason=\"Running\"}", "3x30"),
            ("xiangyun_placements_serving{reason=\"CentreDoesNotServe\"}", "1x30"),
        ],
        20,
        true,
    ),
    // One that has just begun, or rolls out, is none of it; nor is a centre of which nothing is known.
    (
        "CentreDoesNotServe",
        &[
            (
                "xiangyun_placements_serving{reason=\"CentreDoesNotServe\"}",
                "1x10 0x20",
            ),
            ("xiangyun_placements_serving{reason=\"CentreUnknown\"}", "1x30"),
            ("xiangyun_placements_serving{reason=\"NotMeasured\"}", "1x30"),
        ],
        20,
        false,
    ),
];
