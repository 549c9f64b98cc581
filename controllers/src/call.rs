//! One call to an API server, with a deadline.

use std::time::Duration;

/// No call is waited for longer.
pub const DEADLINE: Duration = Duration::from_secs(5);

/// Why a call failed.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// It was answered with an error, or could not be sent.
    #[error("{what}: {source}")]
    Answered {
        /// What was called.
        what: &'static str,
        /// Its error.
        source: Box<kube::Error>,
    },
    /// It did not answer in time; it may have landed.
    #[error("{0}: no answer in time; it may have landed")]
    Timeout(&'static str),
}

impl CallError {
    /// The HTTP status of the answer, where there was one.
    pub fn code(&self) -> Option<u16> {
        match self {
            Self::Answered { source, .. } => match source.as_ref() {
                kube::Error::Api(status) => Some(status.code),
                _ => None,
            },
            Self::Timeout(_) => None,
        }
    }

    /// Whether somebody else wrote first: not a fault, only a reason to look again.
    pub fn is_conflict(&self) -> bool {
        self.code() == Some(409)
    }

    /// Whether what it was decided on has changed or is gone: the next look decides anew.
    pub fn is_outdated(&self) -> bool {
        self.is_conflict() || self.is_not_found()
    }

    /// Whether the server refused this one write: it will refuse it again, and the others are not to blame.
    pub fn is_refused(&self) -> bool {
        self.code().is_some_and(|c| (400..500).contains(&c) && c != 429)
    }

    /// Whether it was answered that the object of this name is not there; a kind that is missing is no such answer.
    pub fn names(&self, name: &str) -> bool {
        match self {
            Self::Answered { source, .. } => match source.as_ref() {
                kube::Error::Api(s) => s.code == 404 && s.details.as_ref().is_some_and(|d| d.name == name),
                _ => false,
            },
            Self::Timeout(_) => false,
        }
    }

    /// Whether the object is not there.
    pub fn is_not_found(&self) -> bool {
        self.code() == Some(404)
    }
}

/// Waits for a call.
///
/// # Errors
/// Its own, or [`CallError::Timeout`].
pub async fn call<T>(what: &'static str, future: impl Future<Output = kube::Result<T>>) -> Result<T, CallError> {
    match tokio::time::timeout(DEADLINE, future).await {
        Ok(answer) => answer.map_err(|source| CallError::Answered {
            what,
            source: Box::new(source),
        }),
        Err(_) => Err(CallError::Timeout(what)),
    }
}
