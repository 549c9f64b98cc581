//! What a watch fills: objects by key, complete once the first list is.

use std::collections::BTreeMap;
use std::fmt::{Debug, Display};
use std::pin::Pin;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};
use std::time::Duration;

use futures::{Stream, StreamExt as _};
use kube::runtime::utils::Backoff;
use kube::runtime::watcher::DefaultBackoff;
use kube::runtime::{WatchStreamExt as _, watcher};
use kube::{Api, Resource};
use serde::de::DeserializeOwned;
use tokio::sync::{Notify, watch};

/// Wait before the next list where a list was granted and the watch refused.
const AFTER_REFUSAL: Duration = Duration::from_secs(2);

/// A server that was away for minutes is followed again this soon after it is back; kube waits for up to half a minute, and
/// twice where the place in its history is gone. Of ten processes with twenty watches each that is twenty questions a second.
const LONGEST: Duration = Duration::from_secs(10);

/// Values by key.
pub type Values<K, V> = BTreeMap<K, V>;

/// Values that a task fills and others read.
#[derive(Debug)]
pub struct Shelf<K, V> {
    values: Arc<RwLock<Values<K, V>>>,
    complete: watch::Receiver<bool>,
    refused: watch::Receiver<Option<u16>>,
}

impl<K, V> Clone for Shelf<K, V> {
    fn clone(&self) -> Self {
        Self {
            values: Arc::clone(&self.values),
            complete: self.complete.clone(),
            refused: self.refused.clone(),
        }
    }
}

/// The hand that fills a shelf.
pub struct Filler<K, V> {
    values: Arc<RwLock<Values<K, V>>>,
    complete: watch::Sender<bool>,
    refused: watch::Sender<Option<u16>>,
    /// Whom to tell of news.
    changed: Vec<Arc<Notify>>,
}

impl<K: Ord, V> Shelf<K, V> {
    /// An empty shelf and who fills it.
    pub fn new(changed: Vec<Arc<Notify>>) -> (Self, Filler<K, V>) {
        let values = Arc::new(RwLock::new(Values::new()));
        let (sender, complete) = watch::channel(false);
        let (refusals, refused) = watch::channel(None);
        let filler = Filler {
            values: Arc::clone(&values),
            complete: sender,
            refused: refusals,
            changed,
        };
        let shelf = Self {
            values,
            complete,
            refused,
        };
        (shelf, filler)
    }

    /// What stands there now.
    pub fn read(&self) -> RwLockReadGuard<'_, Values<K, V>> {
        self.values.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the first list is complete. Before that, absence says nothing.
    pub fn is_complete(&self) -> bool {
        *self.complete.borrow()
    }

    /// The answer 403 or 404 that the last list or watch got; `None` once one succeeds.
    pub fn refused(&self) -> Option<u16> {
        *self.refused.borrow()
    }

    /// Waits for the first complete list. Answers whether it came before the task ended.
    pub async fn completed(&self) -> bool {
        self.complete.clone().wait_for(|complete| *complete).await.is_ok()
    }
}

/// How long a watch that failed waits: as kube's own does, but never longer than [`LONGEST`].
#[derive(Default)]
struct Patience(DefaultBackoff);

impl Iterator for Patience {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        self.0.next().map(|wait| wait.min(LONGEST))
    }
}

impl Backoff for Patience {
    fn reset(&mut self) {
        self.0.reset();
    }
}

impl<K: Ord, V> Filler<K, V> {
    /// Watches objects of one `kind` and never ends by itself. `place` puts one where it belongs and answers whether that is
    /// news. A list that begins anew replaces what stands only when it is complete.
    pub async fn follow<O>(
        self,
        kind: impl Display,
        (api, config): (Api<O>, watcher::Config),
        key: impl Fn(&O) -> K,
        place: impl Fn(&mut Values<K, V>, O) -> bool,
    ) where
        O: Resource + Clone + Debug + DeserializeOwned + Send + 'static,
    {
        loop {
            let stream = std::pin::pin!(watcher(api.clone(), config.clone()).backoff(Patience::default()));
            self.fill(&kind, stream, &key, &place).await;
            tokio::time::sleep(AFTER_REFUSAL).await;
        }
    }

    /// Until a watch that stood is refused. It has to begin with a list again: a watch that goes on brings no event by
    /// itself, so nobody would learn that it is no longer refused.
    async fn fill<O>(
        &self,
        kind: &impl Display,
        mut stream: Pin<&mut impl Stream<Item = watcher::Result<watcher::Event<O>>>>,
        key: &impl Fn(&O) -> K,
        place: &impl Fn(&mut Values<K, V>, O) -> bool,
    ) {
        let mut first = Values::new();
        while let Some(event) = stream.next().await {
            let refused = event.as_ref().err().and_then(refusal);
            let stood = matches!(event, Err(watcher::Error::WatchStartFailed(_)));
            // What does not answer at all takes back nothing that an answer said.
            let begins = matches!(event, Ok(watcher::Event::Init | watcher::Event::InitApply(_)));
            let says = refused.is_some() || event.is_ok() && !begins;
            let turned = says
                && self
                    .refused
                    .send_if_modified(|r| std::mem::replace(r, refused) != refused);
            let values = || self.values.write().unwrap_or_else(PoisonError::into_inner);
            let news = match event {
                Ok(watcher::Event::Init) => {
                    first = Values::new();
                    false
                }
                Ok(watcher::Event::InitApply(object)) => {
                    place(&mut first, object);
                    false
                }
                Ok(watcher::Event::InitDone) => {
                    *values() = std::mem::take(&mut first);
                    self.complete.send_replace(true);
                    true
                }
                Ok(watcher::Event::Apply(object)) => place(&mut values(), object),
                Ok(watcher::Event::Delete(object)) => values().remove(&key(&object)).is_some(),
                // Once is enough for what may stay so for days.
                Err(error) if refused.is_some() && !turned => {
                    tracing::debug!(%kind, %error, "still refused");
                    false
                }
                Err(error) => {
                    tracing::warn!(%kind, %error, "watch interrupted; it goes on from where it was");
                    false
                }
            };
            if news || turned {
                for who in &self.changed {
                    who.notify_one();
                }
            }
            if stood && refused.is_some() {
                return;
            }
        }
    }
}

/// Answers that do not pass by themselves: the kind is not served, or may not be read.
fn refusal(error: &watcher::Error) -> Option<u16> {
    use watcher::Error::{InitialListFailed, WatchError, WatchStartFailed};
    let (InitialListFailed(kube::Error::Api(status)) | WatchStartFailed(kube::Error::Api(status)) | WatchError(status)) =
        error
    else {
        return None;
    };
    let code = status.code;
    [403, 404].contains(&code).then_some(code)
}
