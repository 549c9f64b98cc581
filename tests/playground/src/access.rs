//! How the clusters are reached: kubeconfig files, clients, and waiting for a condition.

use std::fmt::Debug;
use std::future::Future;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use kube::Api;
use kube::api::PostParams;
use kube::config::{KubeConfigOptions, Kubeconfig};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::time::{Instant, sleep, timeout};

use crate::users::User;

/// Shortest and longest pause between two looks at a condition: a tenth of the time that it was waited for already. A look
/// is often a kubectl, and ten of them a second take from what is waited for.
const PAUSE: [Duration; 2] = [Duration::from_millis(100), Duration::from_millis(500)];

/// The text of a kubeconfig with one context.
pub(crate) fn kubeconfig(cluster: &str, server: &str, pki: &Path, user: &User) -> String {
    let pki = pki.display();
    let file = user.file_name();
    let name = user.name;
    let namespace = user.namespace.map(|n| format!(", namespace: {n}")).unwrap_or_default();
    format!(
        "apiVersion: v1
kind: Config
current-context: {cluster}
clusters:
- name: {cluster}
  cluster:
    server: {server}
    certificate-authority: {pki}/ca.crt
users:
- name: {name:?}
  user:
    client-certificate: {pki}/{file}.crt
    client-key: {pki}/{file}.key
contexts:
- name: {cluster}
  context: {{cluster: {cluster}, user: {name:?}{namespace}}}
"
    )
}

/// A client that does not retry by itself (kube would repeat a 503 for minutes within one call).
pub(crate) async fn client(kubeconfig: &Path) -> Result<kube::Client> {
    // Several crates of a workspace may each choose a provider; the first one stays, which is fine.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let shown = kubeconfig.display();
    let file = Kubeconfig::read_from(kubeconfig).with_context(|| format!("cannot read {shown}"))?;
    let options = KubeConfigOptions::default();
    let mut config = kube::Config::from_custom_kubeconfig(file, &options)
        .await
        .with_context(|| format!("{shown}"))?;
    config.default_retry = false;
    config.connect_timeout = Some(Duration::from_secs(3));
    kube::Client::try_from(config).with_context(|| format!("no client for {shown}"))
}

/// Waits until `attempt` answers `Ok` and returns its value.
///
/// `attempt` is called again and again, two to ten times a second, and cut short at the deadline. Its error is the reason
/// why the condition does not hold yet; the last one is part of the error when the deadline passes.
pub async fn eventually<T, F, Fut>(deadline: Duration, what: &str, mut attempt: F) -> Result<T>
where
    F: FnMut() -> Fut,
    Fut: Future<Output = Result<T>>,
{
    let begin = Instant::now();
    let end = begin + deadline;
    let mut last = "it never answered".to_owned();
    loop {
        match timeout(end.saturating_duration_since(Instant::now()), attempt()).await {
            Ok(Ok(value)) => return Ok(value),
            Ok(Err(reason)) => last = format!("{reason:#}"),
            Err(_) => bail!("{what}: not within {deadline:?}; last: {last}"),
        }
        let pause = (begin.elapsed() / 10).clamp(PAUSE[0], PAUSE[1]);
        if Instant::now() + pause >= end {
            bail!("{what}: not within {deadline:?}; last: {last}");
        }
        sleep(pause).await;
    }
}

/// Creates it. Where the answer was lost or a busy server gave none it is tried again, and may be there by then.
///
/// # Errors
/// The last one, when the deadline passes.
pub async fn created<K>(api: &Api<K>, object: &K, deadline: Duration) -> Result<()>
where
    K: Clone + Debug + DeserializeOwned + Serialize,
{
    eventually(deadline, "an object is created", || async {
        match api.create(&PostParams::default(), object).await {
            Err(kube::Error::Api(status)) if status.code == 409 => Ok(()),
            other => Ok(other.map(drop)?),
        }
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn waiting_returns_the_value_or_the_last_reason() {
        let mut calls = 0;
        let value = eventually(Duration::from_secs(5), "third call", || {
            calls += 1;
            let calls = calls;
            async move { if calls == 3 { Ok(calls) } else { bail!("call {calls}") } }
        });
        assert_eq!(value.await.unwrap(), 3);
        let never = eventually(Duration::from_millis(250), "never", || async {
            Err::<(), _>(anyhow::anyhow!("why"))
        });
        assert!(never.await.unwrap_err().to_string().ends_with("last: why"));
        let hangs = eventually(Duration::from_millis(50), "hangs", || {
            std::future::pending::<Result<()>>()
        });
        assert!(hangs.await.unwrap_err().to_string().contains("never answered"));
    }

    #[test]
    fn a_kubeconfig_can_be_read_back() {
        let user = crate::users::find("xiangyun:centre:jishi").unwrap();
        let text = kubeconfig("hub", "https://198.18.1.10:7443", Path::new("/d/pki"), user);
        let parsed = Kubeconfig::from_yaml(&text).unwrap();
        assert_eq!(parsed.current_context.as_deref(), Some("hub"));
        assert_eq!(parsed.auth_infos[0].name, "xiangyun:centre:jishi");
        let key = parsed.auth_infos[0].auth_info.as_ref().unwrap().client_key.clone();
        assert_eq!(key.as_deref(), Some("/d/pki/xiangyun-centre-jishi.key"));
    }
}
