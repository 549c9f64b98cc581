//! The alerts about terms and exceptions that have ended.

use crate::cases::Case;

pub(crate) const CASES: &[Case] = &[
    (
        "GrantInGrace",
        &[("xiangyun_requests{reason=\"InGrace\"}", "1x20")],
        10,
        true,
    ),
    (
        "GrantInGrace",
        &[("xiangyun_requests{reason=\"Active\"}", "1x20")],
        10,
        false,
    ),
    (
        "ExceptionExpired",
        &[("xiangyun_exceptions{reason=\"Expired\"}", "1x20")],
        10,
        true,
    ),
    (
        "ExceptionExpired",
        &[("xiangyun_exceptions{reason=\"Active\"}", "1x20")],
        10,
        false,
    ),
];
