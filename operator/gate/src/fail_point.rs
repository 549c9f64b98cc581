//! Named steps of a round at which a drill may stop or end the gate. Only a playground names a file; a step acts once,
//! when that file asks for it.

use std::path::PathBuf;

use nix::sys::signal::{Signal, raise};

/// A step. Between any two of them the gate may die, or sleep for as long as it likes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The tickets are written, the question is not sent.
    Ticketed,
    /// The answer is there, nothing is decided.
    Answered,
    /// All is decided and `held` is on disk; the permits are not written.
    BeforeWrite,
}

impl Step {
    /// Its name in the file.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ticketed => "ticketed",
            Self::Answered => "answered",
            Self::BeforeWrite => "before-write",
        }
    }
}

/// The fail points of this process.
#[derive(Clone, Debug, Default)]
pub struct FailPoints {
    /// File with `STEP exit` or `STEP stop`, taken away by the step that it names.
    pub file: Option<PathBuf>,
}

impl FailPoints {
    /// The gate is at this step: it goes on, ends as by `kill -9`, or is stopped until somebody continues it.
    pub fn reached(&self, step: Step) {
        let Some(signal) = self.asked(step) else { return };
        tracing::warn!(step = step.name(), %signal, "fail point");
        if raise(signal).is_err() {
            std::process::abort();
        }
    }

    fn asked(&self, step: Step) -> Option<Signal> {
        let file = self.file.as_ref()?;
        let text = std::fs::read_to_string(file).ok()?;
        let signal = match text.trim().strip_prefix(step.name())?.trim() {
            "exit" => Signal::SIGKILL,
            "stop" => Signal::SIGSTOP,
            _ => return None,
        };
        std::fs::remove_file(file).ok().map(|()| signal)
    }
}
