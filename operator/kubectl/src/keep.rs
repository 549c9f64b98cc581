//! `keep`: an appeal of the owner against what is to be taken back.

use std::time::Duration;

use crds::{ResourceRequest, condition, find_condition, reclaim_reason, request_reason};
use kube::Api;
use kube::api::PostParams;
use serde::Serialize;
use serde_json::json;

use crate::connect::{Hub, within};
use crate::failure::Failure;
use crate::lang::both;
use crate::read;
use crate::word::word;

/// How long to wait for the operator's word.
const PATIENCE: Duration = Duration::from_secs(5);
/// Longest reason, as the definition says.
const LONGEST: usize = 512;

/// What became of it.
#[derive(Clone, Debug, Serialize)]
pub struct Kept {
    /// Name of the request of type Keep.
    pub name: String,
    /// Whether the clock stands still; `None` where the operator has not said so in time.
    pub kept: Option<bool>,
    /// In words, `English | 中文`.
    pub message: String,
}

/// The request that is created.
///
/// # Errors
/// `Usage` where the reason is empty or too long.
pub fn request(name: &str, reason: &str) -> Result<ResourceRequest, Failure> {
    let reason = reason.trim();
    if reason.is_empty() || reason.chars().count() > LONGEST {
        return Err(Failure::Usage(both(
            format!("--reason: say in 1 to {LONGEST} characters why it is needed"),
            format!("--reason：请用 1 至 {LONGEST} 个字符说明保留理由"),
        )));
    }
    // A generated name adds five characters and must stay a name; a name for people has 64.
    let prefix: String = name.chars().take(200).collect();
    let shown: String = name.chars().take(60).collect();
    let object = json!({
        "apiVersion": "xiangyun.io/v1alpha1", "kind": "ResourceRequest",
        "metadata": {"generateName": format!("{prefix}-keep-")},
        "spec": {"displayName": format!("保留 {shown}"), "type": "Keep", "allocationRef": {"name": name}, "reason": reason},
    });
    serde_json::from_value(object).map_err(|e| Failure::Refused(e.to_string()))
}

/// Writes the appeal and waits shortly for the operator's word.
///
/// # Errors
/// The grant is not there, the server refuses, or there is nothing to keep.
pub async fn keep(hub: &Hub, name: String, reason: String) -> Result<Kept, Failure> {
    let wanted = request(&name, &reason)?;
    read::request(hub, &name).await?;
    let api = Api::<ResourceRequest>::namespaced(hub.client.clone(), &hub.namespace);
    let created = within(api.create(&PostParams::default(), &wanted)).await?;
    let name = created.metadata.name.unwrap_or_default();
    let said = |request: ResourceRequest| {
        let status = request.status.unwrap_or_default();
        let ready = find_condition(&status.conditions, condition::READY).cloned();
        ready.filter(|c| c.reason != reclaim_reason::NOTIFIED)
    };
    match word(&api, &name, PATIENCE, said).await {
        Some(ready) if ready.reason == request_reason::COMPLETED => Ok(Kept {
            name,
            kept: Some(true),
            message: ready.message,
        }),
        Some(ready) => Err(Failure::Refused(format!(
            "rreq/{name} ({}): {}",
            ready.reason, ready.message
        ))),
        // It is written; only the word on it is missing.
        None => Ok(Kept {
            name,
            kept: None,
            message: both("written; the operator has not answered yet", "已提交，控制器尚未答复"),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_appeal_says_why() {
        assert_eq!(request("ocr", " ").unwrap_err().code(), 2);
        assert_eq!(request("ocr", &"x".repeat(513)).unwrap_err().code(), 2);
        let made = request("ocr", "year end").unwrap();
        assert_eq!(made.metadata.generate_name.as_deref(), Some("ocr-keep-"));
        assert_eq!(made.spec.reason.as_deref(), Some("year end"));
    }
}
