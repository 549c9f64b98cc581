//! Clients of an API server.

use std::path::Path;
use std::time::Duration;

use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};

/// Longest silence on a connection.
const SILENCE: Duration = Duration::from_secs(100);

/// Why no client could be made.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The kubeconfig cannot be used.
    #[error("kubeconfig: {0}")]
    Kubeconfig(#[from] kube::config::KubeconfigError),
    /// Neither a kubeconfig nor a service account.
    #[error("no kubeconfig given, and not in a cluster: {0}")]
    Infer(#[from] kube::config::InferConfigError),
    /// The client cannot be built.
    #[error("client: {0}")]
    Client(#[from] kube::Error),
}

/// A client from a kubeconfig, or from the pod's service account where none is given. Calls are never retried by the
/// library: its retries repeat a POST for minutes, where a controller wants an answer and a decision of its own.
///
/// A watch whose server vanished without a word would look healthy for five minutes: a connection that is silent for
/// longer than [`SILENCE`] is given up, and the watch goes on from where it was. One that was only quiet costs a request.
///
/// # Errors
/// See [`ConnectError`].
pub async fn connect(kubeconfig: Option<&Path>) -> Result<Client, ConnectError> {
    let mut config = match kubeconfig {
        Some(path) => {
            Config::from_custom_kubeconfig(Kubeconfig::read_from(path)?, &KubeConfigOptions::default()).await?
        }
        None => Config::infer().await?,
    };
    config.default_retry = false;
    config.connect_timeout = Some(Duration::from_secs(3));
    config.read_timeout = Some(SILENCE);
    // The silence of an idle pooled connection does not count against the next answer on it.
    config.reset_reader_on_write = true;
    Ok(Client::try_from(config)?)
}
