//! The alerts about moves between centres.

use crate::cases::Case;

pub(crate) const CASES: &[Case] = &[
    (
        "CentreLost",
        &[("xiangyun_centre_witness{centre=\"jishi\",state=\"Lost\"}", "0x3 1x9")],
        5,
        true,
    ),
    (
        "CentreLost",
        &[
            ("xiangyun_centre_witness{centre=\"jishi\",state=\"Lost\"}", "0x9"),
            ("xiangyun_centre_witness{centre=\"jishi\",state=\"Returned\"}", "1x9"),
        ],
        5,
        false,
    ),
    (
        "WitnessLost",
        &[(
            "xiangyun_failover_armed{reason=\"WitnessLost\",criticality=\"General\"}",
            "3x9",
        )],
        5,
        true,
    ),
    (
        "WitnessLost",
        &[(
            "xiangyun_failover_armed{reason=\"Armed\",criticality=\"General\"}",
            "3x9",
        )],
        5,
        false,
    ),
    (
        "CentreAgentDown",
        &[("xiangyun_centre_witness{centre=\"jishi\",state=\"AgentDown\"}", "1x9")],
        5,
        true,
    ),
    (
        "CentreAgentDown",
        &[("xiangyun_centre_witness{centre=\"jishi\",state=\"AgentDown\"}", "0x9")],
        5,
        false,
    ),
    (
        "CentreDegraded",
        &[("xiangyun_centre_witness{centre=\"jishi\",state=\"Degraded\"}", "1x9")],
        1,
        true,
    ),
    (
        "CentreDegraded",
        &[("xiangyun_centre_witness{centre=\"jishi\",state=\"Degraded\"}", "0x9")],
        1,
        false,
    ),
    (
        "FailoverNotArmed",
        &[(
            "xiangyun_failover_armed{reason=\"NoTarget\",criticality=\"Key\"}",
            "1x30",
        )],
        15,
        true,
    ),
    // Neither what is general, nor what people left to people, nor what moves for a moment.
    (
        "FailoverNotArmed",
        &[
            (
                "xiangyun_failover_armed{reason=\"NoTarget\",criticality=\"General\"}",
                "1x30",
            ),
            (
                "xiangyun_failover_armed{reason=\"ManualOnly\",criticality=\"Key\"}",
                "1x30",
            ),
            (
                "xiangyun_failover_armed{reason=\"ReserveMissing\",criticality=\"Key\"}",
                "1x5 0x30",
            ),
        ],
        15,
        false,
    ),
    (
        "FenceUnavailable",
        &[(
            "xiangyun_failover_armed{reason=\"FenceUnavailable\",criticality=\"General\"}",
            "1x30",
        )],
        15,
        true,
    ),
    (
        "FenceUnavailable",
        &[(
            "xiangyun_failover_armed{reason=\"FenceUnavailable\",criticality=\"General\"}",
            "1x5 0x30",
        )],
        15,
        false,
    ),
    (
        "FencingUnconfirmed",
        &[("xiangyun_failovers_waiting{reason=\"FencingUnconfirmed\"}", "1x9")],
        5,
        true,
    ),
    (
        "FencingUnconfirmed",
        &[("xiangyun_failovers_waiting{reason=\"AwaitingApproval\"}", "1x9")],
        5,
        false,
    ),
    (
        "RTOExceeded",
        &[("xiangyun_failover_rto_exceeded_total{type=\"Unplanned\"}", "0x5 1x30")],
        10,
        true,
    ),
    // An hour later it is history.
    (
        "RTOExceeded",
        &[("xiangyun_failover_rto_exceeded_total{type=\"Unplanned\"}", "0x5 1x100")],
        80,
        false,
    ),
];
