//! What writers and the sink write down, one JSON line each.

use std::fmt;
use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::str::FromStr;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

/// Epoch of a right; the incarnation goes before the counter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RightEpoch {
    /// Restores of the arbiter so far.
    pub incarnation: u64,
    /// Changes of the holder within it.
    pub counter: u64,
}

impl FromStr for RightEpoch {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts = text.split_once('.').map(|(i, c)| (i.parse(), c.parse()));
        match parts {
            Some((Ok(incarnation), Ok(counter))) => Ok(Self { incarnation, counter }),
            _ => Err(format!("{text:?} is no epoch such as 1.7")),
        }
    }
}

impl TryFrom<String> for RightEpoch {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<RightEpoch> for String {
    fn from(epoch: RightEpoch) -> Self {
        epoch.to_string()
    }
}

impl fmt::Display for RightEpoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.incarnation, self.counter)
    }
}

/// One record of a writer: what it sends, and in its own log when it was sent and answered. Times are milliseconds on
/// CLOCK_BOOTTIME, which all places of a cloud share.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Write {
    /// Namespace and placement.
    pub scope: String,
    /// The epoch that the pod was made under.
    pub epoch: RightEpoch,
    /// Where the pod runs.
    pub place: String,
    /// UID of the pod.
    pub pod: String,
    /// Counted from 1 in each process.
    pub n: u64,
    /// When it was sent.
    pub sent: u64,
    /// When the writer heard that it landed; absent where it never did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acked: Option<u64>,
}

/// A record in the sink's log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Landed {
    /// As it came.
    #[serde(flatten)]
    pub write: Write,
    /// When it came, milliseconds on CLOCK_BOOTTIME.
    pub landed: u64,
}

/// A file to which lines are added.
#[derive(Debug)]
pub(crate) struct Log(File);

impl Log {
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let file = File::options().create(true).append(true).open(path);
        file.map(Self)
            .with_context(|| format!("cannot open {}", path.display()))
    }

    /// One line in one write: whoever reads sees no half of one, unless it is the last.
    pub(crate) fn add(&mut self, line: &impl Serialize) -> Result<()> {
        let mut text = serde_json::to_vec(line)?;
        text.push(b'\n');
        self.0.write_all(&text).context("cannot write the log")
    }
}
