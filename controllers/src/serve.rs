//! The HTTP port: `/healthz` (the process lives), `/readyz` (it has what it needs), `/metrics`.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use prometheus::{Encoder as _, Registry, TextEncoder};
use tokio::net::TcpListener;

/// What the port tells about.
#[derive(Clone)]
pub struct Port {
    /// Metrics.
    pub registry: Registry,
    /// Whether the process is ready.
    pub ready: Arc<AtomicBool>,
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

async fn ready(State(port): State<Port>) -> (StatusCode, &'static str) {
    if port.ready.load(Ordering::Relaxed) {
        (StatusCode::OK, "ok")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "not ready")
    }
}

async fn metrics(State(port): State<Port>) -> Result<String, StatusCode> {
    let mut text = Vec::new();
    let encoded = TextEncoder::new().encode(&port.registry.gather(), &mut text);
    let text = encoded.ok().and_then(|()| String::from_utf8(text).ok());
    text.ok_or(StatusCode::INTERNAL_SERVER_ERROR)
}
