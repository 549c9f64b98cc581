//! Moves: who may ask for one, agree to it, and write what only the operator knows.

use playground::Cloud;
use serde_json::{Value, json};

use crate::kubectl::At;
use crate::{merged, valid};

const NS: &str = "dept-yibao";

/// The example, under another name.
fn named(name: &str, patch: &Value) -> Value {
    let own = json!({"metadata": {"name": name, "namespace": NS}});
    merged(&merged(&valid("failovers"), &own), patch)
}

/// A word about the move of that name.
fn word(name: &str, uid: &str, word: &str) -> Value {
    let comment = (word == "ConfirmFence").then_some("机柜已断电");
    let patch = json!({"metadata": {"name": name, "namespace": NS}, "spec": {"failoverRef": {"name": "drill", "uid": uid},
        "word": word, "comment": comment}});
    merged(&valid("failoverapprovals"), &patch)
}

async fn uid(who: At<'_>) -> String {
    who.may(&["get", "fo/drill", "-n", NS, "-o", "jsonpath={.metadata.uid}"])
        .await
}

/// Departments ask for moves of their own, the platform team for any; what follows from a loss is the operator's.
pub async fn are_asked_for_by_people(cloud: &Cloud) {
    let (li_na, operator) = (At::hub(cloud, "li.na"), At::hub(cloud, "xiangyun:controller"));
    let lie = json!({"spec": {"requester": {"username": "wang.fang", "groups": ["xiangyun:platform"]}}});
    let made = li_na.creates(&named("drill", &lie)).await;
    let requester = &made["spec"]["requester"];
    assert_eq!(requester["username"], "li.na");
    let groups = requester["groups"].as_array().unwrap();
    assert!(groups.contains(&json!("yibao-admins")) && !groups.contains(&json!("xiangyun:platform")));
    li_na
        .cannot_create(
            &named("other", &json!({"metadata": {"namespace": "dept-jyt"}})),
            "forbidden",
        )
        .await;
    At::hub(cloud, "zhao.min")
        .could_create(&named("platform", &json!({})))
        .await;
    for other in ["zhang.wei", "sun.li", "jin.shan"] {
        At::hub(cloud, other)
            .cannot_create(&named("other", &json!({})), "forbidden")
            .await;
    }

    let lost = named(
        "lost",
        &json!({"spec": {"type": "Unplanned", "incident": "jishi-4711"}}),
    );
    let only = crds::refusal::OPERATOR_ONLY;
    for person in [li_na, At::hub(cloud, "zhao.min"), li_na.admin()] {
        person.cannot_create(&lost, only).await;
    }
    let incident = json!({"metadata": {"labels": {crds::label::INCIDENT: "jishi-4711"}}});
    let made = operator.creates(&merged(&lost, &incident)).await;
    assert_eq!(made["spec"]["requester"]["username"], "xiangyun:controller");
    li_na.cannot_create(&named("other", &incident), only).await;
    only_what_is_theirs_changes(cloud).await;
}

/// A move is given up by its people; what it is called and who was told stays the operator's.
async fn only_what_is_theirs_changes(cloud: &Cloud) {
    let (li_na, operator) = (At::hub(cloud, "li.na"), At::hub(cloud, "xiangyun:controller"));
    let only = crds::refusal::OPERATOR_ONLY;
    let abort = format!("{}=演练取消", crds::label::ABORT);
    li_na.may(&["annotate", "fo/drill", "-n", NS, &abort]).await;
    let told = format!("{}=Succeeded", crds::label::NOTIFIED);
    li_na.may_not(&["annotate", "fo/drill", "-n", NS, &told], only).await;
    operator.may(&["annotate", "fo/drill", "-n", NS, &told]).await;
    let other = format!("{}=jishi-4712", crds::label::INCIDENT);
    li_na
        .may_not(&["label", "fo/lost", "-n", NS, "--overwrite", &other], only)
        .await;
    li_na
        .may(&["annotate", "fo/drill", "-n", NS, "--overwrite", &abort])
        .await;
    for person in [li_na, At::hub(cloud, "zhao.min")] {
        person.may_not(&["delete", "fo/drill", "-n", NS], "forbidden").await;
        let said = person
            .writes_status("fo/drill", NS, &json!({"phase": "Succeeded"}))
            .await;
        assert!(said.unwrap_err().contains("forbidden"));
    }
    operator
        .writes_status("fo/drill", NS, &json!({"phase": "Draining"}))
        .await
        .unwrap();
    assert_eq!(
        operator
            .may(&["get", "fo/drill", "-n", NS, "-o", "jsonpath={.status.phase}"])
            .await,
        "Draining"
    );
}

/// Approvers and the platform team say words, under their own names; nobody about what they asked for themselves.
pub async fn nobody_confirms_their_own(cloud: &Cloud) {
    let (li_na, zhang_wei) = (At::hub(cloud, "li.na"), At::hub(cloud, "zhang.wei"));
    let drill = uid(li_na).await;
    let lie = json!({"spec": {"approver": {"username": "wang.fang", "groups": []}}});
    let made = zhang_wei.creates(&merged(&word("one", &drill, "Approve"), &lie)).await;
    assert_eq!(made["spec"]["approver"]["username"], "zhang.wei");
    At::hub(cloud, "zhao.min")
        .could_create(&word("two", &drill, "ConfirmFence"))
        .await;
    for other in ["li.na", "sun.li", "xiangyun:controller"] {
        At::hub(cloud, other)
            .cannot_create(&word("other", &drill, "Approve"), "forbidden")
            .await;
    }
    zhang_wei
        .may_not(&["delete", "foappr", "one", "-n", NS], "forbidden")
        .await;

    // One person with both roles, by mistake.
    let both = [
        "--as",
        "li.na",
        "--as-group",
        "yibao-admins",
        "--as-group",
        "xiangyun:approvers",
    ];
    let create = ["create", "--dry-run=server", "-f"];
    for what in ["Approve", "ConfirmFence"] {
        let file = li_na.file(&word("own", &drill, what));
        let args = [create.as_slice(), &[file.as_str()], both.as_slice()].concat();
        let said = li_na
            .admin()
            .soon_may_not(&args, crds::approval_reason::SELF_APPROVAL)
            .await;
        assert!(said.contains(" | 该切换由本人发起"), "{said}");
    }
    let file = li_na.file(&word("own", &drill, "Reject"));
    let args = [create.as_slice(), &[file.as_str()], both.as_slice()].concat();
    li_na.admin().may(&args).await;
}
