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
use plan::placement::kinds::Unseen;
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
    failing: watch::Receiver<Option<Failure>>,
}

/// Code and words of an answer.
type Failure = (u16, String);

impl<K, V> Clone for Shelf<K, V> {
    fn clone(&self) -> Self {
        Self {
            values: Arc::clone(&self.values),
            complete: self.complete.clone(),
            refused: self.refused.clone(),
            failing: self.failing.clone(),
        }
    }
}

/// The hand that fills a shelf.
pub struct Filler<K, V> {
    values: Arc<RwLock<Values<K, V>>>,
    complete: watch::Sender<bool>,
    refused: watch::Sender<Option<u16>>,
    failing: watch::Sender<Option<Failure>>,
    /// Whom to tell of news.
    changed: Vec<Arc<Notify>>,
}

impl<K: Ord, V> Shelf<K, V> {
    /// An empty shelf and who fills it.
    pub fn new(changed: Vec<Arc<Notify>>) -> (Self, Filler<K, V>) {
        let values = Arc::new(RwLock::new(Values::new()));
        let (sender, complete) = watch::channel(false);
        let (refusals, refused) = watch::channel(None);
        let (failures, failing) = watch::channel(None);
        let filler = Filler {
            values: Arc::clone(&values),
            complete: sender,
            refused: refusals,
            failing: failures,
            changed,
        };
        let shelf = Self {
            values,
            complete,
            refused,
            failing,
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

    /// With what other error the server answers the first list, in its words; `None` before it answered and once it succeeds.
    /// Of what was listed once the last list counts, and a server that stumbles says nothing about it.
    pub fn failing(&self) -> Option<String> {
        self.failing
            .borrow()
            .as_ref()
            .map(|(code, said)| format!("{code} {said}"))
    }

    /// Why what stands cannot be known, where the server has answered so.
    pub fn unseen(&self) -> Option<Unseen> {
        Some(match self.refused() {
            Some(404) => Unseen::Missing,
            Some(_) => Unseen::Forbidden,
            None => Unseen::Failing(self.failing()?),
        })
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
            let failing = event.as_ref().err().and_then(failure);
            let failing = failing.filter(|_| !*self.complete.borrow());
            let answered = refused.is_some() || failing.is_some();
            let stood = matches!(event, Err(watcher::Error::WatchStartFailed(_)));
            // What does not answer at all takes back nothing that an answer said.
            let begins = matches!(event, Ok(watcher::Event::Init | watcher::Event::InitApply(_)));
            let values = || self.values.write().unwrap_or_else(PoisonError::into_inner);
            if matches!(event, Ok(watcher::Event::InitDone)) {
                // Before it is said: whoever no longer hears of a failure finds what stands.
                *values() = std::mem::take(&mut first);
                self.complete.send_replace(true);
            }
            let turned = (answered || event.is_ok() && !begins) && self.said(refused, failing);
            let news = match event {
                Ok(watcher::Event::Init) => {
                    first = Values::new();
                    false
                }
                Ok(watcher::Event::InitApply(object)) => {
                    place(&mut first, object);
                    false
                }
                Ok(watcher::Event::InitDone) => true,
                Ok(watcher::Event::Apply(object)) => place(&mut values(), object),
                Ok(watcher::Event::Delete(object)) => values().remove(&key(&object)).is_some(),
                // Once is enough for what may stay so for days.
                Err(error) if answered && !turned => {
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

    /// Keeps what the last answer said. Answers whether that is news: the words of one failure are those that came first.
    fn said(&self, refused: Option<u16>, failing: Option<Failure>) -> bool {
        let code = failing.as_ref().map(|(code, _)| *code);
        let turned = self
            .refused
            .send_if_modified(|r| std::mem::replace(r, refused) != refused);
        let failed = self.failing.send_if_modified(|f| {
            let differs = f.as_ref().map(|(code, _)| *code) != code;
            if differs {
                *f = failing;
            }
            differs
        });
        turned || failed
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

/// Code and words of an answer to a list that is an error of the server. Others pass by themselves: it does not know us yet,
/// is busy, or our place in its history is gone.
fn failure(error: &watcher::Error) -> Option<Failure> {
    let watcher::Error::InitialListFailed(kube::Error::Api(status)) = error else {
        return None;
    };
    let passes = match status.code {
        401 | 403 | 404 | 410 => true,
        // A store of a kind that cannot be read answers so for ever where a label is asked for.
        429 => !status.message.contains("(re)initializing"),
        _ => false,
    };
    (!passes).then(|| (status.code, status.message.clone()))
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::ConfigMap;
    use kube::core::Status;
    use watcher::Error::{InitialListFailed, WatchStartFailed};

    use super::*;

    type Event = watcher::Result<watcher::Event<ConfigMap>>;

    fn answer(code: u16, message: &str) -> kube::Error {
        kube::Error::Api(Status::failure(message, "").with_code(code).boxed())
    }

    /// What a shelf says after those events.
    async fn after(events: Vec<Event>) -> (bool, Option<u16>, Option<String>) {
        let (shelf, filler) = Shelf::<String, ConfigMap>::new(Vec::new());
        let stream = std::pin::pin!(futures::stream::iter(events));
        let key = |map: &ConfigMap| map.metadata.name.clone().unwrap_or_default();
        let place = |all: &mut Values<String, ConfigMap>, map: ConfigMap| all.insert(key(&map), map).is_none();
        filler.fill(&"ConfigMap", stream, &key, &place).await;
        (shelf.is_complete(), shelf.refused(), shelf.failing())
    }

    fn failed(code: u16, message: &str) -> Event {
        Err(InitialListFailed(answer(code, message)))
    }

    #[tokio::test]
    async fn an_error_of_the_server_is_said_until_a_list_comes() {
        let said = after(vec![failed(500, "no route"), failed(500, "no answer")]).await;
        assert_eq!(said, (false, None, Some("500 no route".to_owned())));
        let said = after(vec![failed(500, "no route"), failed(503, "away")]).await;
        assert_eq!(said.2.as_deref(), Some("503 away"));
        let list = || [Ok(watcher::Event::Init), Ok(watcher::Event::InitDone)];
        let said = after([failed(503, "away")].into_iter().chain(list()).collect()).await;
        assert_eq!(said, (true, None, None));
        // Whoever began to list anew has no list yet.
        let said = after(vec![failed(503, "away"), Ok(watcher::Event::Init)]).await;
        assert_eq!(said.2.as_deref(), Some("503 away"));
        let said = after(list().into_iter().chain([failed(503, "away")]).collect()).await;
        assert_eq!(said, (true, None, None), "what was listed counts");
    }

    #[tokio::test]
    async fn what_passes_by_itself_is_waited_for() {
        for code in [401, 410, 429] {
            assert_eq!(after(vec![failed(code, "later")]).await, (false, None, None), "{code}");
        }
        let said = after(vec![failed(429, "storage is (re)initializing")]).await;
        assert_eq!(said.2.as_deref(), Some("429 storage is (re)initializing"));
        let silent = Err(InitialListFailed(kube::Error::LinesCodecMaxLineLengthExceeded));
        assert_eq!(after(vec![silent]).await, (false, None, None));
        let watch = Err(WatchStartFailed(answer(500, "no")));
        assert_eq!(after(vec![watch]).await, (false, None, None));
    }

    #[tokio::test]
    async fn a_refusal_is_no_failure() {
        let said = after(vec![failed(500, "no"), failed(404, "none")]).await;
        assert_eq!(said, (false, Some(404), None));
        let said = after(vec![failed(403, "no"), failed(500, "no")]).await;
        assert_eq!(said, (false, None, Some("500 no".to_owned())));
    }
}
