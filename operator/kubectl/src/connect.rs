//! The hub, as kubectl would reach it.

use std::path::PathBuf;
use std::time::Duration;

use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};

use crate::failure::{Failure, chain};
use crate::lang::both;

/// Longest time for one call.
const DEADLINE: Duration = Duration::from_secs(5);

/// A connection, and the namespace that is meant where none is named.
#[derive(Clone)]
pub struct Hub {
    /// Client.
    pub client: Client,
    /// Namespace.
    pub namespace: String,
}

impl Hub {
    /// Reads the kubeconfig: the one named, or as kubectl finds it.
    ///
    /// # Errors
    /// `Unreachable`, saying what in the kubeconfig is wrong.
    pub async fn connect(
        kubeconfig: Option<PathBuf>,
        context: Option<String>,
        namespace: Option<String>,
    ) -> Result<Self, Failure> {
        let unusable = |e: &dyn std::error::Error| {
            Failure::Unreachable(both(
                format!("kubeconfig: {}", chain(e)),
                format!("kubeconfig 不可用：{}", chain(e)),
            ))
        };
        let file = match kubeconfig {
            Some(path) => Kubeconfig::read_from(path),
            None => Kubeconfig::read(),
        };
        let file = file.map_err(|e| unusable(&e))?;
        let options = KubeConfigOptions {
            context,
            ..KubeConfigOptions::default()
        };
        let mut config = Config::from_custom_kubeconfig(file, &options)
            .await
            .map_err(|e| unusable(&e))?;
        // kube would repeat a 503 for minutes within one call.
        config.default_retry = false;
        config.connect_timeout = Some(Duration::from_secs(3));
        let namespace = namespace.unwrap_or_else(|| config.default_namespace.clone());
        let client = Client::try_from(config)?;
        Ok(Self { client, namespace })
    }
}

/// One call with its deadline.
///
/// # Errors
/// What the server said, or that it said nothing in time.
pub fn within<T>(call: impl Future<Output = Result<T, kube::Error>>) -> impl Future<Output = Result<T, Failure>> {
    // A call of the client is large; boxed here, no caller has to carry it.
    let call = Box::pin(call);
    async {
        match tokio::time::timeout(DEADLINE, call).await {
            Ok(answer) => Ok(answer?),
            Err(_) => Err(Failure::silent(DEADLINE.as_secs())),
        }
    }
}

/// As [`within`]; `None` where the user may not read it.
///
/// # Errors
/// As [`within`].
pub fn if_allowed<T>(
    call: impl Future<Output = Result<T, kube::Error>>,
) -> impl Future<Output = Result<Option<T>, Failure>> {
    within(async {
        match call.await {
            Ok(value) => Ok(Some(value)),
            Err(kube::Error::Api(status)) if status.code == 403 => Ok(None),
            Err(e) => Err(e),
        }
    })
}
