//! The alert about use that is not known.

use crate::cases::Case;

pub(crate) const CASES: &[Case] = &[
    (
        "UseNotKnown",
        &[(
            "xiangyun_agent_metric_questions_total{place=\"jishi\",about=\"use\",outcome=\"failed\"}",
            "0+1x60",
        )],
        45,
        true,
    ),
    // One endpoint of a pair is enough.
    (
        "UseNotKnown",
        &[
            (
                "xiangyun_agent_metric_questions_total{place=\"jishi\",about=\"use\",outcome=\"failed\"}",
                "0+1x60",
            ),
            (
                "xiangyun_agent_metric_questions_total{place=\"jishi\",about=\"use\",outcome=\"done\"}",
                "0+1x60",
            ),
        ],
        45,
        false,
    ),
    // Answers about requests say nothing of use.
    (
        "UseNotKnown",
        &[
            (
                "xiangyun_agent_metric_questions_total{place=\"jishi\",about=\"use\",outcome=\"failed\"}",
                "0+1x60",
            ),
            (
                "xiangyun_agent_metric_questions_total{place=\"jishi\",about=\"requests\",outcome=\"done\"}",
                "0+1x60",
            ),
        ],
        45,
        true,
    ),
];
