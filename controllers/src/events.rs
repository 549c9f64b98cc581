//! Events: what happened, on the object it happened to. A condition keeps the full text; an event may be lost.

use kube::runtime::events::{Event, EventType, Recorder, Reporter};
use kube::{Client, Resource};

use crate::call::call;

/// Longest note that the API server takes, in bytes.
const LONGEST_NOTE: usize = 1024;

/// Writes events in the name of one program.
#[derive(Clone)]
pub struct Events {
    recorder: Recorder,
}

impl Events {
    /// Events of `controller`, such as `xiangyun-controller`.
    pub fn new(client: Client, controller: &str) -> Self {
        let reporter = Reporter {
            controller: controller.to_owned(),
            instance: None,
        };
        Self {
            recorder: Recorder::new(client, reporter),
        }
    }

    /// Publishes one; a failure is logged and forgotten, because the condition carries the truth.
    pub async fn publish<K: Resource<DynamicType = ()>>(&self, object: &K, warning: bool, reason: &str, note: &str) {
        let event = Event {
            type_: if warning { EventType::Warning } else { EventType::Normal },
            reason: reason.to_owned(),
            note: Some(cut(note).to_owned()),
            action: "Reconcile".to_owned(),
            secondary: None,
        };
        if let Err(error) = call("write an event", self.recorder.publish(&event, &object.object_ref(&()))).await {
            tracing::warn!(reason, %error, "event not written");
        }
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
