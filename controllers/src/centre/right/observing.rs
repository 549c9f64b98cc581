//! What this centre says of the others: that one is silent, or that only its agents are.

use std::sync::Arc;
use std::time::Duration;

use arbiter::observer::Observer;
use arbiter::view::View;
use futures::future::join_all;
use kube::{Client, Config as ClientConfig};
use tokio::time::{MissedTickBehavior, interval, timeout};

use crate::quorum::{Config, Store, Unanswered, boot};

/// Between two looks.
const LOOK: Duration = Duration::from_secs(1);

/// Looks for as long as it is waited for.
pub(super) async fn run(centre: String, store: Arc<Store>, config: Config) {
    let mut observing = Observing {
        observer: Observer::new(&centre, config.timing),
        centre,
        store,
        config,
    };
    let mut looks = interval(LOOK);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        looks.tick().await;
        if let Err(error) = observing.look().await {
            tracing::debug!(%error, "the other centres are not seen");
        }
    }
}

struct Observing {
    centre: String,
    observer: Observer,
    store: Arc<Store>,
    config: Config,
}

impl Observing {
    async fn look(&mut self) -> Result<(), Unanswered> {
        let answer = self.store.commit(&View::look()).await?;
        let view = View::of(&answer.outcome);
        self.observer.read(&view, answer.returned);
        let others = view.beats.keys().filter(|place| **place != self.centre);
        let said = others.map(|place| self.judge(place, &view));
        join_all(said).await.into_iter().collect()
    }

    /// Says of a silent place what is so, once for each beat and word.
    async fn judge(&self, place: &str, view: &View) -> Result<(), Unanswered> {
        let Some(m) = self.observer.silent(place, boot()) else {
            return Ok(());
        };
        let about = (self.centre.clone(), place.to_owned());
        if view.verdicts.get(&about) == Some(&m) {
            return Ok(());
        }
        let answers = self.answers(place).await;
        let txn = match answers {
            true if view.downs.get(&about) == Some(&m) => None,
            true => self.observer.down(place, boot()),
            false => self.observer.verdict(place, boot()),
        };
        let Some(txn) = txn else { return Ok(()) };
        if self.store.commit(&txn).await?.outcome.succeeded {
            tracing::warn!(place, beat = m, api_answers = answers, "silent");
        }
        Ok(())
    }

    /// Whether the place's API server says anything at all, to anybody: then only its agents are silent.
    async fn answers(&self, place: &str) -> bool {
        let Some(uri) = self.config.apis.get(place).and_then(|url| url.parse().ok()) else {
            return false;
        };
        let mut config = ClientConfig::new(uri);
        // Who answers does not matter, only whether somebody does.
        config.accept_invalid_certs = true;
        config.default_retry = false;
        let Ok(client) = Client::try_from(config) else {
            return false;
        };
        let Ok(request) = http::Request::get("/readyz").body(Vec::new()) else {
            return false;
        };
        match timeout(self.config.timing.call(), client.request_text(request)).await {
            Ok(Ok(_) | Err(kube::Error::Api(_))) => true,
            Ok(Err(_)) | Err(_) => false,
        }
    }
}
