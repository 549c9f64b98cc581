//! Notices: what becomes of a move is posted to the contacts of its department, signed, and said on the move once it was taken.

use std::sync::Arc;

use anyhow::{Context as _, Result, bail, ensure};
use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use controllers::clock::Clock;
use controllers::events::Events;
use controllers::notify;
use controllers::operator::Common;
use controllers::pass::Passes;
use playground::eventually;
use prometheus::Registry;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

use crate::stage::{LI, NS};
use crate::world::{PATIENCE, World};

/// What was posted: its delivery, its signature, and the body.
type Posts = Arc<Mutex<Vec<(String, String, Value)>>>;

/// A contact that is not there for the first notice, and takes the next.
async fn contact() -> Result<(String, Posts)> {
    async fn take(State(posts): State<Posts>, headers: HeaderMap, body: String) -> StatusCode {
        let header = |name: &str| {
            headers
                .get(name)
                .and_then(|v| v.to_str().ok())
                .unwrap_or_default()
                .to_owned()
        };
        let mut posts = posts.lock().await;
        posts.push((
            header("x-xiangyun-delivery"),
            header("x-xiangyun-signature"),
            serde_json::from_str(&body).unwrap_or_default(),
        ));
        if posts.len() == 1 {
            StatusCode::SERVICE_UNAVAILABLE
        } else {
            StatusCode::NO_CONTENT
        }
    }
    let posts = Posts::default();
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = format!("http://{}/duty?shift=night", listener.local_addr()?);
    let router = Router::new().route("/duty", post(take)).with_state(Arc::clone(&posts));
    tokio::spawn(async move { axum::serve(listener, router).await });
    Ok((address, posts))
}

/// The part of the operator that tells contacts, with a key; that of the cloud has none, and tells nobody.
async fn teller(w: &World) -> Result<()> {
    let client = w.cloud.client("hub", Some("xiangyun:controller")).await?;
    let key = w.cloud.dir().join("notify.key");
    std::fs::write(&key, "a key of the province\n")?;
    let registry = Registry::new();
    let (events, _deliver) = Events::new(client.clone(), "notices");
    let common = Common {
        client,
        events,
        clock: Clock::default(),
        passes: Passes::new(&registry)?,
        stop: CancellationToken::new(),
    };
    notify::run(common, notify::figures(&registry)?, Some(key)).await?;
    bail!("it ended")
}

pub(crate) async fn contacts_are_told(w: &World) -> Result<()> {
    let (address, posts) = contact().await?;
    let contacts = json!({"spec": {"contacts": [{"name": "duty", "webhook": address}]}}).to_string();
    let patch = ["patch", "dept", NS, "--type=merge", "-p", &contacts];
    w.ok("hub", Some("zhao.min"), &patch).await?;
    // Nothing of that name is placed, so the move is given up at once.
    let failover = json!({"apiVersion": "xiangyun.io/v1alpha1", "kind": "Failover",
        "metadata": {"name": "nothing", "namespace": NS},
        "spec": {"placementRef": {"name": "nothing"}, "type": "Planned", "from": "jishi", "to": "jiyidong"}});
    w.apply("hub", LI, &failover).await?;
    tokio::select! {
        ended = teller(w) => return ended,
        told = told(w, &posts) => told?,
    }
    // Whoever begins anew reads on the move what was told.
    let before = posts.lock().await.len();
    let other = json!({"metadata": {"annotations": {"a": "b"}}});
    tokio::select! {
        ended = teller(w) => return ended,
        changed = w.patch("hub", LI, &["failover", "nothing"], &other) => changed?,
    }
    ensure!(posts.lock().await.len() == before, "it was told twice");
    let nobody = json!({"spec": {"contacts": []}}).to_string();
    w.ok(
        "hub",
        Some("zhao.min"),
        &["patch", "dept", NS, "--type=merge", "-p", &nobody],
    )
    .await?;
    w.ok("hub", None, &["delete", "failover", "nothing", "-n", NS])
        .await
        .map(drop)
}

/// Waits until the contact took it and the move says so.
async fn told(w: &World, posts: &Posts) -> Result<()> {
    let uid = w.uid("hub", &["failover", "nothing"]).await?;
    let at = "/metadata/annotations/xiangyun.io~1notified";
    w.field("hub", &["failover", "nothing"], at, &json!("Aborted"), PATIENCE)
        .await?;
    eventually(PATIENCE, "two posts", || async {
        let posts = posts.lock().await;
        ensure!(posts.len() == 2, "{posts:?}");
        let (delivery, signature, body) = posts.first().context("a post")?;
        ensure!(
            posts.iter().all(|p| (&p.0, &p.1, &p.2) == (delivery, signature, body)),
            "{posts:?}"
        );
        ensure!(
            *delivery == format!("{}/Aborted", uid.as_str().context("a uid")?),
            "{delivery}"
        );
        ensure!(signature.starts_with("sha256=") && signature.len() == 71, "{signature}");
        let said = [
            &body["placement"],
            &body["from"],
            &body["to"],
            &body["reason"],
            &body["phase"],
        ];
        ensure!(
            said == ["nothing", "jishi", "jiyidong", "PlacementMissing", "Aborted"],
            "{body}"
        );
        let zh = body["message"]["zh"].as_str().unwrap_or_default();
        ensure!(zh.starts_with("nothing：jishi 至 jiyidong 的切换已中止"), "{body}");
        Ok(())
    })
    .await
}
