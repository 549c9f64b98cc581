//! The port at which the gates of the nodes ask: `GET /permits/{node}`. A process that does not lead answers 503, and a
//! gate goes by whoever does.

use std::net::SocketAddr;
use std::sync::Arc;

use arbiter::permit::{Answer, Asking, PodPermit, ScopeEpoch};
use axum::Router;
use axum::extract::{Path, RawQuery, State};
use axum::http::StatusCode;
use axum::routing::get;
use tokio::net::TcpListener;

use super::pods::ExclusivePod;
use super::{Known, Rights};
use crate::cache::Cache;
use crate::quorum::boot;

/// More nodes than a centre has.
const MOST_GATES: usize = 8_192;

#[derive(Clone)]
struct Port {
    rights: Rights,
    pods: Cache<ExclusivePod>,
}

/// Serves for as long as it is waited for; for ever nothing where no address is given.
pub(super) async fn serve(
    rights: Rights,
    pods: Cache<ExclusivePod>,
    address: Option<SocketAddr>,
) -> std::io::Result<()> {
    let Some(address) = address else {
        return std::future::pending().await;
    };
    let router = Router::new()
        .route("/permits/{node}", get(permits))
        .with_state(Port { rights, pods });
    let listener = TcpListener::bind(address).await?;
    tracing::info!(%address, "serving /permits");
    axum::serve(listener, router).await
}

async fn permits(
    State(Port { rights, pods }): State<Port>,
    Path(node): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<String, StatusCode> {
    let asking = asking(query.as_deref().unwrap_or_default());
    let (now, leads) = (boot(), rights.leads());
    let until = leads.until;
    if until <= now || !pods.complete() {
        return Err(StatusCode::SERVICE_UNAVAILABLE);
    }
    let on_node: Vec<Arc<ExclusivePod>> = pods.shared().into_iter().filter(|pod| pod.node() == node).collect();
    let mut known = rights.known();
    let Known {
        agent,
        epoch,
        gates,
        answered,
        ..
    } = &mut *known;
    let agent = agent.as_mut().filter(|_| *epoch == leads.epoch);
    let agent = agent.ok_or(StatusCode::SERVICE_UNAVAILABLE)?;
    if gates.len() < MOST_GATES || gates.contains_key(&node) {
        gates.insert(node, (now, asking.ready));
    }
    asking.record.into_iter().for_each(|number| agent.gate_saw(number));
    let mut answer = Answer {
        record: agent.stored().number,
        ..Answer::default()
    };
    for pod in on_node {
        let Some(scope) = pod.scope() else { continue };
        let epoch = pod.epoch();
        let right = agent.right(&scope, now, until).filter(|right| right.epoch == epoch);
        let left = right.map(|right| right.until.saturating_sub(now).as_millis());
        let left_ms = left.map(|ms| u64::try_from(ms).unwrap_or(u64::MAX));
        if left_ms.is_some() {
            answered.insert(scope.clone(), now);
        }
        answer.epochs.push(ScopeEpoch {
            scope: scope.clone(),
            epoch: agent.floor(&scope),
        });
        answer.pods.extend(pod.addresses().map(|address| PodPermit {
            scope: scope.clone(),
            address,
            uid: pod.uid().to_owned(),
            epoch,
            left_ms,
        }));
    }
    serde_json::to_string(&answer).map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)
}

/// What the gate says of itself; a word that cannot be read is not said.
fn asking(query: &str) -> Asking {
    let said = |key: &str| {
        form_urlencoded::parse(query.as_bytes())
            .find(|(k, _)| k == key)
            .map(|(_, value)| value)
    };
    Asking {
        record: said("record").and_then(|number| number.parse().ok()),
        ready: said("ready").is_some_and(|ready| ready == "true"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gate_says_what_it_remembers_and_whether_it_stands() {
        let said = |record, ready| Asking { record, ready };
        assert_eq!(asking("ready=true&record=7"), said(Some(7), true));
        assert_eq!(asking("ready=maybe&record=x"), said(None, false));
        assert_eq!(asking(""), said(None, false));
    }
}
