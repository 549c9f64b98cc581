//! What each alert is about, and what it is not about.

/// An alert, series in promtool's notation, the minute at which is looked, and whether it fires then.
pub(crate) type Case = (&'static str, &'static [(&'static str, &'static str)], u32, bool);

const OPERATORS: &str = "up{job=\"operator\",place=\"jishi\"}";
const AWAITS: &str = "xiangyun_requests_oldest_timestamp_seconds{reason=\"AwaitingApproval\"}";
const PROVISIONING: &str = "xiangyun_requests_oldest_timestamp_seconds{reason=\"Provisioning\"}";

pub(crate) const CASES: &[Case] = &[
    (
        "CentreNotReporting",
        &[("xiangyun_centre_ready{centre=\"jishi\"}", "1 0x9")],
        5,
        true,
    ),
    (
        "CentreNotReporting",
        &[("xiangyun_centre_ready{centre=\"jishi\"}", "1x9")],
        5,
        false,
    ),
    // Two replicas just after a takeover: one of them knows better.
    (
        "CentreNotReporting",
        &[
            ("xiangyun_centre_ready{centre=\"jishi\",process=\"a\"}", "0x9"),
            ("xiangyun_centre_ready{centre=\"jishi\",process=\"b\"}", "1x9"),
        ],
        5,
        false,
    ),
    (
        "AgentCutFromHub",
        &[("xiangyun_agent_hub_reachable{place=\"jishi\"}", "1 0x9")],
        8,
        true,
    ),
    (
        "AgentCutFromHub",
        &[
            ("xiangyun_agent_hub_reachable{place=\"jishi\",process=\"a\"}", "0x9"),
            ("xiangyun_agent_hub_reachable{place=\"jishi\",process=\"b\"}", "1x9"),
        ],
        8,
        false,
    ),
    (
        "NamespacesHeld",
        &[("xiangyun_agent_held_namespaces{place=\"jishi\"}", "2x20")],
        15,
        true,
    ),
    (
        "NamespacesHeld",
        &[("xiangyun_agent_held_namespaces{place=\"jishi\"}", "2x3 0x20")],
        15,
        false,
    ),
    (
        "NoLeader",
        &[("xiangyun_leader_epoch{process=\"a\"}", "3 0x9")],
        5,
        true,
    ),
    // All operators are gone: no series at all.
    ("NoLeader", &[("up{job=\"agent\"}", "1x9")], 5, true),
    ("NoLeader", &[("xiangyun_leader_epoch{process=\"a\"}", "3x9")], 5, false),
    (
        "LeaderIsOutdated",
        &[
            ("xiangyun_agent_epoch{place=\"jishi\"}", "8x9"),
            ("xiangyun_leader_epoch", "7x9"),
        ],
        5,
        true,
    ),
    // Agents learn of a new epoch with the next grant: to be behind is nothing.
    (
        "LeaderIsOutdated",
        &[
            ("xiangyun_agent_epoch{place=\"jishi\"}", "7x9"),
            ("xiangyun_leader_epoch", "8x9"),
        ],
        5,
        false,
    ),
    (
        "ClockAhead",
        &[("xiangyun_clock_ahead_seconds{process=\"a\"}", "7200x9")],
        5,
        true,
    ),
    (
        "ClockAhead",
        &[("xiangyun_clock_ahead_seconds{process=\"a\"}", "0x9")],
        5,
        false,
    ),
    (
        "TwoLeaders",
        &[
            ("xiangyun_leader_epoch{process=\"a\"}", "3x9"),
            ("xiangyun_leader_epoch{process=\"b\"}", "4x9"),
        ],
        5,
        true,
    ),
    (
        "TwoLeaders",
        &[
            ("xiangyun_leader_epoch{process=\"a\"}", "3x9"),
            ("xiangyun_leader_epoch{process=\"b\"}", "0x9"),
        ],
        5,
        false,
    ),
    (
        "PassesFailing",
        &[
            (
                "xiangyun_passes_total{controller=\"tenant\",outcome=\"failed\"}",
                "0+5x20",
            ),
            (
                "xiangyun_passes_total{controller=\"tenant\",outcome=\"done\"}",
                "0+5x20",
            ),
        ],
        12,
        true,
    ),
    (
        "PassesFailing",
        &[
            (
                "xiangyun_passes_total{controller=\"tenant\",outcome=\"failed\"}",
                "3x20",
            ),
            (
                "xiangyun_passes_total{controller=\"tenant\",outcome=\"done\"}",
                "0+5x20",
            ),
        ],
        12,
        false,
    ),
    (
        "PoolOverCommitted",
        &[
            (
                "xiangyun_pool{pool=\"x86\",centre=\"jishi\",resource=\"cpu\",figure=\"charged\"}",
                "11x9",
            ),
            (
                "xiangyun_pool{pool=\"x86\",centre=\"jishi\",resource=\"cpu\",figure=\"committable\"}",
                "10x9",
            ),
        ],
        5,
        true,
    ),
    // All of it sold is not too much; another centre's figure is not compared.
    (
        "PoolOverCommitted",
        &[
            (
                "xiangyun_pool{pool=\"x86\",centre=\"jishi\",resource=\"cpu\",figure=\"charged\"}",
                "10x9",
            ),
            (
                "xiangyun_pool{pool=\"x86\",centre=\"jishi\",resource=\"cpu\",figure=\"committable\"}",
                "10x9",
            ),
            (
                "xiangyun_pool{pool=\"x86\",centre=\"jiyidong\",resource=\"cpu\",figure=\"committable\"}",
                "5x9",
            ),
        ],
        5,
        false,
    ),
    (
        "PoolNearlyFull",
        &[
            (
                "xiangyun_pool{pool=\"x86\",centre=\"jishi\",resource=\"cpu\",figure=\"free\"}",
                "9x30",
            ),
            (
                "xiangyun_pool{pool=\"x86\",centre=\"jishi\",resource=\"cpu\",figure=\"committable\"}",
                "100x30",
            ),
        ],
        20,
        true,
    ),
    // A resource that the pool does not have is not full.
    (
        "PoolNearlyFull",
        &[
            (
                "xiangyun_pool{pool=\"x86\",centre=\"jishi\",resource=\"storage\",figure=\"free\"}",
                "0x30",
            ),
            (
                "xiangyun_pool{pool=\"x86\",centre=\"jishi\",resource=\"storage\",figure=\"committable\"}",
                "0x30",
            ),
        ],
        20,
        false,
    ),
    (
        "LedgerRepaired",
        &[("xiangyun_ledger_repairs_total", "0x3 1x9")],
        8,
        true,
    ),
    (
        "LedgerRepaired",
        &[("xiangyun_ledger_repairs_total", "1x20")],
        15,
        false,
    ),
    (
        "LedgerRecordsStuck",
        &[("xiangyun_ledger_open_records", "1x90")],
        80,
        true,
    ),
    (
        "LedgerRecordsStuck",
        &[("xiangyun_ledger_open_records", "1x30 0x60")],
        80,
        false,
    ),
    ("RequestAwaitsPeople", &[(AWAITS, "0x4400")], 4330, true),
    ("RequestAwaitsPeople", &[(AWAITS, "0x4400")], 4300, false),
    ("RequestNotProvisioned", &[(PROVISIONING, "0x60")], 40, true),
    ("RequestNotProvisioned", &[(PROVISIONING, "0x20 _x40")], 45, false),
    (
        "WritesRefused",
        &[(
            "xiangyun_admission_writes_total{kind=\"status\",outcome=\"refused\"}",
            "0x3 2x9",
        )],
        6,
        true,
    ),
    (
        "WritesRefused",
        &[(
            "xiangyun_admission_writes_total{kind=\"status\",outcome=\"done\"}",
            "0+9x9",
        )],
        6,
        false,
    ),
    (
        "UnreadableObjects",
        &[("xiangyun_unreadable_objects{kind=\"Tenant\"}", "1x9")],
        8,
        true,
    ),
    (
        "UnreadableObjects",
        &[("xiangyun_unreadable_objects{kind=\"Tenant\"}", "0x9")],
        8,
        false,
    ),
    ("OperatorReplicaDown", &[(OPERATORS, "1x9")], 5, true),
    (
        "OperatorReplicaDown",
        &[(OPERATORS, "1x9"), ("up{job=\"operator\",place=\"jiyidong\"}", "1x9")],
        5,
        false,
    ),
    (
        "AgentsDown",
        &[
            ("up{job=\"agent\",place=\"jishi\",process=\"agent-1\"}", "0x9"),
            ("up{job=\"agent\",place=\"jishi\",process=\"agent-2\"}", "0x9"),
        ],
        5,
        true,
    ),
    (
        "AgentsDown",
        &[
            ("up{job=\"agent\",place=\"jishi\",process=\"agent-1\"}", "0x9"),
            ("up{job=\"agent\",place=\"jishi\",process=\"agent-2\"}", "1x9"),
        ],
        5,
        false,
    ),
    (
        "TargetDown",
        &[("up{job=\"kwok\",process=\"kwok@jishi\"}", "0x9")],
        7,
        true,
    ),
    // These have alerts of their own.
    (
        "TargetDown",
        &[("up{job=\"agent\",process=\"agent-1@jishi\"}", "0x9")],
        7,
        false,
    ),
    (
        "ApiServerErrors",
        &[
            (
                "apiserver_request_total{job=\"hub-apiserver\",place=\"jishi\",code=\"503\"}",
                "0+10x20",
            ),
            (
                "apiserver_request_total{job=\"hub-apiserver\",place=\"jishi\",code=\"200\"}",
                "0+90x20",
            ),
        ],
        15,
        true,
    ),
    (
        "ApiServerErrors",
        &[
            (
                "apiserver_request_total{job=\"hub-apiserver\",place=\"jishi\",code=\"409\"}",
                "0+10x20",
            ),
            (
                "apiserver_request_total{job=\"hub-apiserver\",place=\"jishi\",code=\"200\"}",
                "0+90x20",
            ),
        ],
        15,
        false,
    ),
    (
        "HubQuorumAtRisk",
        &[
            ("up{job=\"hub-etcd\",process=\"1\"}", "1x9"),
            ("up{job=\"hub-etcd\",process=\"2\"}", "1x9"),
            ("up{job=\"hub-etcd\",process=\"3\"}", "1x9"),
            ("up{job=\"hub-etcd\",process=\"4\"}", "0x9"),
        ],
        5,
        true,
    ),
    (
        "HubQuorumAtRisk",
        &[
            ("up{job=\"hub-etcd\",process=\"1\"}", "1x9"),
            ("up{job=\"hub-etcd\",process=\"2\"}", "1x9"),
            ("up{job=\"hub-etcd\",process=\"3\"}", "1x9"),
            ("up{job=\"hub-etcd\",process=\"4\"}", "1x9"),
        ],
        5,
        false,
    ),
    (
        "EtcdHasNoLeader",
        &[("etcd_server_has_leader{process=\"hub-etcd-1@jishi\"}", "0x9")],
        5,
        true,
    ),
    (
        "EtcdHasNoLeader",
        &[("etcd_server_has_leader{process=\"hub-etcd-1@jishi\"}", "1x9")],
        5,
        false,
    ),
    (
        "EtcdNearlyFull",
        &[
            ("etcd_mvcc_db_total_size_in_bytes{process=\"e\"}", "81x9"),
            ("etcd_server_quota_backend_bytes{process=\"e\"}", "100x9"),
        ],
        8,
        true,
    ),
    (
        "EtcdNearlyFull",
        &[
            ("etcd_mvcc_db_total_size_in_bytes{process=\"e\"}", "79x9"),
            ("etcd_server_quota_backend_bytes{process=\"e\"}", "100x9"),
        ],
        8,
        false,
    ),
];
