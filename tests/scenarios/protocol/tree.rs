//! Ceilings over subtrees: borrowing, moving, and what goes away.

use anyhow::{Context as _, Result, ensure};
use crds::request_reason as reason;
use jiff::ToSpan as _;
use playground::eventually;
use serde_json::{Value, json};

use crate::life::asks;
use crate::world::{FIVE, PATIENCE, World};

/// The day after today in the province.
#[allow(clippy::disallowed_methods, reason = "the day on which the test runs")]
pub(crate) fn tomorrow() -> String {
    let now = plan::request::date_at(jiff::Timestamp::now());
    now.saturating_add(1.day()).to_string()
}

fn amounts(vcpu: u32) -> Value {
    json!({"cpu": vcpu.to_string(), "memory": format!("{}Gi", 4 * vcpu)})
}

/// A tenant with a ceiling, a borrowing limit and a lending limit in vCPU.
fn below(parent: &str, name: &str, ceiling: [u32; 3]) -> Value {
    let [own, borrow, lend] = ceiling;
    let mut row = json!({"pool": FIVE, "amounts": amounts(own)});
    for (key, vcpu) in [("borrowingLimit", borrow), ("lendingLimit", lend)] {
        if vcpu > 0 {
            row[key] = amounts(vcpu);
        }
    }
    json!({"apiVersion": "xiangyun.io/v1alpha1", "kind": "Tenant", "metadata": {"name": name},
        "spec": {"displayName": name, "level": "City", "parentRef": parent, "ceilings": [row]}})
}

/// Such a tenant, established.
pub(crate) async fn tenant(w: &World, name: &str, parent: &str, ceiling: [u32; 3]) -> Result<()> {
    w.apply(&below(parent, name, ceiling)).await?;
    let object = format!("dept/{name}");
    let wait = ["wait", "--for=condition=Ready", "--timeout=60s", &object];
    w.kubectl("hub", None, &wait).await.map(drop)
}

/// Gives back what is granted, deletes what waits, and the tenant.
pub(crate) async fn remove(w: &World, tenant: &str, granted: &[&str], waiting: &[&str]) -> Result<()> {
    for name in waiting {
        w.kubectl("hub", None, &["delete", "rreq", name, "-n", tenant]).await?;
    }
    for name in granted {
        let spec = json!({"displayName": "释放", "type": "Release", "allocationRef": {"name": name}});
        w.create_in(tenant, &format!("{name}-release"), spec).await?;
        w.stands(name, 0, reason::RELEASED).await?;
    }
    let object = format!("dept/{tenant}");
    eventually(PATIENCE, "nothing is charged to it", || async {
        w.kubectl("hub", Some("zhao.min"), &["delete", &object]).await.map(drop)
    })
    .await
}

/// `long` may borrow 4 of the 4 that `near` lends; `far`, a cousin, lends nothing to it whatever it allows.
pub(crate) async fn borrowing_and_lending(w: &World) -> Result<()> {
    tenant(w, "city-a", "jilin", [20, 0, 0]).await?;
    tenant(w, "city-b", "jilin", [20, 0, 20]).await?;
    tenant(w, "long", "city-a", [4, 8, 0]).await?;
    tenant(w, "near", "city-a", [12, 0, 4]).await?;
    tenant(w, "far", "city-b", [20, 0, 20]).await?;
    w.create_in("long", "lend-a", asks("New", 8)).await?;
    w.stands("lend-a", 8, reason::ACTIVE).await?;
    // Its borrowing limit allows 4 more; only a cousin would have them.
    w.create_in("long", "lend-b", asks("New", 4)).await?;
    w.stands("lend-b", 0, reason::CEILING_REACHED).await?;
    // What is lent is missing to the lender.
    w.create_in("near", "lend-c", asks("New", 12)).await?;
    w.stands("lend-c", 0, reason::CEILING_REACHED).await?;
    w.create_in("near", "lend-d", asks("New", 8)).await?;
    w.stands("lend-d", 8, reason::ACTIVE).await?;
    remove(w, "long", &["lend-a"], &["lend-b"]).await?;
    // It came back.
    remove(w, "near", &["lend-d"], &["lend-c"]).await?;
    for name in ["far", "city-b", "city-a"] {
        remove(w, name, &[], &[]).await?;
    }
    Ok(())
}

pub(crate) async fn child_over_parent_two_at_once(w: &World) -> Result<()> {
    tenant(w, "over", "jilin", [8, 0, 0]).await?;
    tenant(w, "over-a", "over", [8, 0, 0]).await?;
    tenant(w, "over-b", "over", [8, 0, 0]).await?;
    let (a, b) = (
        w.create_in("over-a", "over-1", asks("New", 8)),
        w.create_in("over-b", "over-2", asks("New", 8)),
    );
    futures::future::try_join(a, b).await?;
    w.until("one of them is granted", |judge| {
        let (live, refused) = (judge.live("over"), judge.because("over", reason::CEILING_REACHED));
        ensure!(live.len() == 1 && refused == 1, "{live:?}, {refused} refused");
        Ok(())
    })
    .await?;
    let live = w.ask(|judge| judge.live("over"))?;
    let first = live.iter().any(|name| name == "over-1");
    let (won, lost) = if first {
        (("over-a", "over-1"), ("over-b", "over-2"))
    } else {
        (("over-b", "over-2"), ("over-a", "over-1"))
    };
    // It is freed at once for the other.
    let spec = json!({"displayName": "释放", "type": "Release", "allocationRef": {"name": won.1}});
    w.create_in(won.0, "over-release", spec).await?;
    w.stands(lost.1, 8, reason::ACTIVE).await?;
    remove(w, won.0, &[], &[]).await?;
    remove(w, lost.0, &[lost.1], &[]).await?;
    remove(w, "over", &[], &[]).await
}

pub(crate) async fn adopted(w: &World, tenant: &str, expected: &str) -> Result<()> {
    let path = "jsonpath={.status.conditions[?(@.type==\"Adopted\")].reason}";
    eventually(PATIENCE, &format!("{tenant} is {expected}"), || async {
        let found = w.kubectl("hub", None, &["get", "dept", tenant, "-o", path]).await?;
        ensure!(found == expected, "{found}");
        Ok(())
    })
    .await
}

pub(crate) async fn reparent_and_overshoot(w: &World) -> Result<()> {
    tenant(w, "old", "jilin", [16, 0, 0]).await?;
    tenant(w, "small", "jilin", [4, 0, 0]).await?;
    tenant(w, "moves", "old", [16, 0, 0]).await?;
    w.create_in("moves", "moves-a", asks("New", 8)).await?;
    w.stands("moves-a", 8, reason::ACTIVE).await?;
    adopted(w, "moves", "Adopted").await?;
    w.patch("dept/moves", &json!({"spec": {"parentRef": "small"}})).await?;
    adopted(w, "moves", "Overshoot").await?;
    let charged = ["get", "dept", "small", "-o", "jsonpath={.status.charged}"];
    let found = w.kubectl("hub", None, &charged).await?;
    ensure!(found.is_empty() || found == "[]", "{found}");
    tenant(w, "small", "jilin", [12, 0, 0]).await?;
    adopted(w, "moves", "Adopted").await?;
    eventually(PATIENCE, "it is counted there", || async {
        let found = w.kubectl("hub", None, &charged).await?;
        ensure!(found.contains("\"cpu\":\"8\""), "{found}");
        Ok(())
    })
    .await?;
    remove(w, "moves", &["moves-a"], &[]).await?;
    remove(w, "small", &[], &[]).await?;
    remove(w, "old", &[], &[]).await
}

/// Parent and child change places in one file. The child may not move yet, because its new parent has too little room for what
/// it holds: so the parent waits as well, or both would be a ring without a root. When the child moves, the parent follows.
pub(crate) async fn parent_and_child_swap(w: &World) -> Result<()> {
    let (upper, lower, narrow) = ("swap-upper", "swap-lower", "swap-narrow");
    tenant(w, narrow, "jilin", [4, 0, 0]).await?;
    tenant(w, upper, "jilin", [16, 0, 0]).await?;
    tenant(w, lower, upper, [16, 0, 0]).await?;
    w.create_in(lower, "swap-a", asks("New", 8)).await?;
    w.stands("swap-a", 8, reason::ACTIVE).await?;
    for name in [upper, lower] {
        adopted(w, name, "Adopted").await?;
    }
    let swapped = [below(lower, upper, [16, 0, 0]), below(narrow, lower, [16, 0, 0])];
    w.apply(&json!({"apiVersion": "v1", "kind": "List", "items": swapped}))
        .await?;
    for name in [lower, upper] {
        adopted(w, name, "Overshoot").await?;
    }
    let path = "jsonpath={.status.conditions[?(@.type==\"Adopted\")].message}";
    let why = w.kubectl("hub", None, &["get", "dept", upper, "-o", path]).await?;
    ensure!(why.contains("swap-lower still lies below swap-upper"), "{why}");
    // Both are counted where they were.
    charged(w, upper, Some(8)).await?;
    charged(w, narrow, None).await?;
    tenant(w, narrow, "jilin", [12, 0, 0]).await?;
    for name in [lower, upper] {
        adopted(w, name, "Adopted").await?;
    }
    charged(w, upper, None).await?;
    charged(w, narrow, Some(8)).await?;
    // What was the parent has all above it over it: its own child of yesterday, and the narrow one.
    w.create_in(upper, "swap-b", asks("New", 4)).await?;
    w.stands("swap-b", 4, reason::ACTIVE).await?;
    charged(w, lower, Some(12)).await?;
    w.create_in(upper, "swap-c", asks("New", 4)).await?;
    w.stands("swap-c", 0, reason::CEILING_REACHED).await?;
    remove(w, upper, &["swap-b"], &["swap-c"]).await?;
    remove(w, lower, &["swap-a"], &[]).await?;
    remove(w, narrow, &[], &[]).await
}

/// Waits until a tenant says that its subtree holds so many vCPU, or nothing.
async fn charged(w: &World, tenant: &str, vcpu: Option<u32>) -> Result<()> {
    let path = "jsonpath={.status.charged[*].amounts.cpu}";
    let expected = vcpu.map(|v| v.to_string()).unwrap_or_default();
    eventually(PATIENCE, &format!("{tenant} holds {vcpu:?}"), || async {
        let found = w.kubectl("hub", None, &["get", "dept", tenant, "-o", path]).await?;
        ensure!(found == expected, "{found}");
        Ok(())
    })
    .await
}

pub(crate) async fn delete_a_member_of_a_subtree(w: &World) -> Result<()> {
    tenant(w, "trunk", "jilin", [16, 0, 0]).await?;
    tenant(w, "leaf", "trunk", [16, 0, 0]).await?;
    w.create_in("leaf", "leaf-a", asks("New", 4)).await?;
    w.stands("leaf-a", 4, reason::ACTIVE).await?;
    for member in ["leaf", "trunk"] {
        let path = "jsonpath={.status.charged[0].amounts.cpu}";
        eventually(PATIENCE, "it says what it holds", || async {
            let found = w.kubectl("hub", None, &["get", "dept", member, "-o", path]).await?;
            ensure!(found == "4", "{found}");
            Ok(())
        })
        .await?;
        let delete = w.kubectl("hub", Some("zhao.min"), &["delete", "dept", member]).await;
        let refused = delete.err().context("it is in use")?.to_string();
        ensure!(refused.contains("InUse") && refused.contains("cpu 4"), "{refused}");
    }
    remove(w, "leaf", &["leaf-a"], &[]).await?;
    remove(w, "trunk", &[], &[]).await
}

/// A resource that vanishes from a ceiling takes nothing away; nothing more of it is granted.
pub(crate) async fn remove_a_resource_in_use(w: &World) -> Result<()> {
    tenant(w, "less", "jilin", [16, 0, 0]).await?;
    w.create_in("less", "less-a", asks("New", 4)).await?;
    w.stands("less-a", 4, reason::ACTIVE).await?;
    let ceilings = json!([{"pool": FIVE, "amounts": {"cpu": "16"}}]);
    w.patch("dept/less", &json!({"spec": {"ceilings": ceilings}})).await?;
    w.create_in("less", "less-b", asks("New", 4)).await?;
    w.stands("less-b", 0, reason::CEILING_REACHED).await?;
    w.stands("less-a", 4, reason::ACTIVE).await?;
    remove(w, "less", &["less-a"], &["less-b"]).await
}
