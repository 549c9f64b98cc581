//! The API of xiangyun, group `xiangyun.io`, version `v1alpha1`: one file for each kind.
//!
//! A kind holds what the user said (`spec`) and what was observed and decided (`status`). Rules that look at one
//! object are CEL and stand beside the field they guard; rules that need the user or a second object are admission
//! policies in `charts/`; everything else is a condition set by the operator.

mod admission_limits;
mod allocation;
mod amounts;
mod assignment;
mod conditions;
mod data_center;
mod dual_active_placement;
mod expansion_phase;
mod failover;
mod failover_approval;
mod member;
mod names;
mod placeable_kind;
mod placement_failover;
mod placement_override;
mod placement_rollout;
mod placement_status;
mod pool_queue;
mod price;
mod quota_ledger;
mod quota_pool;
mod reclaim;
mod reclaim_policy;
mod request_approval;
mod resource_need;
mod resource_request;
mod resources;
mod template_kind;
mod tenant;
mod usage_report;

pub use admission_limits::{AdmissionLimits, AdmissionLimitsSpec, LargestGrant, NeedKind, Units};
pub use allocation::{Allocation, AllocationPool, CentreRow, CentreShare, InForce};
pub use amounts::{Amount, AmountError, Amounts};
pub use assignment::{Assignment, CentreAssignment, CheckedTemplate, PlacedObject, WorkloadCopies};
pub use conditions::{Condition, find as find_condition, is_true as condition_is_true, set as set_condition};
pub use data_center::{
    CardNodes, CentreReport, CentreRole, DataCenter, DataCenterSpec, DataCenterStatus, MetricLabel, MetricSource,
    Ownership, PhaseCapacity, PoolCapacity, RequestCounter, reason as centre_reason,
};
pub use dual_active_placement::{
    Drift, DualActivePlacement, DualActivePlacementSpec, Existing, PlacementCentre, PlacementMode, Removal, Select,
    Split, Standby, TemplateRef, reason as placement_reason,
};
pub use expansion_phase::{
    Acceptance, Delivery, ExpansionPhase, ExpansionPhaseSpec, ExpansionPhaseStatus, PhaseRow, PhaseStage, PlanProgress,
    reason as phase_reason,
};
pub use failover::{
    Failover, FailoverPhase, FailoverSpec, FailoverStamp, FailoverStatus, FailoverStep, FailoverType, FencingProof,
    PlacementRef, ProofKind, reason as failover_reason,
};
pub use failover_approval::{
    FailoverApproval, FailoverApprovalSpec, FailoverApprovalStatus, FailoverRef, FailoverWord,
    reason as failover_approval_reason,
};
pub use member::{Lent, Member, MemberStage, MemberType};
pub use names::{condition, group, label, object, refusal, role};
pub use placeable_kind::{PlaceableKind, PlaceableKindSpec, PlaceableKindStatus, reason as placeable_reason};
pub use placement_failover::{
    CentreWitness, Criticality, FailbackPolicy, FailoverMode, FailoverPolicy, FenceRow, Gateway, LastFailover,
    NotAnEpoch, RightEpoch, Traffic, WitnessState,
};
pub use placement_override::{ArgsOverride, EnvOverride, ImageOverride, Override, OverrideTarget, PatchOp, PatchStep};
pub use placement_rollout::{CentreRevision, OnFailure, Rollout, RolloutOrder, WorkloadRollout};
pub use placement_status::{
    DualActivePlacementStatus, JobEnd, JobOutcome, JobRow, Layer, LayerName, LayerState, PlacementRow, PlacementTotal,
    ServiceRow, ShortCentre, WorkloadRow,
};
pub use pool_queue::{CentreAmounts, EndingGrant, KeptAmounts, PoolQueue, PoolQueueSpec, WaitingRequest};
pub use price::{Currency, MonthlyPrice, Normalization, Price, UnitPrice};
pub use quota_ledger::{
    LedgerCeiling, LedgerCentre, LedgerCharge, LedgerGrowth, LedgerPool, LedgerRecord, LedgerState, LedgerTenant,
    QuotaLedger, QuotaLedgerSpec,
};
pub use quota_pool::{
    AcceleratorSpec, AcceleratorUse, ApprovalLevel, ApprovalPolicy, Architecture, CapacitySource, CentrePool, Intake,
    Overcommit, PoolCentre, PoolFigures, QuotaPool, QuotaPoolSpec, QuotaPoolStatus, Reserve, StorageSpec, StorageTier,
    Zone, reason as pool_reason,
};
pub use reclaim::{Appeal, PoolUse, Reclaim, ReclaimStage, ReclaimStep, Utilization};
pub use reclaim_policy::{
    Exemption, ReclaimAction, ReclaimPolicy, ReclaimPolicySpec, ReclaimPolicyStatus, reason as reclaim_reason,
};
pub use request_approval::{
    Approver, Decision, RequestApproval, RequestApprovalSpec, RequestApprovalStatus, RequestRef,
    reason as approval_reason,
};
pub use resource_need::{AcceleratorNeed, PoolAmounts, PoolNeed, ResourceNeed, StorageNeed};
pub use resource_request::{
    AllocationRef, ApprovalCount, Compliance, Funding, Project, RequestArchitecture, RequestType, ResourceRequest,
    ResourceRequestSpec, ResourceRequestStatus, Survival, Term, reason as request_reason,
};
pub use resources::Resources;
pub use template_kind::{Address, NoTemplateKind, TemplateKind};
pub use tenant::{
    Administrator, AdministratorKind, Ceiling, Contact, Tenant, TenantLevel, TenantSpec, TenantStatus,
    reason as tenant_reason,
};
pub use usage_report::{
    ExactUsage, HistoryEntry, UsageFigures, UsageReport, UsageReportSpec, UsageReportStatus, UsageRow,
};

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::CustomResourceExt as _;

/// Every CustomResourceDefinition of this version, in the order in which they are installed.
pub fn all() -> Vec<CustomResourceDefinition> {
    vec![
        DataCenter::crd(),
        QuotaPool::crd(),
        ExpansionPhase::crd(),
        Tenant::crd(),
        ResourceRequest::crd(),
        RequestApproval::crd(),
        QuotaLedger::crd(),
        AdmissionLimits::crd(),
        PoolQueue::crd(),
        UsageReport::crd(),
        ReclaimPolicy::crd(),
        DualActivePlacement::crd(),
        PlaceableKind::crd(),
        Failover::crd(),
        FailoverApproval::crd(),
    ]
}
