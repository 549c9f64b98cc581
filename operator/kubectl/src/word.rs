//! The operator's word on what was just written.

use std::fmt::Debug;
use std::time::Duration;

use crds::Condition;
use kube::Api;
use serde::de::DeserializeOwned;

use crate::connect::within;
use crate::failure::Failure;

/// Pause between two looks.
const PAUSE: Duration = Duration::from_millis(200);

/// The condition that `find` looks for, once it is there; nothing where the operator does not say it within `patience`.
pub async fn word<K>(
    api: &Api<K>,
    name: &str,
    patience: Duration,
    find: impl Fn(K) -> Option<Condition>,
) -> Option<Condition>
where
    K: Clone + Debug + DeserializeOwned,
{
    let word = async {
        loop {
            if let Some(found) = find(within(api.get(name)).await?) {
                return Ok::<_, Failure>(found);
            }
            tokio::time::sleep(PAUSE).await;
        }
    };
    tokio::time::timeout(patience, word).await.ok()?.ok()
}
