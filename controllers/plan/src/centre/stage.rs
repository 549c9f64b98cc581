//! What an agent may write in its cluster. In a centre of the province everything that was decided; in a member cloud as
//! much as its stage allows. Every writer of the agent asks here, and nowhere else.

use std::collections::BTreeMap;

use crds::{AmountError, CentreRole, DataCenter, MemberStage, Resources, TemplateKind, placement_reason as reason};

use super::rows::Reason;

/// Where the agent works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// A centre of the province.
    Own,
    /// A member cloud, and how far it has joined.
    Member(MemberStage),
}

/// What is about to be written in the cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Write {
    /// The lease with which one of several agents leads.
    Lease,
    /// The record of the highest epoch, on the way to carrying out a decision of it.
    Epoch,
    /// What was decided: a tenant's namespace, or the objects of a placement.
    Decision {
        /// Whether a person of the member cloud confirmed just that.
        confirmed: bool,
    },
}

/// Why something is not written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Withheld {
    /// The member cloud is only observed.
    Observed,
    /// Nobody confirmed it.
    Unconfirmed,
}

impl Stage {
    /// By the centre's own object. A member without words about it is only observed.
    pub fn of(centre: &DataCenter) -> Self {
        match centre.spec.role {
            CentreRole::Primary | CentreRole::Backup | CentreRole::DisasterRecovery => Self::Own,
            CentreRole::Member => Self::Member(centre.spec.member.as_ref().map(|m| m.stage).unwrap_or_default()),
        }
    }

    /// Why that is not written; `None` where it may be. The one table of what an agent writes.
    pub const fn withholds(self, write: Write) -> Option<Withheld> {
        match (self, write) {
            (Self::Member(MemberStage::Observed), _) => Some(Withheld::Observed),
            (Self::Member(MemberStage::Advised), Write::Decision { confirmed: false }) => Some(Withheld::Unconfirmed),
            (Self::Own | Self::Member(MemberStage::Advised | MemberStage::Scheduled), _) => None,
        }
    }

    /// Whether nothing at all is written: not even a call that would is sent.
    pub const fn read_only(self) -> bool {
        self.withholds(Write::Decision { confirmed: true }).is_some()
    }

    /// Whether objects of that kind are looked at in the cluster. Of a cloud that is only observed nobody reads the data.
    pub const fn looks_at(self, kind: &TemplateKind) -> bool {
        !(self.read_only() && matches!(kind, TemplateKind::Secret | TemplateKind::ConfigMap))
    }

    /// Whether decisions of others than this cluster count for its record of epochs. In a member cloud that would be a
    /// write for the sake of something that does not concern it.
    pub const fn records_all(self) -> bool {
        matches!(self, Self::Own)
    }

    /// The stage that is reported; none for a centre of the province.
    pub const fn reported(self) -> Option<MemberStage> {
        match self {
            Self::Own => None,
            Self::Member(stage) => Some(stage),
        }
    }
}

impl Withheld {
    /// As the reason of a placement's row.
    pub const fn of_placement(self) -> &'static str {
        match self {
            Self::Observed => reason::STAGE_OBSERVED,
            Self::Unconfirmed => reason::AWAITING_CONFIRMATION,
        }
    }

    /// As the reason of a grant's row.
    pub const fn of_grant(self) -> Reason {
        match self {
            Self::Observed => Reason::StageObserved,
            Self::Unconfirmed => Reason::AwaitingConfirmation,
        }
    }

    /// Of a tenant's namespace, in words.
    pub fn about_namespace(self, centre: &str, namespace: &str) -> String {
        match self {
            Self::Observed => format!(
                "{centre} is a member at stage Observed: namespace {namespace} stays as it is; the grant is carried out once spec.member.stage of dcn/{centre} is Scheduled | {centre} 为 Observed 阶段的成员云，命名空间 {namespace} 保持不变；stage 升为 Scheduled 后落实"
            ),
            Self::Unconfirmed => format!(
                "{centre} is a member at stage Advised: namespace {namespace} is written with the first placement that a person of {centre} confirms there | {centre} 为 Advised 阶段的成员云，其人员确认首个部署后写入命名空间 {namespace}"
            ),
        }
    }
}

/// Whether anything new may be granted there: of a cloud that is only observed nothing is sold.
pub fn sells(centre: &DataCenter) -> bool {
    !Stage::of(centre).read_only()
}

/// What the centre lends of a pool; `None` for a centre of the province, which gives all that it has.
///
/// # Errors
/// An amount cannot be read.
pub fn lent(centre: &DataCenter, pool: &str) -> Result<Option<Resources>, AmountError> {
    if Stage::of(centre) == Stage::Own {
        return Ok(None);
    }
    let lend = centre.spec.member.iter().flat_map(|m| &m.lend);
    let mut lend = lend.filter(|l| l.pool == pool);
    let amounts = lend.next().map(|l| Resources::try_from(&l.amounts)).transpose()?;
    Ok(Some(amounts.unwrap_or(Resources::ZERO)))
}

/// All that it lends, pool by pool; what cannot be read is not lent.
pub fn all_lent(centre: &DataCenter) -> Option<BTreeMap<String, Resources>> {
    let pools = || centre.spec.member.iter().flat_map(|m| &m.lend).map(|l| l.pool.clone());
    let read = |pool: String| {
        let amounts = lent(centre, &pool).ok().flatten().unwrap_or_default();
        (pool, amounts)
    };
    (Stage::of(centre) != Stage::Own).then(|| pools().map(read).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn centre(spec: &str) -> DataCenter {
        let spec = format!(r#"{{"displayName": "x", "operator": "x", {spec}}}"#);
        DataCenter::new("yanbian", serde_json::from_str(&spec).unwrap())
    }

    fn member(stage: &str) -> DataCenter {
        let lend = r#""lend": [{"pool": "x86", "amounts": {"cpu": "64", "memory": "256Gi"}}]"#;
        let stage = if stage.is_empty() {
            String::new()
        } else {
            format!(r#""stage": "{stage}","#)
        };
        centre(&format!(
            r#""role": "Member", "member": {{"type": "City", {stage} {lend}}}"#
        ))
    }

    const UNCONFIRMED: Write = Write::Decision { confirmed: false };
    const CONFIRMED: Write = Write::Decision { confirmed: true };

    /// Every stage there and back: what may be written depends on where it stands, never on where it was.
    #[test]
    fn all_stages_and_back() {
        let all = [Write::Lease, Write::Epoch, UNCONFIRMED, CONFIRMED];
        for stage in ["", "Observed", "Advised", "Scheduled", "Advised", "Observed"] {
            let withheld = all.map(|write| Stage::of(&member(stage)).withholds(write));
            let expected = match stage {
                "Scheduled" => [None; 4],
                "Advised" => [None, None, Some(Withheld::Unconfirmed), None],
                _ => [Some(Withheld::Observed); 4],
            };
            assert_eq!(withheld, expected, "{stage}");
        }
        for role in ["Primary", "Backup", "DisasterRecovery"] {
            let own = Stage::of(&centre(&format!(r#""role": "{role}""#)));
            assert!(all.iter().all(|write| own.withholds(*write).is_none()));
            assert!(own.records_all() && own.reported().is_none());
        }
        assert!(Stage::of(&centre(r#""role": "Member""#)).read_only());
    }

    #[test]
    fn data_of_an_observed_cloud_is_not_read() {
        let observed = Stage::of(&member("Observed"));
        assert!(!observed.looks_at(&TemplateKind::Secret) && observed.looks_at(&TemplateKind::Deployment));
        assert!(Stage::of(&member("Advised")).looks_at(&TemplateKind::Secret));
    }

    #[test]
    fn what_is_not_named_is_not_lent() {
        let stands = member("Scheduled");
        let x86 = lent(&stands, "x86").unwrap().unwrap();
        assert_eq!((x86.cpu, x86.accelerators), (64_000, 0));
        assert_eq!(lent(&stands, "arm").unwrap(), Some(Resources::ZERO));
        assert_eq!(lent(&centre(r#""role": "Primary""#), "arm").unwrap(), None);
        assert_eq!(all_lent(&stands).unwrap().len(), 1);
        assert_eq!(all_lent(&centre(r#""role": "Backup""#)), None);
        assert!(sells(&stands) && sells(&member("Advised")) && !sells(&member("Observed")));
    }
}
