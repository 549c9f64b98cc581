//! The program `nft`: one call, one transaction.

use std::path::PathBuf;
use std::process::Stdio;

use serde_json::Value;
use thiserror::Error;
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;
use tokio::time::{Duration, timeout};

use crate::listing::{Difference, Standing, examine};
use crate::ranges::Ranges;
use crate::ruleset::{TABLE, closed};

/// How long a call may take; one takes some 10 ms.
const LONGEST: Duration = Duration::from_secs(1);

/// Why nothing was read or written.
#[derive(Debug, Error)]
pub enum Failed {
    /// The program cannot be started, or it hangs.
    #[error("cannot run nft: {0}")]
    Unstarted(String),
    /// It refused; nothing of the transaction was done.
    #[error("nft: {0}")]
    Refused(String),
}

/// The program.
#[derive(Clone, Debug)]
pub struct Nft {
    program: PathBuf,
}

impl Nft {
    /// The program at that path.
    pub fn new(program: PathBuf) -> Self {
        Self { program }
    }

    /// Writes one transaction: all of it or nothing.
    ///
    /// # Errors
    /// Nothing was written, or it is not known whether it was.
    pub async fn write(&self, transaction: &str) -> Result<(), Failed> {
        self.call(&["-f", "-"], transaction).await.map(drop)
    }

    async fn call(&self, args: &[&str], input: &str) -> Result<Vec<u8>, Failed> {
        let unstarted = |error: std::io::Error| Failed::Unstarted(error.to_string());
        let mut child = Command::new(&self.program)
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(unstarted)?;
        let talk = async {
            if let Some(mut stdin) = child.stdin.take() {
                stdin.write_all(input.as_bytes()).await?;
            }
            child.wait_with_output().await
        };
        let late = |_| Failed::Unstarted(format!("no end within {} ms", LONGEST.as_millis()));
        let output = timeout(LONGEST, talk).await.map_err(late)?.map_err(unstarted)?;
        if output.status.success() {
            return Ok(output.stdout);
        }
        let said = String::from_utf8_lossy(&output.stderr);
        Err(Failed::Refused(said.lines().next().unwrap_or_default().to_owned()))
    }

    /// What stands in the table, if it is exactly ours.
    ///
    /// # Errors
    /// How it differs, also when it cannot be read.
    pub async fn standing(&self, ranges: &Ranges) -> Result<Standing, Difference> {
        match self.listed(ranges).await {
            // An element that ran out while it was listed has no end either; it is gone the next time.
            Err(Difference::Endless(_)) => self.listed(ranges).await,
            standing => standing,
        }
    }

    async fn listed(&self, ranges: &Ranges) -> Result<Standing, Difference> {
        let listing = match self.call(&["-j", "list", "table", "inet", TABLE], "").await {
            Ok(text) => text,
            Err(Failed::Refused(said)) if said.contains("No such file or directory") => {
                return Err(Difference::Missing);
            }
            Err(error) => return Err(Difference::Unreadable(error.to_string())),
        };
        let listing = serde_json::from_slice(&listing).map_err(|error| Difference::Unreadable(error.to_string()))?;
        examine(&listing, ranges)
    }

    /// Puts the closed table in place of whatever stands under its name.
    ///
    /// # Errors
    /// It was not written.
    pub async fn close(&self, ranges: &Ranges) -> Result<(), Failed> {
        self.write(&closed(ranges)).await
    }

    /// Whether any table of the node lets established streams go around the hooks (flowtables).
    ///
    /// # Errors
    /// They cannot be listed.
    pub async fn flows_offloaded(&self) -> Result<bool, Failed> {
        let listing = self.call(&["-j", "list", "flowtables"], "").await?;
        let unreadable = |error: serde_json::Error| Failed::Refused(format!("unreadable listing: {error}"));
        let listing: Value = serde_json::from_slice(&listing).map_err(unreadable)?;
        let objects = listing.get("nftables").and_then(Value::as_array);
        Ok(objects
            .into_iter()
            .flatten()
            .any(|object| object.get("flowtable").is_some()))
    }
}
