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
use tokio::time::Instant;

/// Wait before the next list where a list was granted and the watch refused.
const AFTER_REFUSAL: Duration = Duration::from_secs(2);

/// A server that was away for minutes is followed again this soon after it is back; kube waits for up to half a minute, and
/// twice where the place in its history is gone. Of ten processes with twenty watches each that is twenty questions a second.
const LONGEST: Duration = Duration::from_secs(10);

/// For so long a list counts of which the server answers with errors only; and two errors further apart have to do with
/// different things, because in between the watch stood.
const STALE: Duration = Duration::from_secs(120);
const APART: Duration = Duration::from_secs(60);

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
    /// For how long what was listed counts, while the server answers with errors.
    stale: Duration,
    /// Whom to tell of news.
    changed: Vec<Arc<Notify>>,
}

/// The first and the last of errors that came one soon after the other.
type Errors = Option<(Instant, Instant)>;

/// With one more. Answers when the first one came.
fn first_of(errors: &mut Errors, now: Instant) -> Instant {
    let first = errors.filter(|(_, last)| now.duration_since(*last) < APART);
    let first = first.map_or(now, |(first, _)| first);
    *errors = Some((first, now));
    first
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
            stale: STALE,
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

    /// With what other error the server answers, in its words; `None` before it answered and once a list succeeds. Of what was
    /// listed once the last list counts, and a server that stumbles says nothing about it: only one that does so for minutes.
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

    /// Until a watch that stood is refused, or fails for too long. It has to begin with a list again: a watch that goes on
    /// brings no event by itself, so nobody would learn that it is no longer refused.
    async fn fill<O>(
        &self,
        kind: &impl Display,
        mut stream: Pin<&mut impl Stream<Item = watcher::Result<watcher::Event<O>>>>,
        key: &impl Fn(&O) -> K,
        place: &impl Fn(&mut Values<K, V>, O) -> bool,
    ) {
        let (mut first, mut errors) = (Values::new(), None);
        while let Some(event) = stream.next().await {
            let refused = event.as_ref().err().and_then(refusal);
            let failing = event.as_ref().err().and_then(failure);
            let failing = failing.filter(|_| !*self.complete.borrow() || self.is_stale(&mut errors));
            let answered = refused.is_some() || failing.is_some();
            let stood = matches!(event, Err(watcher::Error::WatchStartFailed(_)));
            // What does not answer at all takes back nothing that an answer said.
            let begins = matches!(event, Ok(watcher::Event::Init | watcher::Event::InitApply(_)));
            if event.is_ok() && !begins {
                errors = None;
            }
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
            if stood && answered {
                return;
            }
        }
    }

    /// Whether one more error means that what was listed once counts no more.
    fn is_stale(&self, errors: &mut Errors) -> bool {
        let now = Instant::now();
        let since = first_of(errors, now);
        self.failing.borrow().is_some() || now.duration_since(since) >= self.stale
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

/// Code and words of an answer to a list or a watch that is an error of the server. Others pass by themselves: it does not
/// know us yet, is busy, or our place in its history is gone.
fn failure(error: &watcher::Error) -> Option<Failure> {
    use watcher::Error::{InitialListFailed, WatchStartFailed};
    let (InitialListFailed(kube::Error::Api(status)) | WatchStartFailed(kube::Error::Api(status))) = error else {
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
        after_within(STALE, events).await
    }

    /// The same where a list counts for so long.
    async fn after_within(stale: Duration, events: Vec<Event>) -> (bool, Option<u16>, Option<String>) {
        let (shelf, mut filler) = Shelf::<String, ConfigMap>::new(Vec::new());
        filler.stale = stale;
        let stream = std::pin::pin!(futures::stream::iter(events));
        let key = |map: &ConfigMap| map.metadata.name.clone().unwrap_or_default();
        let place = |all: &mut Values<String, ConfigMap>, map: ConfigMap| all.insert(key(&map), map).is_none();
        filler.fill(&"ConfigMap", stream, &key, &place).await;
        (shelf.is_complete(), shelf.refused(), shelf.failing())
    }

    fn failed(code: u16, message: &str) -> Event {
        Err(InitialListFailed(answer(code, message)))
    }

    fn watch_failed(code: u16, message: &str) -> Event {
        Err(WatchStartFailed(answer(code, message)))
    }

    fn list() -> [Event; 2] {
        [Ok(watcher::Event::Init), Ok(watcher::Event::InitDone)]
    }

    #[tokio::test]
    async fn an_error_of_the_server_is_said_until_a_list_comes() {
        let said = after(vec![failed(500, "no route"), failed(500, "no answer")]).await;
        assert_eq!(said, (false, None, Some("500 no route".to_owned())));
        let said = after(vec![failed(500, "no route"), failed(503, "away")]).await;
        assert_eq!(said.2.as_deref(), Some("503 away"));
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
        let watch = list().into_iter().chain([watch_failed(500, "no")]);
        assert_eq!(after(watch.collect()).await, (true, None, None));
    }

    #[tokio::test]
    async fn what_fails_for_long_after_its_list_is_said() {
        let stale = async |more: Vec<Event>| {
            let events = list().into_iter().chain(more).collect();
            after_within(Duration::ZERO, events).await
        };
        let said = stale(vec![watch_failed(429, "storage is (re)initializing")]).await;
        assert_eq!(said, (true, None, Some("429 storage is (re)initializing".to_owned())));
        let said = stale(vec![failed(500, "no answer")]).await;
        assert_eq!(said.2.as_deref(), Some("500 no answer"));
        let [init, done] = list();
        let said = stale(vec![failed(500, "no answer"), init, done]).await;
        assert_eq!(said, (true, None, None), "a list takes it back");
        // A watch that failed begins with a list: what is still to come is not read any more.
        let said = stale(vec![watch_failed(500, "no"), failed(404, "none")]).await;
        assert_eq!(said, (true, None, Some("500 no".to_owned())));
        assert_eq!(stale(vec![failed(429, "later")]).await, (true, None, None));
    }

    #[test]
    fn errors_far_apart_do_not_add_up() {
        let (begin, mut errors) = (Instant::now(), None);
        let mut first = |seconds: u64| first_of(&mut errors, begin + Duration::from_secs(seconds));
        assert_eq!([first(0), first(50), first(100)], [begin; 3]);
        let later = begin + Duration::from_secs(170);
        assert_eq!(first(170), later, "in between the watch stood");
        assert_eq!(first(180), later);
    }

    #[tokio::test]
    async fn a_refusal_is_no_failure() {
        let said = after(vec![failed(500, "no"), failed(404, "none")]).await;
        assert_eq!(said, (false, Some(404), None));
        let said = after(vec![failed(403, "no"), failed(500, "no")]).await;
        assert_eq!(said, (false, None, Some("500 no".to_owned())));
    }
}
