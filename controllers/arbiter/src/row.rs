//! What the arbiter keeps about a scope: who may run it, under which epoch, and how it got there.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Counts who may run a scope. Compared by incarnation first: a restore of the arbiter begins a new one. It never falls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Epoch {
    /// Restores of the arbiter so far.
    pub incarnation: u64,
    /// Changes of the holder within it.
    pub counter: u64,
}

impl Epoch {
    /// The one after it.
    #[must_use]
    pub fn next(self) -> Self {
        let counter = self.counter.saturating_add(1);
        Self { counter, ..self }
    }

    /// Both epochs as people read them: the counters alone where the incarnation is the same.
    pub fn against(self, other: Self) -> (String, String) {
        if self.incarnation == other.incarnation {
            (self.counter.to_string(), other.counter.to_string())
        } else {
            (self.to_string(), other.to_string())
        }
    }
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.incarnation, self.counter)
    }
}

/// It is not written like `1.7`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotAnEpoch;

impl FromStr for Epoch {
    type Err = NotAnEpoch;

    fn from_str(text: &str) -> Result<Self, NotAnEpoch> {
        let (incarnation, counter) = text.split_once('.').ok_or(NotAnEpoch)?;
        let number = |part: &str| part.parse().map_err(|_| NotAnEpoch);
        Ok(Self {
            incarnation: number(incarnation)?,
            counter: number(counter)?,
        })
    }
}

/// One life of the arbiter's store. Two stores with the same number and another nonce are a fork: nothing starts. A store
/// whose own id is another than the one named here was restored from a copy and not begun anew: its answers count for
/// nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Incarnation {
    /// Restores so far.
    pub number: u64,
    /// Random, so that two restores from one snapshot differ.
    pub nonce: u64,
    /// The store's own id in that life; 0 where that is not known.
    #[serde(default, skip_serializing_if = "is_unknown")]
    pub store: u64,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks it so")]
const fn is_unknown(store: &u64) -> bool {
    *store == 0
}

/// Where a scope stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Phase {
    /// The holder may run it until its deadline.
    Held,
    /// The same, and it is asked to stop and to acknowledge that.
    Draining,
    /// The holder runs it without a deadline: the witness is lost, and nothing moves but by two persons.
    Pinned,
    /// The same, and it is asked to take its deadline back on.
    Unpinning,
    /// Its last holder acknowledged that everything of it was terminated.
    Released,
    /// Its last holder may no longer run it; nobody may before a proof that it is silent.
    Fencing,
    /// The arbiter was restored, and who held it last is being asked.
    Regrant,
}

/// Why it is certain that the old holder does not communicate any more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Proof {
    /// Its agent saw every container terminated by its kubelet, or that node's last permit run out.
    Acked,
    /// Its beat is older than T(1+2ρ), and every node of the scope has a gate that was ready.
    PermitExpired,
    /// The storage refuses it, read back.
    StorageFenced,
    /// Its machines are off, read back.
    PoweredOff,
    /// Two people of two organisations say so.
    TwoPersons([String; 2]),
}

/// The record of one scope.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Row {
    /// Rises with every change of the holder.
    pub epoch: Epoch,
    /// Who may run it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub holder: Option<String>,
    /// Where it stands.
    pub phase: Phase,
    /// Who held it before, while nobody does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// That the last holder is silent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proof: Option<Proof>,
}

impl Row {
    /// A scope that `holder` may run.
    pub fn held(epoch: Epoch, holder: &str) -> Self {
        Self {
            epoch,
            holder: Some(holder.to_owned()),
            phase: Phase::Held,
            from: None,
            proof: None,
        }
    }

    /// Whether that place may run it, subject to its deadline.
    pub fn lets(&self, place: &str) -> bool {
        self.holder.as_deref() == Some(place)
            && matches!(
                self.phase,
                Phase::Held | Phase::Draining | Phase::Pinned | Phase::Unpinning
            )
    }

    /// Whether it runs without a deadline.
    pub fn pinned(&self) -> bool {
        matches!(self.phase, Phase::Pinned | Phase::Unpinning)
    }

    /// The same under another phase.
    #[must_use]
    pub fn at(&self, phase: Phase) -> Self {
        Self { phase, ..self.clone() }
    }
}
