//! Named steps of the admission cycle, of placements and of moves at which a drill may end or stop the process. Nothing
//! happens in normal operation: only a playground names a file, and a step acts once, when that file asks for it.

use std::fmt;
use std::path::PathBuf;
use std::process::Command;

/// A step. Between any two of them a process may die, or sleep for as long as it likes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Decided, the swap is not sent.
    BeforeSwap,
    /// The swap was answered.
    AfterSwap,
    /// An allocation is about to be written.
    BeforeApply,
    /// An allocation was written.
    AfterApply,
    /// A grant is about to be ended.
    BeforeEnd,
    /// A grant was ended.
    AfterEnd,
    /// What a grant held before it was lowered is about to be cleared.
    BeforeClear,
    /// It was cleared.
    AfterClear,
    /// A finalizer is about to go.
    BeforeUnguard,
    /// A finalizer is gone.
    AfterUnguard,
    /// A recount has listed the requests.
    RecountListed,
    /// A new ledger is named on every request.
    RecountStamped,
    /// A new ledger was created.
    RecountCreated,
    /// A placement is decided, its status is not written.
    PlacementDecided,
    /// An agent has applied an object of a placement; others may follow.
    ObjectApplied,
    /// The next step of a move is stored, and the arbiter was not asked for it.
    MoveStored,
    /// The arbiter was asked for it.
    MoveOrdered,
}

impl Step {
    const fn name(self) -> &'static str {
        match self {
            Self::BeforeSwap => "before-swap",
            Self::AfterSwap => "after-swap",
            Self::BeforeApply => "before-apply",
            Self::AfterApply => "after-apply",
            Self::BeforeEnd => "before-end",
            Self::AfterEnd => "after-end",
            Self::BeforeClear => "before-clear",
            Self::AfterClear => "after-clear",
            Self::BeforeUnguard => "before-unguard",
            Self::AfterUnguard => "after-unguard",
            Self::RecountListed => "recount-listed",
            Self::RecountStamped => "recount-stamped",
            Self::RecountCreated => "recount-created",
            Self::PlacementDecided => "placement-decided",
            Self::ObjectApplied => "object-applied",
            Self::MoveStored => "move-stored",
            Self::MoveOrdered => "move-ordered",
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The fail points of a process.
#[derive(Clone, Debug, Default)]
pub struct FailPoints {
    /// File with `STEP exit` or `STEP stop`, which is looked for at each step and taken away by the step that it names.
    /// Only a playground has one.
    pub file: Option<PathBuf>,
}

impl FailPoints {
    /// The process is at this step: it goes on, ends as by `kill -9`, or is stopped until somebody continues it.
    pub fn reached(&self, step: Step) {
        let Some(signal) = self.asked(step) else { return };
        tracing::warn!(%step, signal, "fail point");
        let kill = format!("kill -{signal} {}", std::process::id());
        let sent = Command::new("sh").args(["-c", &kill]).status();
        if !sent.is_ok_and(|status| status.success()) {
            std::process::abort();
        }
    }

    /// The signal that the file asks for at this step. Whoever takes the file away is the one that acts.
    fn asked(&self, step: Step) -> Option<&'static str> {
        let file = self.file.as_ref()?;
        let text = std::fs::read_to_string(file).ok()?;
        let signal = match text.trim().strip_prefix(step.name())?.trim() {
            "exit" => "KILL",
            "stop" => "STOP",
            _ => return None,
        };
        std::fs::remove_file(file).ok().map(|()| signal)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_acts_once_and_only_the_one_that_is_named() {
        let file = std::env::temp_dir().join(format!("xy-fail-point-{}", std::process::id()));
        let armed = FailPoints {
            file: Some(file.clone()),
        };
        assert_eq!(armed.asked(Step::AfterSwap), None);
        std::fs::write(&file, "after-swap stop\n").unwrap();
        assert_eq!(FailPoints::default().asked(Step::AfterSwap), None);
        assert_eq!(armed.asked(Step::BeforeSwap), None);
        assert_eq!(armed.asked(Step::AfterSwap), Some("STOP"));
        assert_eq!(armed.asked(Step::AfterSwap), None);
        std::fs::write(&file, "recount-listed exit").unwrap();
        assert_eq!(armed.asked(Step::RecountListed), Some("KILL"));
        std::fs::write(&file, "recount-listed explode").unwrap();
        assert_eq!(armed.asked(Step::RecountListed), None);
        std::fs::remove_file(&file).unwrap();
    }
}
