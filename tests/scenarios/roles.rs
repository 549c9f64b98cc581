//! Separation of duties on a real API server: who may write what, and what is stamped whatever was written.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "an assumption that fails is a test that fails"
)]

use playground::{Cloud, Options};
use serde_json::{Value, json};

#[path = "../../crds/tests/rules/examples.rs"]
mod examples;
use examples::merged;

const LI_NA: &str = "li.na";
const APPROVER: &str = "zhang.wei";
const PLATFORM: &str = "zhao.min";
const AUDITOR: &str = "sun.li";

#[tokio::test(flavor = "multi_thread")]
async fn separation_of_duties() {
    let options = Options {
        operators: false,
        ..Options::default()
    };
    let cloud = Cloud::up(options).await.unwrap();
    for namespace in ["dept-yibao", "dept-jyt"] {
        ok(&cloud, None, &["create", "namespace", namespace]).await;
    }
    // What the operator does for a tenant.
    let bind = "create rolebinding requesters -n dept-yibao --clusterrole xiangyun-requester --group yibao-admins";
    ok(&cloud, None, &bind.split(' ').collect::<Vec<_>>()).await;
    stamps_overwrite(&cloud).await;
    departments_keep_to_their_own(&cloud).await;
    approvers_decide_and_ask_nothing(&cloud).await;
    auditors_read_only(&cloud).await;
    agents_write_their_own_rows(&cloud).await;
}

/// Runs kubectl as `user`; `Err` is what it printed.
async fn kubectl(cloud: &Cloud, user: Option<&str>, args: &[&str]) -> Result<String, String> {
    let output = cloud.kubectl("hub", user, args).await.unwrap();
    let [out, err] = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    if output.status.success() { Ok(out) } else { Err(err) }
}

async fn ok(cloud: &Cloud, user: Option<&str>, args: &[&str]) -> String {
    let said = kubectl(cloud, user, args).await;
    said.unwrap_or_else(|said| unreachable!("{user:?} {args:?}: {said}"))
}

async fn refused(cloud: &Cloud, user: &str, args: &[&str], part: &str) {
    let said = kubectl(cloud, Some(user), args).await.expect_err(part);
    assert!(said.contains(part), "{user} {args:?}: {said}");
}

/// The object in a file, for kubectl.
fn file(cloud: &Cloud, name: &str, object: &Value) -> String {
    let path = cloud.dir().join(format!("{name}.json"));
    std::fs::write(&path, object.to_string()).unwrap();
    path.to_str().unwrap().to_owned()
}

/// A valid object of that kind, changed.
fn valid(plural: &str, patch: &Value) -> Value {
    let examples = examples::read(plural);
    let base = examples
        .into_iter()
        .flat_map(|example| example.accepted)
        .next()
        .unwrap();
    merged(&base, patch)
}

fn create(file: &str) -> [&str; 5] {
    ["create", "-f", file, "-o", "json"]
}

async fn stamps_overwrite(cloud: &Cloud) {
    let lie = valid("resourcerequests", &json!({"spec": {"requestedBy": "wang.fang"}}));
    let made = ok(cloud, Some(LI_NA), &create(&file(cloud, "request", &lie))).await;
    let made: Value = serde_json::from_str(&made).unwrap();
    assert_eq!(made["spec"]["requestedBy"], LI_NA);
    assert_eq!(made["metadata"]["finalizers"], json!([crds::label::CHARGED]));
}

/// An approval of the request that `stamps_overwrite` made.
async fn approval(cloud: &Cloud, name: &str) -> Value {
    let uid = ok(
        cloud,
        None,
        &[
            "get",
            "rreq",
            "ocr-2026",
            "-n",
            "dept-yibao",
            "-o",
            "jsonpath={.metadata.uid}",
        ],
    )
    .await;
    let lie = json!({"username": "wang.fang", "groups": ["xiangyun:approvers:l2"]});
    let spec = json!({"requestRef": {"uid": uid}, "approver": lie});
    valid(
        "requestapprovals",
        &json!({"metadata": {"name": name, "labels": null}, "spec": spec}),
    )
}

async fn departments_keep_to_their_own(cloud: &Cloud) {
    let other = valid("resourcerequests", &json!({"metadata": {"namespace": "dept-jyt"}}));
    refused(cloud, LI_NA, &create(&file(cloud, "other", &other)), "forbidden").await;
    let pool = valid("quotapools", &json!({}));
    refused(cloud, LI_NA, &create(&file(cloud, "pool", &pool)), "forbidden").await;
    let approval = approval(cloud, "by-requester").await;
    refused(cloud, LI_NA, &create(&file(cloud, "approval", &approval)), "forbidden").await;
    let status = [
        "patch",
        "rreq",
        "ocr-2026",
        "--subresource=status",
        "--type=merge",
        "-p",
        r#"{"status":{"phase":"Active"}}"#,
    ];
    refused(cloud, LI_NA, &status, "forbidden").await;
}

async fn approvers_decide_and_ask_nothing(cloud: &Cloud) {
    let request = valid("resourcerequests", &json!({"metadata": {"name": "own"}}));
    refused(cloud, APPROVER, &create(&file(cloud, "own", &request)), "forbidden").await;
    let decision = file(cloud, "decision", &approval(cloud, "by-approver").await);
    let made = ok(cloud, Some(APPROVER), &create(&decision)).await;
    let made: Value = serde_json::from_str(&made).unwrap();
    assert_eq!(made["spec"]["approver"]["username"], APPROVER);
    let groups = made["spec"]["approver"]["groups"].as_array().unwrap();
    assert!(groups.contains(&json!("xiangyun:approvers:l1")) && !groups.contains(&json!("xiangyun:approvers:l2")));
    // Somebody who holds both roles by mistake is still not two people.
    let own = file(cloud, "self", &approval(cloud, "by-self").await);
    let both = [
        "create",
        "-f",
        &own,
        "--as",
        LI_NA,
        "--as-group",
        "xiangyun:approvers",
        "--as-group",
        "xiangyun:approvers:l1",
    ];
    let said = kubectl(cloud, None, &both).await.expect_err("self-approval");
    assert!(said.contains("separation of duties"), "{said}");
}

async fn auditors_read_only(cloud: &Cloud) {
    ok(cloud, Some(AUDITOR), &["get", "rreq,appr", "-A"]).await;
    ok(cloud, Some(AUDITOR), &["get", "qpool,dept,dcn"]).await;
    refused(
        cloud,
        AUDITOR,
        &["delete", "rreq", "ocr-2026", "-n", "dept-yibao"],
        "forbidden",
    )
    .await;
    refused(
        cloud,
        AUDITOR,
        &["label", "rreq", "ocr-2026", "-n", "dept-yibao", "a=b"],
        "forbidden",
    )
    .await;
    refused(
        cloud,
        AUDITOR,
        &create(&file(cloud, "pool", &valid("quotapools", &json!({})))),
        "forbidden",
    )
    .await;
}

async fn agents_write_their_own_rows(cloud: &Cloud) {
    for (name, role) in [("jishi", "Primary"), ("jiyidong", "Backup")] {
        let spec = json!({"displayName": name, "role": role, "operator": "o"});
        let centre = json!({"apiVersion": "xiangyun.io/v1alpha1", "kind": "DataCenter", "metadata": {"name": name}, "spec": spec});
        ok(cloud, Some(PLATFORM), &create(&file(cloud, name, &centre))).await;
    }
    let report = r#"{"status":{"report":{"number":1,"reportedAt":"2026-11-25T00:00:00Z"}}}"#;
    let patch = |name| {
        [
            "patch",
            "dcn",
            name,
            "--subresource=status",
            "--type=merge",
            "-p",
            report,
        ]
    };
    ok(cloud, Some("xiangyun:centre:jishi"), &patch("jishi")).await;
    let said = kubectl(cloud, Some("xiangyun:centre:jishi"), &patch("jiyidong")).await;
    assert!(said.is_err(), "an agent wrote another centre's report");
}
