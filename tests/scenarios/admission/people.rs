//! Separation of duties: what is stamped whatever was written, who decides on what, and what nobody deletes.

use playground::Cloud;
use serde_json::{Value, json};
use tests::repository;

use crate::kubectl::At;
use crate::{merged, valid};

const LI_NA: &str = "li.na";
/// One person with both roles, by mistake.
const BOTH: [&str; 8] = [
    "--as",
    LI_NA,
    "--as-group",
    "yibao-admins",
    "--as-group",
    "xiangyun:approvers",
    "--as-group",
    "xiangyun:approvers:l1",
];

/// What the operator does for each tenant, under the operator's own credential.
pub async fn tenant_namespaces(cloud: &Cloud) {
    let operator = At::hub(cloud, "xiangyun:controller");
    for (tenant, group) in [("dept-yibao", "yibao-admins"), ("dept-jyt", "jyt-admins")] {
        operator
            .creates(&namespace(tenant, &json!({"xiangyun.io/tenant": tenant})))
            .await;
        operator
            .creates(&binding("xiangyun", tenant, "xiangyun-requester", group))
            .await;
        // Its role binds departments, and nobody else.
        for role in ["xiangyun-approver", "xiangyun-controller", "cluster-admin"] {
            operator
                .cannot_create(&binding("more", tenant, role, group), "forbidden")
                .await;
        }
    }
    operator.cannot_create(&valid("resourcerequests"), "forbidden").await;
    operator.cannot_create(&valid("requestapprovals"), "forbidden").await;
}

pub fn namespace(name: &str, labels: &Value) -> Value {
    json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}})
}

pub fn binding(name: &str, namespace: &str, role: &str, group: &str) -> Value {
    const RBAC: &str = "rbac.authorization.k8s.io";
    json!({
        "apiVersion": format!("{RBAC}/v1"), "kind": "RoleBinding", "metadata": {"name": name, "namespace": namespace},
        "roleRef": {"apiGroup": RBAC, "kind": "ClusterRole", "name": role},
        "subjects": [{"apiGroup": RBAC, "kind": "Group", "name": group}],
    })
}

/// The requester and the finalizer are the API server's; a replace keeps them.
pub async fn requests_are_stamped(cloud: &Cloud) {
    let li_na = At::hub(cloud, LI_NA);
    let lie = merged(
        &valid("resourcerequests"),
        &json!({"spec": {"requestedBy": "wang.fang"}}),
    );
    let made = li_na.creates(&lie).await;
    assert_eq!(made["spec"]["requestedBy"], LI_NA);
    assert_eq!(
        made["metadata"]["finalizers"],
        json!([crds::label::CHARGED, crds::label::METERED])
    );
    let release = li_na
        .could_create(&json!({
            "apiVersion": "xiangyun.io/v1alpha1", "kind": "ResourceRequest",
            "metadata": {"name": "give-back", "namespace": "dept-yibao"},
            "spec": {"displayName": "释放", "type": "Release", "allocationRef": {"name": "ocr-2026"}},
        }))
        .await;
    assert_eq!(release["spec"]["requestedBy"], LI_NA);
    assert_eq!(
        release["metadata"].get("finalizers"),
        None,
        "a Release is never charged"
    );
    // The department's own file again changes nothing, and needs no right to write.
    let file = li_na.file(&valid("resourcerequests"));
    for by in ["wang.fang", LI_NA] {
        let again = json!({"metadata": {"labels": {"year": "2026"}, "finalizers": [crds::label::CHARGED, crds::label::METERED]}, "spec": {"requestedBy": by}});
        let replaced = replace(li_na, &merged(&lie, &again)).await;
        assert_eq!(replaced["spec"]["requestedBy"], LI_NA);
    }
    li_na.admin().may(&["apply", "--dry-run=server", "-f", &file]).await;
    li_na
        .admin()
        .may(&[
            "apply",
            "--server-side",
            "--force-conflicts",
            "--dry-run=server",
            "-f",
            &file,
        ])
        .await;
}

/// What an administrator's replace would store.
async fn replace(who: At<'_>, object: &Value) -> Value {
    let file = who.file(object);
    let args = ["replace", "--dry-run=server", "-o", "json", "-f", &file];
    serde_json::from_str(&who.admin().may(&args).await).unwrap()
}

pub async fn departments_keep_to_their_own(cloud: &Cloud) {
    let li_na = At::hub(cloud, LI_NA);
    let request = valid("resourcerequests");
    li_na
        .cannot_create(
            &merged(&request, &json!({"metadata": {"namespace": "dept-jyt"}})),
            "forbidden",
        )
        .await;
    li_na.cannot_create(&valid("quotapools"), "forbidden").await;
    li_na.cannot_create(&valid("requestapprovals"), "forbidden").await;
    let said = li_na
        .writes_status("rreq/ocr-2026", "dept-yibao", &json!({"phase": "Active"}))
        .await;
    assert!(said.unwrap_err().contains("forbidden"));
    let urgent = |priority| {
        merged(
            &request,
            &json!({"metadata": {"name": "urgent"}, "spec": {"priority": priority}}),
        )
    };
    li_na.cannot_create(&urgent(1), crds::refusal::PRIORITY_RESERVED).await;
    li_na.could_create(&urgent(-1)).await;
    let file = li_na.file(&urgent(1));
    let platform = [
        "create",
        "--dry-run=server",
        "-f",
        &file,
        "--as",
        "zhao.min",
        "--as-group",
        "xiangyun:platform",
    ];
    li_na.admin().may_not(&platform, "forbidden").await; // it has no namespace to ask in
    li_na
        .admin()
        .may(&[platform.as_slice(), &["--as-group", "yibao-admins"]].concat())
        .await;
}

pub async fn two_people_decide(cloud: &Cloud) {
    let zhang_wei = At::hub(cloud, "zhang.wei");
    let uid = zhang_wei
        .may(&[
            "get",
            "rreq/ocr-2026",
            "-n",
            "dept-yibao",
            "-o",
            "jsonpath={.metadata.uid}",
        ])
        .await;
    let lie = json!({"username": "wang.fang", "groups": ["xiangyun:approvers:l2"]});
    let approval = merged(
        &valid("requestapprovals"),
        &json!({"spec": {"requestRef": {"uid": uid}, "approver": lie}}),
    );
    let made = zhang_wei.creates(&approval).await;
    let approver = &made["spec"]["approver"];
    assert_eq!(approver["username"], "zhang.wei");
    let groups = approver["groups"].as_array().unwrap();
    assert!(groups.contains(&json!("xiangyun:approvers:l1")) && !groups.contains(&json!("xiangyun:approvers:l2")));
    let relabelled = merged(&approval, &json!({"metadata": {"labels": {"year": "2026"}}}));
    assert_eq!(replace(zhang_wei, &relabelled).await["spec"]["approver"], *approver);
    for other in ["zhao.min", "sun.li", "wu.gang"] {
        At::hub(cloud, other)
            .cannot_create(&merged(&approval, &json!({"metadata": {"name": "other"}})), "forbidden")
            .await;
    }
    zhang_wei.cannot_create(&valid("resourcerequests"), "forbidden").await;
    zhang_wei
        .may_not(&["delete", "appr", "ocr-l1", "-n", "dept-yibao"], "forbidden")
        .await;

    let own = merged(&approval, &json!({"metadata": {"name": "own"}}));
    let file = zhang_wei.file(&own);
    let said = zhang_wei
        .admin()
        .soon_may_not(
            &[&["create", "--dry-run=server", "-f", &file], BOTH.as_slice()].concat(),
            "SelfApproval",
        )
        .await;
    assert!(
        said.contains("requester and approver are both \"li.na\" (separation of duties)"),
        "{said}"
    );
    assert!(said.contains(" | 申请人与审批人相同"), "{said}");
}

/// The shipped example of it, with the uid that its comment asks for.
pub async fn self_approval_example_is_refused(cloud: &Cloud) {
    let folder = repository().join("examples/requests");
    let li_na = At::hub(cloud, LI_NA);
    let made = li_na
        .may(&[
            "create",
            "-o",
            "jsonpath={.metadata.uid}",
            "-f",
            folder.join("1-granted.yaml").to_str().unwrap(),
        ])
        .await;
    let text = std::fs::read_to_string(folder.join("5-self-approval.yaml")).unwrap();
    let file = cloud.dir().join("5-self-approval.yaml");
    std::fs::write(&file, text.replace("REQUEST_UID", &made)).unwrap();
    let create = ["create", "-f", file.to_str().unwrap()];
    li_na
        .admin()
        .soon_may_not(&[create.as_slice(), BOTH.as_slice()].concat(), "SelfApproval")
        .await;
    li_na.may_not(&create, "forbidden").await;
}

/// The way out of a grant is a Release, for everybody; what ended goes when the ledger let it go.
pub async fn live_grants_stay(cloud: &Cloud) {
    let operator = At::hub(cloud, "xiangyun:controller");
    let li_na = At::hub(cloud, LI_NA);
    let delete = ["delete", "rreq/ocr-2026", "-n", "dept-yibao", "--wait=false"];
    for who in [li_na, li_na.admin()] {
        who.may_not(
            &delete,
            "holds a live grant (LiveGrant); ask with a request of type Release",
        )
        .await;
    }
    let ended = json!({"allocation": {"ended": "2026-11-25T00:00:00Z"}});
    operator
        .writes_status("rreq/ocr-2026", "dept-yibao", &ended)
        .await
        .unwrap();
    li_na.may(&delete).await;
    let_go(operator, "dept-yibao").await;
    li_na
        .may_not(&["get", "rreq/ocr-2026", "-n", "dept-yibao"], "not found")
        .await;

    // A namespace that goes takes its requests with it: no Release can be created there any more.
    let admin = operator.admin();
    admin.creates(&namespace("dept-gone", &json!({}))).await;
    admin
        .creates(&merged(
            &valid("resourcerequests"),
            &json!({"metadata": {"namespace": "dept-gone"}}),
        ))
        .await;
    operator
        .writes_status("rreq/ocr-2026", "dept-gone", &allocation())
        .await
        .unwrap();
    admin
        .may_not(
            &["delete", "rreq", "--all", "-n", "dept-gone", "--wait=false"],
            "LiveGrant",
        )
        .await;
    admin.may(&["delete", "namespace", "dept-gone", "--wait=false"]).await;
    let deleted = "--for=jsonpath={.metadata.deletionTimestamp}";
    admin
        .may(&["wait", "rreq/ocr-2026", "-n", "dept-gone", deleted, "--timeout=60s"])
        .await;
    let_go(operator, "dept-gone").await;
    admin
        .may(&["wait", "namespace/dept-gone", "--for=delete", "--timeout=60s"])
        .await;
}

/// A grant that is in force.
pub fn allocation() -> Value {
    let share = json!({"share": {"cpu": "32"}, "survival": {"cpu": "64"}});
    let centres = ["jishi", "jiyidong"].map(|name| merged(&share, &json!({ "name": name })));
    json!({"phase": "Active", "allocation": {"record": "r1", "ledger": "l1", "epoch": 1, "pools": [{"name": "x86", "amounts": {"cpu": "64"}, "centres": centres}]}})
}

async fn let_go(operator: At<'_>, namespace: &str) {
    let patch = r#"{"metadata":{"finalizers":[]}}"#;
    operator
        .may(&["patch", "rreq/ocr-2026", "-n", namespace, "--type=merge", "-p", patch])
        .await;
}
