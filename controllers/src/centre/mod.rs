//! The centre agent: what the hub granted becomes plain objects of this centre, and what the centre has is reported.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use tokio_util::sync::CancellationToken;

/// What an agent needs.
pub struct Options {
    /// Name of the centre, which is the name of its `DataCenter`.
    pub centre: String,
    /// Client of the hub; its configuration has no retries.
    pub hub: kube::Client,
    /// Client of the centre's own cluster; its configuration has no retries.
    pub cluster: kube::Client,
    /// Where its metrics are registered.
    pub registry: prometheus::Registry,
    /// Set once the first complete lists are there.
    pub ready: Arc<AtomicBool>,
}

/// Why an agent ended.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A metric is registered twice.
    #[error("metrics: {0}")]
    Metrics(#[from] prometheus::Error),
}

/// Runs until `stop`.
pub async fn run(options: Options, stop: CancellationToken) -> Result<(), Error> {
    let _ = options;
    stop.cancelled().await;
    Ok(())
}
