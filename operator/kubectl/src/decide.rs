//! `approve` and `reject`: one decision of one person at one level.

use std::time::Duration;

use crds::{
    Amount, Amounts, Approver, Decision, RequestApproval, RequestApprovalSpec, RequestRef, ResourceRequest, Resources,
    condition, find_condition,
};
use k8s_openapi::api::authentication::v1::SelfSubjectReview;
use kube::Api;
use kube::api::{ObjectMeta, PostParams};
use plan::admission::{self, Assessment};
use plan::request::Request;
use serde::Serialize;

use crate::clock::today;
use crate::connect::{Hub, if_allowed, within};
use crate::failure::Failure;
use crate::floor::Floor;
use crate::lang::both;
use crate::read;
use crate::word::word;

/// How long to wait for the operator's word, on a busy hub too.
const PATIENCE: Duration = Duration::from_secs(10);

/// What was decided on the command line.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// Name of the request.
    pub name: String,
    /// Yes or no.
    pub decision: Decision,
    /// Lower amounts.
    pub amounts: Amounts,
    /// Level, where it was named.
    pub level: Option<i32>,
    /// Why.
    pub comment: Option<String>,
}

/// What became of it.
#[derive(Clone, Debug, Serialize)]
pub struct Decided {
    /// Name of the RequestApproval.
    pub name: String,
    /// Level.
    pub level: i32,
    /// Whether it counts; `None` where the operator has not said so in time.
    pub counted: Option<bool>,
    /// In words, `English | 中文`.
    pub message: String,
}

/// `cpu=32,memory=128Gi` as amounts.
///
/// # Errors
/// `Usage`, saying what cannot be read.
pub fn amounts(text: &str) -> Result<Amounts, Failure> {
    let mut out = Amounts::default();
    for pair in text.split(',') {
        let (name, value) = pair.split_once('=').ok_or_else(|| {
            Failure::Usage(both(
                format!("--amount {pair:?}: write NAME=QUANTITY, such as cpu=32,memory=128Gi"),
                format!("--amount {pair:?}：格式为 名称=数量，例如 cpu=32,memory=128Gi"),
            ))
        })?;
        out.0.insert(name.trim().to_owned(), Amount::from(value.trim()));
    }
    Resources::try_from(&out).map_err(|e| Failure::Usage(e.to_string()))?;
    Ok(out)
}

/// The level that is meant where none is named: the lowest that is missing and that this user, with these groups, may decide;
/// otherwise the lowest that is missing, so that the server can say why not.
///
/// # Errors
/// `Refused` where nothing is missing.
pub fn level(
    request: &ResourceRequest,
    assessment: Option<&Assessment>,
    (user, groups): (&str, &[String]),
) -> Result<i32, Failure> {
    let Some(assessment) = assessment.filter(|a| !a.needed.0.is_empty()) else {
        // Pools are hidden from this user, or none matches: the counts in the status are what is known.
        let count = request.status.as_ref().and_then(|s| s.approvals);
        return match count {
            Some(count) if count.given >= count.needed => Err(nothing_missing()),
            Some(count) => Ok((count.given + 1).min(2)),
            None => Ok(1),
        };
    };
    let may = |level: &&i32| {
        assessment
            .needed
            .0
            .get(level)
            .is_some_and(|entitled| entitled.includes(user, groups))
    };
    let missing = &assessment.outcome.missing;
    missing
        .iter()
        .find(may)
        .or_else(|| missing.first())
        .copied()
        .ok_or_else(nothing_missing)
}

fn nothing_missing() -> Failure {
    Failure::Refused(both(
        "no approval is missing; see `kubectl xiangyun why`",
        "无待审批级别，可用 kubectl xiangyun why 查看原因",
    ))
}

/// Writes the decision and waits shortly for the operator to count it.
///
/// # Errors
/// The request is not there, the server refuses, or the operator says that it does not count.
pub async fn decide(hub: &Hub, wanted: Wanted) -> Result<Decided, Failure> {
    let request = read::request(hub, &wanted.name).await?;
    let level = if let Some(level) = wanted.level {
        level
    } else {
        let (user, groups) = whoami(hub).await?;
        level(&request, assess(hub, &request).await?.as_ref(), (&user, &groups))?
    };
    let approval = RequestApproval {
        metadata: ObjectMeta {
            generate_name: Some(prefix(&wanted.name)),
            ..ObjectMeta::default()
        },
        spec: RequestApprovalSpec {
            request_ref: RequestRef {
                name: wanted.name,
                uid: request.metadata.uid.unwrap_or_default(),
            },
            level,
            decision: wanted.decision,
            amounts: wanted.amounts,
            comment: wanted.comment,
            approver: Approver::default(),
        },
        status: None,
    };
    let api = Api::<RequestApproval>::namespaced(hub.client.clone(), &hub.namespace);
    let created = within(api.create(&PostParams::default(), &approval)).await?;
    let name = created.metadata.name.unwrap_or_default();
    counted(&api, name, level).await
}

/// A generated name adds five characters and must stay a name.
fn prefix(name: &str) -> String {
    format!("{}-", name.chars().take(200).collect::<String>())
}

async fn assess(hub: &Hub, request: &ResourceRequest) -> Result<Option<Assessment>, Failure> {
    let (province, approvals) = tokio::join!(read::province(hub, Some(&hub.namespace)), read::approvals(hub));
    let (mut province, approvals) = (province?, approvals?.unwrap_or_default());
    province.target = read::target(hub, &hub.namespace, request).await?;
    let floor = Floor::new(&province, &hub.namespace, request.metadata.uid.as_deref(), today());
    let read = Request::read(request.clone(), false).ok();
    Ok(read.map(|r| admission::assess(&floor.case(&r, &approvals), floor.market())))
}

/// The user and their groups, by the server's own word.
async fn whoami(hub: &Hub) -> Result<(String, Vec<String>), Failure> {
    let api = Api::<SelfSubjectReview>::all(hub.client.clone());
    let review = if_allowed(api.create(&PostParams::default(), &SelfSubjectReview::default())).await?;
    let user = review
        .and_then(|r| r.status)
        .and_then(|s| s.user_info)
        .unwrap_or_default();
    Ok((user.username.unwrap_or_default(), user.groups.unwrap_or_default()))
}

async fn counted(api: &Api<RequestApproval>, name: String, level: i32) -> Result<Decided, Failure> {
    let said = |approval: RequestApproval| {
        let status = approval.status.unwrap_or_default();
        find_condition(&status.conditions, condition::COUNTED).cloned()
    };
    match word(api, &name, PATIENCE, said).await {
        Some(word) if word.status == "True" => Ok(Decided {
            name,
            level,
            counted: Some(true),
            message: word.message,
        }),
        Some(word) => Err(Failure::Refused(not_counted(&name, &word.reason, &word.message))),
        // It is written; only the word on it is missing.
        None => Ok(Decided {
            name,
            level,
            counted: None,
            message: both("written; the operator has not counted it yet", "已提交，控制器尚未计入"),
        }),
    }
}

fn not_counted(name: &str, reason: &str, message: &str) -> String {
    let (en, zh) = message.split_once(" | ").unwrap_or((message, message));
    both(
        format!("appr/{name} does not count ({reason}): {en}"),
        format!("appr/{name} 无效（{reason}）：{zh}"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use plan::approvals::{Entitled, Needed, Outcome};

    fn assessment(missing: &[i32]) -> Assessment {
        let group = |l: i32| {
            let entitled = Entitled {
                groups: vec![format!("xiangyun:approvers:l{l}")],
                users: vec![format!("head-{l}")],
            };
            (l, entitled)
        };
        Assessment {
            needed: Needed([group(1), group(2)].into()),
            outcome: Outcome {
                missing: missing.to_vec(),
                ..Outcome::default()
            },
            ..Assessment::default()
        }
    }

    fn request() -> ResourceRequest {
        serde_json::from_value(serde_json::json!({
            "metadata": {"name": "r"}, "spec": {"displayName": "r", "type": "New"},
            "status": {"approvals": {"needed": 2, "given": 1}},
        }))
        .unwrap()
    }

    #[test]
    fn the_lowest_level_that_the_user_may_decide() {
        let of = |missing: &[i32], group: &str| {
            level(&request(), Some(&assessment(missing)), ("sun.li", &[group.to_owned()]))
        };
        assert_eq!(of(&[1, 2], "xiangyun:approvers:l1").unwrap(), 1);
        assert_eq!(of(&[1, 2], "xiangyun:approvers:l2").unwrap(), 2);
        assert_eq!(of(&[2], "xiangyun:approvers:l1").unwrap(), 2);
        assert_eq!(of(&[], "xiangyun:approvers:l1").unwrap_err().code(), 1);
        assert_eq!(level(&request(), None, ("sun.li", &[])).unwrap(), 2);
        let by_name = level(&request(), Some(&assessment(&[1, 2])), ("head-2", &[]));
        assert_eq!(by_name.unwrap(), 2);
    }

    #[test]
    fn amounts_of_the_command_line() {
        assert_eq!(amounts("cpu=32,memory=128Gi").unwrap().0.len(), 2);
        assert_eq!(amounts("cpu").unwrap_err().code(), 2);
        assert_eq!(amounts("gpus=1").unwrap_err().code(), 2);
    }
}
