//! Where traffic goes: the weights of the centres, published in the hub; and how people ask for a move.

use anyhow::{Context as _, Result, ensure};
use playground::eventually;
use serde_json::{Value, json};

use crate::stage::{NS, deployment, placement};
use crate::world::{METRO, PATIENCE, World, condition};

const HOST: &str = "steered.jl.gov.cn";

/// As much of the definition of a foreign kind as is written.
fn definition(group: &str, version: &str, kind: &str) -> Value {
    let any = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
    let (singular, plural) = (kind.to_lowercase(), format!("{}s", kind.to_lowercase()));
    json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": format!("{plural}.{group}"),
            "annotations": {"api-approved.kubernetes.io": "https://github.com/kubernetes-sigs/external-dns/pull/2007"}},
        "spec": {"group": group, "scope": "Namespaced",
            "names": {"kind": kind, "plural": plural, "singular": singular},
            "versions": [{"name": version, "served": true, "storage": true, "subresources": {"status": {}},
                "schema": {"openAPIV3Schema": {"type": "object", "properties": {"spec": any, "status": any}}}}]}})
}

async fn enters(w: &World, centre: &str, addresses: &[&str]) -> Result<()> {
    let patch = json!({"spec": {"ingress": addresses}}).to_string();
    let args = ["patch", "dcn", centre, "--type=merge", "-p", &patch];
    w.ok("hub", Some("zhao.min"), &args).await.map(drop)
}

/// Waits until the condition TrafficPublished has that reason.
async fn published(w: &World, reason: &str) -> Result<()> {
    eventually(PATIENCE, &format!("traffic says {reason}"), || async {
        let found = w.get("hub", &["dap", "steered", "-n", NS]).await?;
        let said = condition(&found, "TrafficPublished").cloned().unwrap_or_default();
        ensure!(said["reason"] == reason, "{said}");
        Ok(())
    })
    .await
}

/// Waits until a slice has that weight, and is ready where that is above 0.
async fn weighs(w: &World, slice: &str, address: &str, weight: i64) -> Result<()> {
    eventually(PATIENCE, &format!("{slice} weighs {weight}"), || async {
        let found = w.get("hub", &["endpointslice", slice, "-n", NS]).await?;
        let said = &found["metadata"]["annotations"]["xiangyun.io/weight"];
        ensure!(*said == json!(weight.to_string()), "it weighs {said}");
        let endpoint = &found["endpoints"][0];
        ensure!(endpoint["addresses"] == json!([address]), "{endpoint}");
        ensure!(endpoint["conditions"]["ready"] == json!(weight > 0), "{endpoint}");
        ensure!(
            found["metadata"]["labels"]["kubernetes.io/service-name"] == "steered",
            "{found}"
        );
        Ok(())
    })
    .await
}

/// Waits until the name leads to these addresses, each with its centre and weight.
async fn leads(w: &World, to: &[(&str, &str, &str, &str)]) -> Result<()> {
    eventually(PATIENCE, &format!("the name leads to {to:?}"), || async {
        let found = w.get("hub", &["dnsendpoint", "steered", "-n", NS]).await?;
        let record = |(kind, address, centre, weight): &(&str, &str, &str, &str)| {
            json!({"dnsName": HOST, "recordType": kind, "targets": [address], "recordTTL": 30, "setIdentifier": centre,
                "providerSpecific": [{"name": "weight", "value": weight}]})
        };
        let wanted: Vec<Value> = to.iter().map(record).collect();
        ensure!(found["spec"]["endpoints"] == json!(wanted), "{}", found["spec"]);
        Ok(())
    })
    .await
}

/// A service behind four copies, two in each centre, whose traffic is steered; no centre says yet where it is entered.
async fn steered(w: &World, traffic: &Value) -> Result<()> {
    let service = json!({"apiVersion": "v1", "kind": "Service",
        "metadata": {"name": "steered", "namespace": NS, "labels": {"app": "steered"}},
        "spec": {"selector": {"name": "steered"}, "ports": [{"port": 80}]}});
    w.put(&service).await?;
    w.put(&deployment("steered", "steered", 4)).await?;
    w.put(&placement("steered", "steered", json!({ "traffic": traffic })))
        .await?;
    w.copies("steered", "steered", [2, 2]).await?;
    published(w, "IngressMissing").await
}

/// Without a name nothing is published, and everything is taken away.
async fn unsteered(w: &World) -> Result<()> {
    let patch = json!({"spec": {"traffic": null}});
    w.patch("hub", crate::stage::LI, &["dap", "steered"], &patch).await?;
    for what in [
        "endpointslice/steered-jishi",
        "endpointslice/steered-jiyidong",
        "dnsendpoint/steered",
    ] {
        w.is_gone("hub", &[what]).await?;
    }
    w.delete(&["dap", "steered"]).await?;
    w.delete(&["deploy/steered", "service/steered"]).await?;
    for centre in METRO {
        enters(w, centre, &[]).await?;
    }
    w.ok("hub", None, &["delete", "crd", "dnsendpoints.externaldns.k8s.io"])
        .await
        .map(drop)
}

pub(crate) async fn follows_what_serves(w: &World) -> Result<()> {
    let traffic = json!({"hostname": HOST, "ttlSeconds": 30});
    steered(w, &traffic).await?;
    enters(w, "jishi", &["10.1.0.1", "fd00:1::1"]).await?;
    enters(w, "jiyidong", &["10.2.0.1"]).await?;
    // The slices do not wait for a kind that the hub does not serve.
    published(w, "KindMissing").await?;
    weighs(w, "steered-jishi", "10.1.0.1", 2).await?;
    weighs(w, "steered-jishi-ipv6", "fd00:1::1", 2).await?;
    weighs(w, "steered-jiyidong", "10.2.0.1", 2).await?;
    let names = definition("externaldns.k8s.io", "v1alpha1", "DNSEndpoint");
    w.apply("hub", None, &names).await?;
    published(w, "Published").await?;
    let jishi = |weight| {
        [
            ("A", "10.1.0.1", "jishi", weight),
            ("AAAA", "fd00:1::1", "jishi", weight),
        ]
    };
    leads(
        w,
        &[jishi("2").as_slice(), &[("A", "10.2.0.1", "jiyidong", "2")]].concat(),
    )
    .await?;

    // Nothing serves in one centre: its slice stays and is not ready, its record is withdrawn.
    let centres = json!([{"name": "jishi"}, {"name": "jiyidong", "weight": 0}]);
    w.put(&placement(
        "steered",
        "steered",
        json!({"traffic": traffic, "centres": centres}),
    ))
    .await?;
    w.copies("steered", "steered", [4, 0]).await?;
    weighs(w, "steered-jiyidong", "10.2.0.1", 0).await?;
    leads(w, &jishi("4")).await?;
    // Of what is taken away by hand nothing is missed for long.
    w.ok("hub", None, &["delete", "endpointslice", "steered-jishi", "-n", NS])
        .await?;
    weighs(w, "steered-jishi", "10.1.0.1", 4).await?;

    a_gateway_follows(w, &centres).await?;
    unsteered(w).await
}

/// A Gateway of the hub leads users by the same weights; a Service that is somebody else's stays as it is.
async fn a_gateway_follows(w: &World, centres: &Value) -> Result<()> {
    let other = json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "steered-jishi", "namespace": NS},
        "spec": {"ports": [{"port": 22}]}});
    w.put(&other).await?;
    let gateway = json!({"name": "province", "namespace": "ingress", "service": "steered", "port": 8080});
    let traffic = json!({"hostname": HOST, "ttlSeconds": 30, "gateway": gateway});
    let spec = json!({"traffic": traffic, "centres": centres});
    w.put(&placement("steered", "steered", spec)).await?;
    published(w, "KindMissing").await?;
    let routes = definition("gateway.networking.k8s.io", "v1", "HTTPRoute");
    w.apply("hub", None, &routes).await?;
    published(w, "ApplyFailed").await?;
    let found = w.get("hub", &["service", "steered-jishi", "-n", NS]).await?;
    ensure!(found["spec"]["ports"][0]["port"] == 22, "{found}");
    let label = "kubernetes.io/service-name=steered-jishi";
    let slices = w.get("hub", &["endpointslices", "-n", NS, "-l", label]).await?;
    ensure!(slices["items"] == json!([]), "it leads elsewhere now: {slices}");
    w.delete(&["service/steered-jishi"]).await?;
    published(w, "Published").await?;
    let backend =
        |centre: &str, weight: i64| json!({"name": format!("steered-{centre}"), "port": 8080, "weight": weight});
    eventually(PATIENCE, "the route leads to both by their weights", || async {
        let found = w.get("hub", &["httproute", "steered", "-n", NS]).await?;
        let wanted = json!({"hostnames": [HOST], "parentRefs": [{"name": "province", "namespace": "ingress"}],
            "rules": [{"backendRefs": [backend("jishi", 4), backend("jiyidong", 0)]}]});
        ensure!(found["spec"] == wanted, "{}", found["spec"]);
        Ok(())
    })
    .await?;
    for (centre, address) in [("jishi", "10.1.0.1"), ("jiyidong", "10.2.0.1")] {
        let name = format!("steered-{centre}");
        let service = w.get("hub", &["service", &name, "-n", NS]).await?;
        ensure!(service["spec"]["ports"][0]["port"] == 8080, "{service}");
        let label = format!("kubernetes.io/service-name={name}");
        let slices = w.get("hub", &["endpointslices", "-n", NS, "-l", &label]).await?;
        let led = slices["items"].to_string();
        ensure!(led.contains(address) && led.contains("8080"), "{led}");
    }
    // Without a Gateway it is as before.
    let patch = json!({"spec": {"traffic": {"gateway": null}}});
    w.patch("hub", crate::stage::LI, &["dap", "steered"], &patch).await?;
    for what in [
        "httproute/steered",
        "service/steered-jishi",
        "service/steered-jiyidong",
        "endpointslice/steered-jishi-jishi",
    ] {
        w.is_gone("hub", &[what]).await?;
    }
    weighs(w, "steered-jishi", "10.1.0.1", 4).await?;
    w.ok("hub", None, &["delete", "crd", "httproutes.gateway.networking.k8s.io"])
        .await
        .map(drop)
}

/// Exit code, answer and error of the plugin, as that person.
async fn ask(w: &World, person: &str, args: &[&str]) -> Result<(i32, Value, String)> {
    let output = w.plugin(person, &[args, &["-n", NS, "-o", "json"]].concat()).await?;
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    let answer = serde_json::from_slice(&output.stdout).unwrap_or_default();
    Ok((output.status.code().context("it was killed")?, answer, error))
}

/// What a move would do is told, the server checks it without storing anything, and what stands in the way is said.
pub(crate) async fn a_move_is_planned(w: &World) -> Result<()> {
    w.put(&deployment("moves", "moves", 2)).await?;
    let spec = json!({"mode": "ActiveStandby", "active": "jishi", "standby": "Hot", "failover": {"rto": "120s"}});
    w.put(&placement("moves", "moves", spec)).await?;
    w.copies("moves", "moves", [2, 2]).await?;
    let plan = ["failover", "plan", "dap/moves", "--to"];
    let (code, scheme, error) = ask(w, "li.na", &[plan.as_slice(), &["jiyidong"]].concat()).await?;
    ensure!(
        code == 0 && scheme["from"] == "jishi" && scheme["rto"] == "120s",
        "{code} {scheme} {error}"
    );
    ensure!(scheme["steps"].as_array().is_some_and(|s| s.len() == 3), "{scheme}");
    let (code, scheme, _) = ask(w, "li.na", &[plan.as_slice(), &["jishi"]].concat()).await?;
    ensure!(
        code == 1 && scheme["obstacles"].as_array().is_some_and(|o| o.len() == 1),
        "{code} {scheme}"
    );
    let start = [
        "failover",
        "start",
        "dap/moves",
        "--to",
        "jiyidong",
        "--dry-run",
        "--comment",
        "演练",
    ];
    for (person, code) in [("li.na", 0), ("zhao.min", 0), ("zhang.wei", 1), ("sun.li", 1)] {
        let (found, answer, error) = ask(w, person, &start).await?;
        ensure!(found == code, "{person}: {found} {answer} {error}");
    }
    let (code, moves, _) = ask(w, "li.na", &["failover", "status"]).await?;
    ensure!(code == 0 && moves == json!([]), "a dry run stores nothing: {moves}");
    let (code, _, error) = ask(w, "li.na", &["failback", "start", "moves"]).await?;
    ensure!(code == 1 && error.contains("runs in jishi already"), "{code} {error}");
    w.delete(&["dap", "moves"]).await?;
    w.delete(&["deploy", "moves"]).await
}
