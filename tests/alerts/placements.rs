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
];
