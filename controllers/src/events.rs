//! Events: what happened, on the object it happened to. A condition keeps the full text; an event may be lost.

use std::convert::Infallible;
use std::time::Duration;

use futures::future::join;
use futures::stream::poll_fn;
use futures::{FutureExt as _, StreamExt as _};
use k8s_openapi::api::core::v1::ObjectReference;
use kube::runtime::events::{Event, EventType, Recorder, Reporter};
use kube::{Client, Resource};
use tokio::sync::mpsc;
use tokio::time::sleep;

use crate::call::call;

/// Longest note that the API server takes, in bytes.
const LONGEST_NOTE: usize = 1024;

/// Events that wait for the server; what does not fit is lost.
const QUEUE: usize = 4096;
/// Events under way at once, and how long each of them takes at least: at most ten a second, as the Kubernetes client of
/// Go allows. An event costs the server nearly as much as the grant that it tells about, and would stand in its way.
const AT_ONCE: usize = 2;
const PACE: Duration = Duration::from_millis(200);

/// Takes events in the name of one program. Whoever publishes never waits for the server.
#[derive(Clone)]
pub struct Events {
    queue: mpsc::Sender<(Event, ObjectReference)>,
}

impl Events {
    /// Events of `controller`, such as `xiangyun-controller`, and what writes them for as long as it is waited for.
    pub fn new(client: Client, controller: &str) -> (Self, impl Future<Output = Result<(), Infallible>> + use<>) {
        let reporter = Reporter {
            controller: controller.to_owned(),
            instance: None,
        };
        let (queue, mut waiting) = mpsc::channel(QUEUE);
        let recorder = Recorder::new(client, reporter);
        let deliver = async move {
            let events = poll_fn(move |context| waiting.poll_recv(context));
            events
                .for_each_concurrent(AT_ONCE, |(event, object)| {
                    join(write(&recorder, event, object), sleep(PACE)).map(drop)
                })
                .await;
            Ok(())
        };
        (Self { queue }, deliver)
    }

    /// Publishes one; one that is lost is logged and forgotten, because the condition carries the truth.
    pub fn publish<K: Resource<DynamicType = ()>>(&self, object: &K, warning: bool, reason: &str, note: &str) {
        let event = Event {
            type_: if warning { EventType::Warning } else { EventType::Normal },
            reason: reason.to_owned(),
            note: Some(cut(note).to_owned()),
            action: "Reconcile".to_owned(),
            secondary: None,
        };
        if self.queue.try_send((event, object.object_ref(&()))).is_err() {
            tracing::warn!(reason, "event lost: too many are waiting");
        }
    }
}

async fn write(recorder: &Recorder, event: Event, object: ObjectReference) {
    if let Err(error) = call("write an event", recorder.publish(&event, &object)).await {
        tracing::warn!(reason = event.reason, %error, "event not written");
    }
}

/// The longest beginning of `note` that fits, whole characters.
fn cut(note: &str) -> &str {
    let end = (0..=LONGEST_NOTE.min(note.len()))
        .rev()
        .find(|i| note.is_char_boundary(*i))
        .unwrap_or(0);
    note.get(..end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_is_cut_between_characters() {
        let note = "云".repeat(500);
        assert_eq!(cut(&note).len(), 1023);
        assert_eq!(cut("short"), "short");
    }
}
