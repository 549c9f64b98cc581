//! Custom resources in both centres, ready by policy.

use anyhow::{Result, ensure};
use playground::eventually;
use serde_json::json;
use tests::repository;

use crate::definitions::{definition, object, placeable};
use crate::stage::{NS, placement};
use crate::world::{METRO, PATIENCE, World};

const PLATFORM: Option<&str> = Some("zhao.min");

pub(crate) async fn ready_by_policy(w: &World) -> Result<()> {
    let policy = json!({"ready": "self.status.phase == 'Ready'", "message": "'phase ' + self.status.phase"});
    w.apply("hub", PLATFORM, &placeable("Widget", policy)).await?;
    w.hub_roles("Widget").await?;
    for cluster in ["hub", METRO[0], METRO[1]] {
        w.apply(cluster, None, &definition("Widget", "example.org")).await?;
    }
    for centre in METRO {
        w.centre_role(centre, "Widget").await?;
    }
    let blue = |colour: &str| {
        object(
            "example.org/v1",
            "Widget",
            "blue",
            "widgets",
            &json!({"colour": colour}),
        )
    };
    w.put_new(&blue("blue")).await?;
    w.put(&placement("widgets", "widgets", json!({}))).await?;
    w.says(
        "widgets",
        "Starting",
        "Widget.example.org blue: it has no field status yet",
    )
    .await?;
    let why = w.plugin("li.na", &["why", "dap/widgets"]).await?;
    let why = String::from_utf8_lossy(&why.stdout).into_owned();
    ensure!(
        why.starts_with("PENDING  Starting") && why.contains("Widget.example.org blue"),
        "{why}"
    );
    w.answer("jishi", "widget/blue", &json!({"phase": "Ready"})).await?;
    w.answer("jiyidong", "widget/blue", &json!({"phase": "Broken"})).await?;
    w.says(
        "widgets",
        "Starting",
        "jiyidong: Widget.example.org blue: not ready: phase Broken",
    )
    .await?;
    w.answer("jiyidong", "widget/blue", &json!({"phase": "Ready"})).await?;
    w.placement_reason("widgets", "Running").await?;
    // An edit of the template reaches both; what the centre's controller wrote stays.
    w.put(&blue("red")).await?;
    for centre in METRO {
        w.field(centre, &["widget", "blue"], "/spec/colour", &json!("red"), PATIENCE)
            .await?;
        w.field(centre, &["widget", "blue"], "/status/phase", &json!("Ready"), PATIENCE)
            .await?;
    }
    let page = w.plugin("li.na", &["status", "dap/widgets"]).await?;
    let page = String::from_utf8_lossy(&page.stdout).into_owned();
    ensure!(page.contains("Widget.example.org"), "{page}");
    in_use_until_it_left(w).await
}

/// A kind of which something is placed cannot be deleted.
async fn in_use_until_it_left(w: &World) -> Result<()> {
    eventually(PATIENCE, "one object is counted", || async {
        let kind = w.ready_reason(&["pkind", "widgets.example.org"], "Placeable").await?;
        ensure!(kind["status"]["placed"] == 1, "{}", kind["status"]);
        Ok(())
    })
    .await?;
    let delete = ["delete", "pkind", "widgets.example.org", "--timeout=60s"];
    w.refused("hub", PLATFORM, &delete, "1 objects of it are placed")
        .await?;
    w.delete(&["dap", "widgets"]).await?;
    for centre in METRO {
        w.is_gone(centre, &["widget", "blue"]).await?;
    }
    w.delete(&["widget", "blue"]).await?;
    eventually(PATIENCE, "the kind can be deleted", || async {
        w.ok("hub", PLATFORM, &delete).await.map(drop)
    })
    .await
}

pub(crate) async fn a_gateway_route(w: &World) -> Result<()> {
    let example = |name: &str| repository().join("examples").join(name).to_string_lossy().into_owned();
    let group = "gateway.networking.k8s.io";
    for cluster in ["hub", METRO[0], METRO[1]] {
        let roles = if cluster == "hub" { "hub" } else { "centre" };
        let roles = example(&format!("roles/kinds-{roles}.yaml"));
        w.ok(cluster, None, &["apply", "-f", &roles]).await?;
        w.apply(cluster, None, &definition("HTTPRoute", group)).await?;
    }
    w.ok("hub", PLATFORM, &["apply", "-f", &example("60-kinds.yaml")])
        .await?;
    let rules = json!({"parentRefs": [{"name": "outside"}], "hostnames": ["shop.invalid"],
        "rules": [{"backendRefs": [{"name": "shop", "port": 80}]}]});
    w.put_new(&object(
        "gateway.networking.k8s.io/v1",
        "HTTPRoute",
        "shop",
        "routes",
        &rules,
    ))
    .await?;
    w.put(&placement("routes", "routes", json!({}))).await?;
    let name = format!("HTTPRoute.{group} shop");
    w.says(
        "routes",
        "Starting",
        &format!("{name}: no gateway has looked at it yet"),
    )
    .await?;
    for centre in METRO {
        let route = w.get(centre, &["httproute", "shop", "-n", NS]).await?;
        ensure!(route["spec"] == rules, "{}", route["spec"]);
        let accepted = |status: &str| {
            let generation = &route["metadata"]["generation"];
            json!({"parents": [{"parentRef": {"name": "outside"}, "controllerName": "invalid/gateway",
                "conditions": [{"type": "Accepted", "status": status, "observedGeneration": generation}]}]})
        };
        w.answer(centre, "httproute/shop", &accepted("False")).await?;
        w.says(
            "routes",
            "Starting",
            &format!("{centre}: {name}: a gateway has not accepted"),
        )
        .await?;
        w.answer(centre, "httproute/shop", &accepted("True")).await?;
    }
    w.placement_reason("routes", "Running").await?;
    w.delete(&["dap", "routes"]).await?;
    for centre in METRO {
        w.is_gone(centre, &["httproute", "shop"]).await?;
    }
    w.delete(&["httproute", "shop"]).await
}
