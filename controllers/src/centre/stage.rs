//! The stage that the agent goes by, and a client that sends no write where nothing may be written.
//!
//! What each writer may do is decided by [`plan::centre::stage`]. The client is the second lock on the same door: in a cloud
//! that is only observed even a writer that forgot to ask reaches nobody. The third is the role that the cloud itself gave.

use std::sync::Arc;
use std::task::{Context, Poll};

use crds::DataCenter;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use http::{Method, Request, Response};
use kube::client::Body;
use kube::{Client, ResourceExt as _};
use plan::centre::stage::Stage;
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;
use tower_service::Service;

use crate::cache::Cache;

/// What is known; `None` before the hub told it.
pub(super) type Known = Option<Stage>;

/// Follows the centre's own object for as long as the process lives. One that vanished leaves what was known: a hub that
/// lost it has said nothing about it.
pub(super) async fn follow(own: Cache<DataCenter>, centre: &str, changed: Arc<Notify>, known: watch::Sender<Known>) {
    loop {
        let found = own
            .shared()
            .iter()
            .find(|c| c.name_any() == centre)
            .map(|c| Stage::of(c));
        if let Some(stage) = found {
            let news = known.send_if_modified(|known| known.replace(stage) != Some(stage));
            if news {
                tracing::info!(centre, ?stage, "goes by this stage");
            }
        }
        changed.notified().await;
    }
}

/// Works under each stage in turn, until `stop`. A turn ends before the next one begins.
pub(super) async fn turns(
    mut known: watch::Receiver<Known>,
    stop: &CancellationToken,
    turn: impl AsyncFn(Stage, CancellationToken),
) {
    while !stop.is_cancelled() {
        let stage = tokio::select! {
            () = stop.cancelled() => return,
            stage = known.wait_for(Option::is_some) => stage.ok().and_then(|s| *s),
        };
        let Some(stage) = stage else { return };
        let over = stop.child_token();
        let ends = async {
            // Nobody tells another stage once the sender is gone: then `stop` ends the turn.
            if known.wait_for(|s| *s != Some(stage)).await.is_ok() {
                over.cancel();
            } else {
                std::future::pending::<()>().await;
            }
        };
        let work = turn(stage, over.clone());
        let (mut work, mut ends) = (std::pin::pin!(work), std::pin::pin!(ends));
        tokio::select! {
            () = &mut work => {}
            () = &mut ends => work.await,
        }
    }
}

/// A client of the cluster that refuses to send anything but reads while the stage allows no writes, or is not known.
pub(super) fn guarded(client: Client, stage: watch::Receiver<Known>) -> Client {
    let namespace = client.default_namespace().to_owned();
    Client::new(Guard { client, stage }, namespace)
}

#[derive(Clone)]
struct Guard {
    client: Client,
    stage: watch::Receiver<Known>,
}

/// Something was about to be written.
#[derive(Debug, thiserror::Error)]
#[error("{0} was not sent: nothing is written at this stage | 本阶段不作任何写入，{0} 未发送")]
struct NotSent(Method);

fn allowed(method: &Method, stage: Known) -> bool {
    matches!(*method, Method::GET | Method::HEAD) || stage.is_some_and(|s| !s.read_only())
}

impl Service<Request<Body>> for Guard {
    type Response = Response<Body>;
    type Error = Box<dyn std::error::Error + Send + Sync>;
    type Future = BoxFuture<'static, Result<Self::Response, Self::Error>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        if !allowed(request.method(), *self.stage.borrow()) {
            let refused = NotSent(request.method().clone());
            tracing::error!(error = %refused, path = request.uri().path(), "a write was held back");
            return futures::future::ready(Err(refused.into())).boxed();
        }
        let client = self.client.clone();
        async move { Ok(client.send(request).await?) }.boxed()
    }
}

#[cfg(test)]
mod tests {
    use crds::MemberStage;

    use super::*;

    #[test]
    fn only_reads_are_sent_where_nothing_is_written() {
        let observed = Some(Stage::Member(MemberStage::Observed));
        for stage in [None, observed] {
            assert!(allowed(&Method::GET, stage));
            for method in [Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
                assert!(!allowed(&method, stage), "{method}");
            }
        }
        assert!(allowed(&Method::PATCH, Some(Stage::Member(MemberStage::Advised))));
        assert!(allowed(&Method::DELETE, Some(Stage::Own)));
    }

    #[tokio::test]
    async fn a_turn_ends_before_the_next_begins() {
        let (send, known) = watch::channel(None);
        let stop = CancellationToken::new();
        let seen = std::sync::Mutex::new(Vec::new());
        let work = turns(known, &stop, async |stage, over: CancellationToken| {
            seen.lock().unwrap().push((stage, "begins"));
            over.cancelled().await;
            tokio::task::yield_now().await;
            seen.lock().unwrap().push((stage, "ends"));
        });
        let steps = async {
            for stage in [MemberStage::Scheduled, MemberStage::Observed] {
                send.send_replace(Some(Stage::Member(stage)));
                while !seen.lock().unwrap().contains(&(Stage::Member(stage), "begins")) {
                    tokio::task::yield_now().await;
                }
            }
            stop.cancel();
        };
        tokio::join!(work, steps);
        let [scheduled, observed] = [MemberStage::Scheduled, MemberStage::Observed].map(Stage::Member);
        let expected = [
            (scheduled, "begins"),
            (scheduled, "ends"),
            (observed, "begins"),
            (observed, "ends"),
        ];
        assert_eq!(*seen.lock().unwrap(), expected);
    }
}
