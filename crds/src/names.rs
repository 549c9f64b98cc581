//! Names that more than one program must agree on. One place, so that nobody spells them twice.

/// Labels, annotations and finalizers, all under `xiangyun.io/`.
pub mod label {
    /// On a node: the pool it belongs to. On a namespace in a centre: the pool its pods run on.
    pub const POOL: &str = "xiangyun.io/pool";
    /// On a node: the phase of expansion it was bought in. It counts once that is accepted.
    pub const PHASE: &str = "xiangyun.io/phase";
    /// On a namespace: the tenant that owns it. Its presence marks the namespace as ours.
    pub const TENANT: &str = "xiangyun.io/tenant";
    /// On every object that a xiangyun program wrote: which program.
    pub const MANAGED_BY: &str = "app.kubernetes.io/managed-by";
    /// Finalizer of a request whose grant may be charged; stamped at creation by the admission policy.
    pub const CHARGED: &str = "xiangyun.io/charged";
    /// Finalizer of a request whose history is not in the reports of its months yet; stamped with the other one.
    pub const METERED: &str = "xiangyun.io/metered";
    /// Annotation on what an agent applies: the epoch of the decision behind it.
    pub const EPOCH: &str = "xiangyun.io/epoch";
    /// On an object in a centre: the placement that put it there.
    pub const PLACEMENT: &str = "xiangyun.io/placement";
    /// Annotation beside it: the mark of what was applied, so that a template that changed is told from an edit.
    pub const APPLIED: &str = "xiangyun.io/applied";
    /// Annotation on a Job of a centre: uid of the template that it was made of. Another uid is another Job.
    pub const TEMPLATE: &str = "xiangyun.io/template";
    /// Start of the annotation on a placement with which a person of a member cloud confirms a decision; the cloud's name
    /// follows. The value is what the cloud's row says under `confirm`.
    pub const CONFIRMED: &str = "confirmed.xiangyun.io/";
    /// Annotation on an exclusive object and on its pods: epoch of the right that it runs under, `incarnation.counter`.
    pub const RIGHT: &str = "xiangyun.io/right";
    /// Label on an exclusive object and on its pods: its placement.
    pub const EXCLUSIVE: &str = "xiangyun.io/exclusive";
    /// On a node: a gate stands there, and exclusive pods may run on it.
    pub const GATE: &str = "xiangyun.io/gate";
    /// Annotation on a Failover: it is to be given up, and why.
    pub const ABORT: &str = "xiangyun.io/abort";
    /// Annotation on a Failover: what the tenant's contacts were told of it, separated by commas.
    pub const NOTIFIED: &str = "xiangyun.io/notified";
    /// Label on whatever is of one cause, and word of every event about it.
    pub const INCIDENT: &str = "xiangyun.io/incident";
    /// Annotation on what publishes traffic: the weight of its centre.
    pub const WEIGHT: &str = "xiangyun.io/weight";
    /// Label beside it: the centre.
    pub const CENTRE: &str = "xiangyun.io/centre";
    /// Finalizer of a placement while a centre may hold something of it.
    pub const PLACED: &str = "xiangyun.io/placed";
}

/// Condition types.
pub mod condition {
    /// The summary every kind carries.
    pub const READY: &str = "Ready";
    /// All approvals that the request needs were given.
    pub const APPROVED: &str = "Approved";
    /// The ledger holds the request's charge and the allocation is written.
    pub const QUOTA_RESERVED: &str = "QuotaReserved";
    /// Every centre of the allocation reported it as applied.
    pub const PROVISIONED: &str = "Provisioned";
    /// More is charged than the pool can commit.
    pub const OVER_COMMITTED: &str = "OverCommitted";
    /// The term of a grant ends soon, or has ended.
    pub const EXPIRING: &str = "Expiring";
    /// A grant is used far less than it holds.
    pub const IDLE: &str = "Idle";
    /// The ledger counts a tenant as its spec says.
    pub const ADOPTED: &str = "Adopted";
    /// A pool on `Drain` holds no grant any more.
    pub const DRAINED: &str = "Drained";
    /// The capacity of a phase of expansion is in the ledger.
    pub const ACCEPTED: &str = "Accepted";
    /// Nodes of the pool belong to a phase of expansion that is not accepted.
    pub const AWAITING_ACCEPTANCE: &str = "AwaitingAcceptance";
    /// Each centre of a placement could hold all of its copies alone.
    pub const SURVIVABLE: &str = "Survivable";
    /// Every centre of a placement really serves.
    pub const EFFECTIVELY_ACTIVE_ACTIVE: &str = "EffectivelyActiveActive";
    /// Pods of a placement hold devices: they cannot move, only start anew.
    pub const RESTART_ONLY: &str = "RestartOnly";
    /// A loss of the placement's centre would be answered.
    pub const FAILOVER_ARMED: &str = "FailoverArmed";
    /// The weights of a placement's centres are where traffic is steered by them.
    pub const TRAFFIC_PUBLISHED: &str = "TrafficPublished";
    /// A move is done.
    pub const COMPLETE: &str = "Complete";
    /// An approval counted for its request.
    pub const COUNTED: &str = "Counted";
}

/// Object names and field managers.
pub mod object {
    /// The one ledger and the one table of limits.
    pub const PROVINCE: &str = "province";
    /// The ResourceQuota, LimitRange and NetworkPolicy of a tenant namespace in a centre.
    pub const XIANGYUN: &str = "xiangyun";
    /// Field manager of the operator.
    pub const CONTROLLER: &str = "xiangyun-controller";
    /// Field manager of the centre agents.
    pub const AGENT: &str = "xiangyun-agent";
    /// Namespace of the operator's lease in the hub and of the agents' leases and epoch records in the centres.
    pub const SYSTEM: &str = "xiangyun-system";
}

/// ClusterRoles that are shipped: four for people, two for processes; none serves both.
pub mod role {
    /// Departments: write requests in their own namespace.
    pub const REQUESTER: &str = "xiangyun-requester";
    /// Approvers: write approvals.
    pub const APPROVER: &str = "xiangyun-approver";
    /// The platform team: centres, pools, tenants.
    pub const OPERATOR: &str = "xiangyun-operator";
    /// Auditors: read everything, change nothing.
    pub const AUDITOR: &str = "xiangyun-auditor";
    /// The operator process.
    pub const CONTROLLER: &str = "xiangyun-controller";
    /// The centre agents.
    pub const CENTRE: &str = "xiangyun-centre";
}

/// Users and groups of processes and of people.
pub mod group {
    /// User name of the operator process.
    pub const CONTROLLER_USER: &str = "xiangyun:controller";
    /// User name of a centre's agent: this and the centre's name.
    pub const CENTRE_USER_PREFIX: &str = "xiangyun:centre:";
    /// Group of all centre agents.
    pub const CENTRES: &str = "xiangyun:centres";
    /// Group of the agents of member clouds at stage `Observed`: they read no templates.
    pub const OBSERVERS: &str = "xiangyun:observers";
    /// Group of the people of all member clouds.
    pub const MEMBERS: &str = "xiangyun:members";
    /// Group of the people of one member cloud: this and its name.
    pub const MEMBER_PREFIX: &str = "xiangyun:member:";
    /// Group of the platform team.
    pub const PLATFORM: &str = "xiangyun:platform";
    /// Group of every approver; the level is in `xiangyun:approvers:l1`, `…:l2`.
    pub const APPROVERS: &str = "xiangyun:approvers";
    /// Group of an organisation's members: this and its name.
    pub const ORGANISATION_PREFIX: &str = "org:";
    /// Group of auditors.
    pub const AUDITORS: &str = "xiangyun:auditors";
}

/// Reasons in the answers of the admission policies in `charts/`, where none of a kind's own reasons says it.
pub mod refusal {
    /// The API server did not stamp who writes, so nothing is believed.
    pub const NOT_STAMPED: &str = "NotStamped";
    /// A priority above 0 from somebody who is not of the platform team.
    pub const PRIORITY_RESERVED: &str = "PriorityReserved";
    /// A pool or tenant that grants count on is not deleted.
    pub const IN_USE: &str = "InUse";
    /// A request whose grant is live is not deleted.
    pub const LIVE_GRANT: &str = "LiveGrant";
    /// An agent writes only its centre's report and rows.
    pub const NOT_OWN_ROW: &str = "NotOwnRow";
    /// An agent writes only in namespaces of tenants.
    pub const NOT_OURS: &str = "NotOurs";
    /// A program hands on a role that is not for others.
    pub const ROLE_FORBIDDEN: &str = "RoleForbidden";
    /// A pod names another pool than its namespace's.
    pub const POOL_MISMATCH: &str = "PoolMismatch";
    /// Whoever confirms for a member cloud belongs to it, and changes nothing else.
    pub const NOT_THE_MEMBER: &str = "NotTheMember";
    /// What is written is of a right that has ended.
    pub const STALE_EPOCH: &str = "StaleEpoch";
    /// The copies of an exclusive placement are the agent's alone.
    pub const EXCLUSIVE_SCALE: &str = "ExclusiveScale";
    /// Of a move, something that the operator alone writes.
    pub const OPERATOR_ONLY: &str = "OperatorOnly";
    /// A pod names its node.
    pub const NODE_NAME_FORBIDDEN: &str = "NodeNameForbidden";
    /// A warning and no refusal: far more memory than comes with the vCPU.
    pub const MUCH_MEMORY: &str = "MuchMemory";
}
