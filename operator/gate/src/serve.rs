//! The port: `/healthz` (the process lives), `/readyz` (GateReady, as JSON), `/metrics`.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use prometheus::{Encoder as _, Registry, TextEncoder};
use tokio::net::TcpListener;

use crate::clock::boot_time;
use crate::ready::Status;

/// What the port tells about.
#[derive(Clone)]
pub struct Port {
    /// Metrics.
    pub registry: Registry,
    /// Readiness.
    pub status: Arc<Status>,
}

/// Serves for as long as it is waited for.
///
/// # Errors
/// The address cannot be bound, or the server failed.
pub async fn serve(address: SocketAddr, port: Port) -> std::io::Result<()> {
    let router = Router::new()
        .route("/healthz", get(async || "ok"))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .with_state(port);
    let listener = TcpListener::bind(address).await?;
    tracing::info!(%address, "serving /healthz /readyz /metrics");
    axum::serve(listener, router).await
}

async fn ready(State(port): State<Port>) -> Result<impl IntoResponse, StatusCode> {
    let failed = StatusCode::INTERNAL_SERVER_ERROR;
    let report = port.status.report(boot_time().map_err(|_| failed)?);
    let status = if report.ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    let text = serde_json::to_string(&report).map_err(|_| failed)?;
    Ok((status, [(header::CONTENT_TYPE, "application/json")], text))
}

async fn metrics(State(port): State<Port>) -> Result<String, StatusCode> {
    let mut text = Vec::new();
    let encoded = TextEncoder::new().encode(&port.registry.gather(), &mut text);
    let text = encoded.ok().and_then(|()| String::from_utf8(text).ok());
    text.ok_or(StatusCode::INTERNAL_SERVER_ERROR)
}
