//! What objects of built-in kinds say of themselves that time alone does not mend.

use crds::TemplateKind;
use serde_json::Value;

/// Longest text of a controller that is passed on, in characters.
const TOLD: usize = 120;

/// Why an object as it stands in a centre does not become ready by itself, `English | 中文`; `None` where nothing is wrong or
/// where it only takes time, and for a custom kind, which has a policy of its own.
pub fn trouble(kind: &TemplateKind, value: &Value) -> Option<String> {
    match kind {
        TemplateKind::Job => failed(value),
        TemplateKind::PersistentVolumeClaim => lost(value),
        _ => None,
    }
}

fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

fn failed(job: &Value) -> Option<String> {
    // A centre that no longer runs it has nothing to make good.
    if job.pointer("/spec/suspend") == Some(&Value::Bool(true)) {
        return None;
    }
    let conditions = job.pointer("/status/conditions").and_then(Value::as_array);
    let mut conditions = conditions.into_iter().flatten();
    let failed = conditions.find(|c| text(c, "/type") == "Failed" && text(c, "/status") == "True")?;
    let pods = job.pointer("/status/failed").and_then(Value::as_i64);
    let (pods, why) = (pods.unwrap_or_default(), text(failed, "/reason"));
    let said: String = text(failed, "/message").chars().take(TOLD).collect();
    Some(format!(
        "failed, with {pods} failed pods ({why}: {said}); correct the template, delete it in the hub and apply it again | 运行失败，{pods} 个容器组失败（{why}：{said}），请修改模板，在管理面删除后重新提交"
    ))
}

fn lost(claim: &Value) -> Option<String> {
    let volume = text(claim, "/spec/volumeName");
    (text(claim, "/status/phase") == "Lost").then(|| {
        format!(
            "its volume {volume} is lost; bring the volume back, or delete the claim in this centre, and an empty one is made | 存储卷 {volume} 已丢失，请恢复该卷，或在该中心删除此声明以新建空卷"
        )
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_job_that_failed_and_a_claim_that_is_lost() {
        let conditions = json!([{"type": "FailureTarget", "status": "True"}, {"type": "Failed", "status": "True",
            "reason": "BackoffLimitExceeded", "message": "Job has reached the specified backoff limit"}]);
        let job = json!({"spec": {"suspend": false}, "status": {"failed": 7, "conditions": conditions}});
        let said = trouble(&TemplateKind::Job, &job).unwrap();
        let starts = "failed, with 7 failed pods (BackoffLimitExceeded: Job has reached the specified backoff limit); ";
        assert!(
            said.starts_with(starts) && said.contains(" | 运行失败，7 个容器组失败"),
            "{said}"
        );
        let claim = |phase: &str| json!({"spec": {"volumeName": "pv-1"}, "status": {"phase": phase}});
        let said = trouble(&TemplateKind::PersistentVolumeClaim, &claim("Lost")).unwrap();
        assert!(
            said.starts_with("its volume pv-1 is lost; ") && said.contains(" | 存储卷 pv-1 已丢失"),
            "{said}"
        );
    }

    #[test]
    fn what_runs_waits_or_stands_still_is_no_trouble() {
        let failed = json!([{"type": "Failed", "status": "True"}]);
        for (kind, value) in [
            (TemplateKind::Job, json!({"status": {"active": 1, "failed": 2}})),
            (TemplateKind::Job, json!({"spec": {"suspend": true}, "status": {}})),
            (
                TemplateKind::Job,
                json!({"spec": {"suspend": true}, "status": {"conditions": failed}}),
            ),
            (
                TemplateKind::Job,
                json!({"status": {"conditions": [{"type": "Failed", "status": "False"}, {"type": "Complete", "status": "True"}]}}),
            ),
            (
                TemplateKind::PersistentVolumeClaim,
                json!({"spec": {"storageClassName": "hot"}, "status": {"phase": "Pending"}}),
            ),
            (
                TemplateKind::PersistentVolumeClaim,
                json!({"spec": {"volumeName": "pv-1"}, "status": {"phase": "Bound"}}),
            ),
            (TemplateKind::Deployment, json!({"status": {"conditions": failed}})),
        ] {
            assert_eq!(trouble(&kind, &value), None, "{kind:?} {value}");
        }
    }
}
