//! The alerts about centres that do not carry alike, about memory that cannot be sold, and about the ledger's length.

use crate::cases::Case;

const LEDGER: &str = "xiangyun_ledger_bytes";

pub(crate) const CASES: &[Case] = &[
    (
        "CentreSkew",
        &[
            (
                "xiangyun_pool{pool=\"x86\",centre=\"jishi\",resource=\"cpu\",figure=\"used\"}",
                "60x90",
            ),
            (
                "xiangyun_pool{pool=\"x86\",centre=\"jishi\",resource=\"cpu\",figure=\"committable\"}",
                "100x90",
            ),
            (
                "xiangyun_pool{pool=\"x86\",centre=\"jiyidong\",resource=\"cpu\",figure=\"used\"}",
                "80x90",
            ),
            (
                "xiangyun_pool{pool=\"x86\",centre=\"jiyidong\",resource=\"cpu\",figure=\"committable\"}",
                "200x90",
            ),
        ],
        70,
        true,
    ),
    // After the advice was followed.
    (
        "CentreSkew",
        &[
            (
                "xiangyun_pool{pool=\"x86\",centre=\"jishi\",resource=\"cpu\",figure=\"used\"}",
                "60x20 48x70",
            ),
            (
                "xiangyun_pool{pool=\"x86\",centre=\"jishi\",resource=\"cpu\",figure=\"committable\"}",
                "100x90",
            ),
            (
                "xiangyun_pool{pool=\"x86\",centre=\"jiyidong\",resource=\"cpu\",figure=\"used\"}",
                "80x20 92x70",
            ),
            (
                "xiangyun_pool{pool=\"x86\",centre=\"jiyidong\",resource=\"cpu\",figure=\"committable\"}",
                "200x90",
            ),
        ],
        85,
        false,
    ),
    ("LedgerLarge", &[(LEDGER, "600000x20")], 10, true),
    ("LedgerLarge", &[(LEDGER, "500000x20")], 10, false),
];

/// By the hour: 1,000 GiB are free beside 100 or 200 vCPU.
pub(crate) const BY_THE_HOUR: &[Case] = &[
    (
        "StrandedMemory",
        &[
            (
                "xiangyun_pool{pool=\"x86\",centre=\"jishi\",resource=\"memory\",figure=\"free\"}",
                "1073741824000x30",
            ),
            (
                "xiangyun_pool{pool=\"x86\",centre=\"jishi\",resource=\"memory\",figure=\"committable\"}",
                "4294967296000x30",
            ),
            (
                "xiangyun_pool{pool=\"x86\",centre=\"jishi\",resource=\"cpu\",figure=\"free\"}",
                "100x30",
            ),
        ],
        26,
        true,
    ),
    (
        "StrandedMemory",
        &[
            (
                "xiangyun_pool{pool=\"x86\",centre=\"jishi\",resource=\"memory\",figure=\"free\"}",
                "1073741824000x30",
            ),
            (
                "xiangyun_pool{pool=\"x86\",centre=\"jishi\",resource=\"memory\",figure=\"committable\"}",
                "4294967296000x30",
            ),
            (
                "xiangyun_pool{pool=\"x86\",centre=\"jishi\",resource=\"cpu\",figure=\"free\"}",
                "200x30",
            ),
        ],
        26,
        false,
    ),
];
