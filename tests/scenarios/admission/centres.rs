//! An agent that was taken over: in the hub it can lie about its own centre only, in its centre it reaches tenants only.

use playground::Cloud;
use serde_json::{Value, json};
use tests::repository;

use crate::kubectl::At;
use crate::people::{allocation, binding, namespace};
use crate::{merged, rights, valid};

const JISHI: &str = "xiangyun:centre:jishi";

fn refused(said: Result<String, String>, part: &str, what: &Value) {
    let said = said.expect_err(&what.to_string());
    assert!(said.contains(part), "{what}: {said}");
}

/// Needs the request `ocr-2026` and the centres of the examples.
pub async fn agents_write_their_own_rows(cloud: &Cloud) {
    reports(cloud).await;
    rows_of_requests(cloud).await;
    rows_of_placements(cloud).await;
    strangers(cloud).await;
}

fn ready() -> Value {
    json!([{"type": "Ready", "status": "True", "reason": "Reporting", "message": "", "lastTransitionTime": "2026-11-25T00:00:00Z"}])
}

async fn reports(cloud: &Cloud) {
    let agent = At::hub(cloud, JISHI);
    let report = json!({"report": {"number": 1, "reportedAt": "2026-11-25T00:00:00Z"}});
    agent.writes_status("dcn/jishi", "default", &report).await.unwrap();
    refused(
        agent.writes_status("dcn/jiyidong", "default", &report).await,
        "NotOwnRow",
        &report,
    );
    for status in [json!({ "conditions": ready() }), json!({"observedGeneration": 7})] {
        refused(
            agent.writes_status("dcn/jishi", "default", &status).await,
            "NotOwnRow",
            &status,
        );
    }
}

const REQUEST: &str = "rreq/ocr-2026";

async fn rows_of_requests(cloud: &Cloud) {
    let agent = At::hub(cloud, JISHI);
    let (jishi, jiyidong) = (row("jishi", 1), row("jiyidong", 1));
    At::hub(cloud, "xiangyun:controller")
        .writes_status(REQUEST, "dept-yibao", &allocation())
        .await
        .unwrap();
    agent
        .writes_status(REQUEST, "dept-yibao", &json!({ "centres": [jishi] }))
        .await
        .unwrap();
    At::hub(cloud, "xiangyun:centre:jiyidong")
        .writes_status(REQUEST, "dept-yibao", &json!({"centres": [jishi, jiyidong]}))
        .await
        .unwrap();
    agent
        .writes_status(REQUEST, "dept-yibao", &json!({"centres": [row("jishi", 2), jiyidong]}))
        .await
        .unwrap();
    for status in [
        json!({"centres": [jishi, row("jiyidong", 2)]}),
        json!({ "centres": [jishi] }),
        json!({"centres": [jishi, jiyidong, row("baicheng", 1)]}),
        json!({ "conditions": ready() }),
        json!({"allocation": {"record": "r2"}}),
        json!({"allocation": {"ended": "2026-11-25T00:00:00Z"}}),
        json!({"allocation": {"pools": []}}),
        json!({"phase": "Released"}),
        json!({"gpu": "Inference:2"}),
        json!({"until": "2099-01-01"}),
        json!({"approvals": {"needed": 0, "given": 0}}),
        json!({"approvedAt": "2026-11-25T00:00:00Z"}),
        json!({"observedGeneration": 7}),
    ] {
        refused(
            agent.writes_status(REQUEST, "dept-yibao", &status).await,
            "NotOwnRow",
            &status,
        );
    }
}

const PLACEMENT: &str = "dap/ocr";

async fn rows_of_placements(cloud: &Cloud) {
    let (agent, li_na) = (At::hub(cloud, JISHI), At::hub(cloud, "li.na"));
    li_na.creates(&valid("dualactiveplacements")).await;
    let assignment = json!({"assignment": {"number": 1, "ledger": "l", "epoch": 1}});
    let operator = At::hub(cloud, "xiangyun:controller");
    operator
        .writes_status(PLACEMENT, "dept-yibao", &assignment)
        .await
        .unwrap();
    let row = |name: &str, number: i64| json!({"name": name, "number": number, "reason": "Applied", "reportedAt": "2026-11-25T00:00:00Z"});
    let own = json!({"centres": [row("jishi", 1)]});
    agent.writes_status(PLACEMENT, "dept-yibao", &own).await.unwrap();
    for status in [
        json!({"centres": [row("jishi", 1), row("jiyidong", 1)]}),
        json!({ "conditions": ready() }),
        json!({"assignment": {"number": 2}}),
        json!({"assignment": {"leaving": "Delete"}}),
        json!({"active": ["jishi"]}),
        json!({"total": {"wanted": 1, "ready": 1}}),
        json!({"spread": "jishi 1/1"}),
        json!({"layers": [{"name": "Network", "state": "Normal", "reason": "Normal", "message": "x", "since": "2026-11-25T00:00:00Z"}]}),
        json!({"observedGeneration": 7}),
    ] {
        let said = agent.writes_status(PLACEMENT, "dept-yibao", &status).await;
        refused(said, "NotOwnRow", &status);
    }
    // Guarded as it was made: nobody lets it go here, where no operator runs.
    li_na
        .may(&["delete", PLACEMENT, "-n", "dept-yibao", "--wait=false"])
        .await;
    let guarded = [
        "get",
        PLACEMENT,
        "-n",
        "dept-yibao",
        "-o=jsonpath={.metadata.finalizers}",
    ];
    assert_eq!(li_na.may(&guarded).await, r#"["xiangyun.io/placed"]"#);
}

async fn strangers(cloud: &Cloud) {
    let agent = At::hub(cloud, JISHI);
    // Whoever is in the agents' group without being one owns no row.
    let as_stranger = [
        "patch",
        REQUEST,
        "-n",
        "dept-yibao",
        "--subresource=status",
        "--type=merge",
        "-p",
    ];
    let patch = json!({"status": {"centres": [row("jishi", 1), row("jiyidong", 1), row("", 1)]}}).to_string();
    let stranger = [
        as_stranger.as_slice(),
        &[&patch, "--as", "stranger", "--as-group", "xiangyun:centres"],
    ]
    .concat();
    agent.admin().may_not(&stranger, "NotOwnRow").await;
    for plural in ["resourcerequests", "requestapprovals", "quotapools", "tenants"] {
        agent.cannot_create(&valid(plural), "forbidden").await;
    }
}

fn row(name: &str, epoch: i64) -> Value {
    json!({"name": name, "record": "r1", "epoch": epoch, "reason": "Applied", "reportedAt": "2026-11-25T00:00:00Z", "used": []})
}

fn quota(namespace: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "xiangyun", "namespace": namespace}, "spec": {"hard": {"requests.cpu": "32", "requests.memory": "128Gi"}}})
}

fn secret(namespace: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "keys", "namespace": namespace}})
}

fn config(namespace: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "xiangyun-epoch", "namespace": namespace}})
}

pub async fn agents_reach_tenants_only(cloud: &Cloud) {
    let agent = At {
        cloud,
        cluster: "jishi",
        user: Some(JISHI),
    };
    agent.cannot_create(&namespace("stray", &json!({})), "NotOurs").await;
    let labels = json!({"xiangyun.io/tenant": "dept-yibao", "xiangyun.io/pool": "x86"});
    agent.creates(&namespace("dept-yibao", &labels)).await;
    let label = |namespace, value: &'static str| ["patch", "namespace", namespace, "--type=merge", "-p", value];
    let ours = r#"{"metadata":{"labels":{"xiangyun.io/tenant":"dept-yibao"}}}"#;
    for taken in ["default", "kube-system", "xiangyun-system"] {
        agent.may_not(&label(taken, ours), "NotOurs").await;
    }
    for other in [
        r#"{"metadata":{"labels":{"xiangyun.io/tenant":"dept-jyt"}}}"#,
        r#"{"metadata":{"labels":{"xiangyun.io/tenant":null}}}"#,
    ] {
        agent.may_not(&label("dept-yibao", other), "NotOurs").await;
    }
    agent
        .may(&label(
            "dept-yibao",
            r#"{"metadata":{"labels":{"xiangyun.io/pool":"x86"}}}"#,
        ))
        .await;

    agent.creates(&quota("dept-yibao")).await;
    agent
        .creates(&binding("xiangyun", "dept-yibao", "edit", "yibao-admins"))
        .await;
    agent.could_create(&config("xiangyun-system")).await;
    for namespace in ["default", "kube-system", "xiangyun-system"] {
        agent.cannot_create(&quota(namespace), "NotOurs").await;
        agent
            .cannot_create(&binding("xiangyun", namespace, "edit", "yibao-admins"), "NotOurs")
            .await;
    }
    for role in ["admin", "cluster-admin", "xiangyun-centre"] {
        agent
            .cannot_create(&binding("more", "dept-yibao", role, "yibao-admins"), "forbidden")
            .await;
    }
    agent.could_create(&config("dept-yibao")).await;
    agent.could_create(&secret("dept-yibao")).await;
    for namespace in ["default", "kube-system"] {
        agent.cannot_create(&config(namespace), "NotOurs").await;
        agent.cannot_create(&secret(namespace), "NotOurs").await;
    }
    agent.cannot_create(&secret("xiangyun-system"), "NotOurs").await;
    for args in [
        ["delete", "namespace", "dept-yibao", "--wait=false"],
        ["delete", "resourcequota", "xiangyun", "--namespace=dept-yibao"],
        ["delete", "pod", "any", "--namespace=dept-yibao"],
    ] {
        agent.may_not(&args, "forbidden").await;
    }
}

/// The pods of a chart are their service account in their own cluster: the same rights, the same bounds.
pub async fn the_service_account_is_the_agent(cloud: &Cloud) {
    let admin = At {
        cloud,
        cluster: "jishi",
        user: None,
    };
    let account = "--as=system:serviceaccount:xiangyun-system:xiangyun-agent";
    admin.may(&["get", "nodes", account]).await;
    admin
        .may_not(&["create", "namespace", "stray", account], "NotOurs")
        .await;
    let in_default = [
        "create",
        "quota",
        "stray",
        "--hard=cpu=1",
        "--namespace=default",
        account,
    ];
    admin.may_not(&in_default, "NotOurs").await;
    let secret = ["create", "secret", "generic", "stray", "--namespace=default", account];
    admin.may_not(&secret, "NotOurs").await;
}

pub async fn pods_keep_to_their_pool(cloud: &Cloud) {
    let li_na = At {
        cloud,
        cluster: "jishi",
        user: Some("li.na"),
    };
    let text = std::fs::read_to_string(repository().join("examples/pods/runs.yaml")).unwrap();
    let pod: Value = serde_saphyr::from_str(&text).unwrap();
    let pod = merged(&pod, &json!({"metadata": {"namespace": "dept-yibao"}}));
    let file = li_na.file(&pod);
    // The namespace's service account is made by a controller.
    li_na.soon_may(&["create", "--dry-run=server", "-f", &file]).await;
    let made = li_na.could_create(&pod).await;
    assert_eq!(made["spec"]["nodeSelector"], json!({"xiangyun.io/pool": "x86"}));
    let with = |spec: Value| merged(&pod, &json!({ "spec": spec }));
    let disk = li_na
        .could_create(&with(json!({"nodeSelector": {"disk": "ssd"}})))
        .await;
    assert_eq!(
        disk["spec"]["nodeSelector"],
        json!({"disk": "ssd", "xiangyun.io/pool": "x86"})
    );
    li_na
        .could_create(&with(json!({"nodeSelector": {"xiangyun.io/pool": "x86"}})))
        .await;
    li_na
        .cannot_create(
            &with(json!({"nodeSelector": {"xiangyun.io/pool": "gpu-training"}})),
            "PoolMismatch",
        )
        .await;
    li_na
        .cannot_create(&with(json!({"nodeName": "node-1"})), "NodeNameForbidden")
        .await;
    // Nothing stands in the way of namespaces without a pool.
    let elsewhere = merged(
        &pod,
        &json!({"metadata": {"namespace": "default"}, "spec": {"nodeName": "node-1"}}),
    );
    li_na.admin().could_create(&elsewhere).await;

    rights::in_a_centre_are_bounded(cloud, "dept-yibao").await;
    li_na
        .may_not(
            &["delete", "resourcequota", "xiangyun", "-n", "dept-yibao"],
            "forbidden",
        )
        .await;
    li_na
        .cannot_create(
            &merged(&quota("dept-yibao"), &json!({"metadata": {"name": "more"}})),
            "forbidden",
        )
        .await;
}
