//! The transactions of the arbiter, as data: an adapter sends them to etcd, a simulation to a store of its own.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// Below this everything of the arbiter is kept.
pub const PREFIX: &str = "/xiangyun/arbiter/";

/// Writes of one transaction; etcd takes 128 steps (`--max-txn-ops`), and some read as well.
pub const AT_ONCE: usize = 100;

/// Where the parts are kept.
pub mod key {
    use super::PREFIX;

    /// The arbiter's own life.
    pub fn incarnation() -> String {
        format!("{PREFIX}incarnation")
    }
    /// Who restored the arbiter, from which sources.
    pub fn restore(number: u64) -> String {
        format!("{PREFIX}restores/{number}")
    }
    /// Which process beats for a place.
    pub fn session(place: &str) -> String {
        format!("{PREFIX}centres/{place}/session")
    }
    /// Sign of life of a place.
    pub fn beat(place: &str) -> String {
        format!("{PREFIX}centres/{place}/beat")
    }
    /// All scopes.
    pub fn epochs() -> String {
        format!("{PREFIX}epochs/")
    }
    /// One scope.
    pub fn epoch(scope: &str) -> String {
        format!("{PREFIX}epochs/{scope}")
    }
    /// The scope of such a key.
    pub fn scope(key: &str) -> Option<&str> {
        key.strip_prefix(PREFIX)?.strip_prefix("epochs/")
    }
    /// The place whose beat is kept there.
    pub fn beating(key: &str) -> Option<&str> {
        key.strip_prefix(PREFIX)?
            .strip_prefix("centres/")?
            .strip_suffix("/beat")
    }
    /// That `observer` saw `place` silent.
    pub fn verdict(observer: &str, place: &str) -> String {
        format!("{PREFIX}observers/{observer}/{place}")
    }
    /// That `observer` found `place` silent, but its API server alive.
    pub fn down(observer: &str, place: &str) -> String {
        format!("{PREFIX}down/{observer}/{place}")
    }
    /// Observer and place of such a key, below `observers/` or `down/`.
    pub fn observed(key: &str, below: &str) -> Option<(String, String)> {
        let rest = key.strip_prefix(PREFIX)?.strip_prefix(below)?;
        let (observer, place) = rest.split_once('/')?;
        Some((observer.to_owned(), place.to_owned()))
    }
    /// Which operator decides.
    pub fn operator() -> String {
        format!("{PREFIX}operator/session")
    }
    /// Sign of life of that operator.
    pub fn operating() -> String {
        format!("{PREFIX}operator/beat")
    }
    /// Whether it is where a place says what it last held.
    pub fn claims(key: &str) -> bool {
        key.strip_prefix(PREFIX).is_some_and(|rest| rest.starts_with("claims/"))
    }
    /// Which epoch a place last held, asked for after a restore.
    pub fn claim(place: &str, scope: &str) -> String {
        format!("{PREFIX}claims/{place}/{scope}")
    }
}

/// A sign of life of a place; that it was written anew is what counts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Beat {
    /// Of the process that wrote it.
    pub session: String,
    /// Whether that process does not reach its own API server.
    #[serde(default)]
    pub ailing: bool,
}

/// What must hold for a transaction to change anything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Compare {
    /// The key was last changed at this revision; 0 where it must be absent.
    Unchanged {
        /// Key.
        key: String,
        /// Revision of its last change.
        revision: u64,
    },
    /// The key has this value.
    Value {
        /// Key.
        key: String,
        /// Value.
        value: String,
    },
}

/// A step of a transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Op {
    /// Writes a key.
    Put {
        /// Key.
        key: String,
        /// Value.
        value: String,
    },
    /// Reads every key that begins like this.
    Range {
        /// Begin.
        prefix: String,
    },
}

/// One transaction: all of `then` where every compare holds, all of `otherwise` where one does not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Txn {
    /// What must hold.
    pub compares: Vec<Compare>,
    /// Done where it holds.
    pub then: Vec<Op>,
    /// Done where it does not.
    pub otherwise: Vec<Op>,
}

/// A key as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kv {
    /// Key.
    pub key: String,
    /// Value.
    pub value: String,
    /// Revision of its last change.
    pub revision: u64,
}

/// What a transaction answered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Whether every compare held.
    pub succeeded: bool,
    /// What was read.
    pub read: Vec<Kv>,
}

impl Outcome {
    /// The key, where it was read and exists.
    pub fn get(&self, key: &str) -> Option<&Kv> {
        self.read.iter().find(|kv| kv.key == key)
    }
}

impl Kv {
    /// The value as what it stands for; `None` where it is something else.
    pub fn parse<T: DeserializeOwned>(&self) -> Option<T> {
        serde_json::from_str(&self.value).ok()
    }
}

impl Txn {
    /// A transaction that must find the key as it was read.
    #[must_use]
    pub fn unchanged(mut self, key: String, revision: u64) -> Self {
        self.compares.push(Compare::Unchanged { key, revision });
        self
    }

    /// A transaction that must find this value.
    #[must_use]
    pub fn finds(mut self, key: String, value: &impl Serialize) -> Self {
        let value = json(value);
        self.compares.push(Compare::Value { key, value });
        self
    }

    /// A transaction that writes.
    #[must_use]
    pub fn put(mut self, key: String, value: &impl Serialize) -> Self {
        let value = json(value);
        self.then.push(Op::Put { key, value });
        self
    }

    /// A transaction that reads, whatever the compares say.
    #[must_use]
    pub fn range(mut self, prefix: String) -> Self {
        self.otherwise.push(Op::Range { prefix: prefix.clone() });
        self.then.push(Op::Range { prefix });
        self
    }
}

/// As it is stored. Nothing here can fail to be written as JSON.
fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}
