//! Where the arbiter is, who we are to it, and its times: one file, the same for every process of a place.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use arbiter::timing::{Timing, TimingError};
use serde::Deserialize;
use thiserror::Error;

use super::{Identity, Store, Unanswered};

/// How a process reaches the arbiter, as JSON.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Config {
    /// URLs of the store's voters, by the name of their place.
    pub endpoints: BTreeMap<String, Vec<String>>,
    /// Authority of the store, in PEM.
    pub authority: PathBuf,
    /// Certificate of the client, in PEM.
    pub certificate: PathBuf,
    /// Its key.
    pub key: PathBuf,
    /// The times of the arbiter; everybody must have the same.
    #[serde(default)]
    pub timing: Timing,
    /// API servers of the centres, by name. An observer asks them before it says that a silent centre is lost.
    #[serde(default)]
    pub apis: BTreeMap<String, String>,
}

/// Why the file cannot be gone by.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// It, or a file that it names, cannot be read.
    #[error("cannot read {0}: {1} | 无法读取")]
    Unreadable(PathBuf, #[source] io::Error),
    /// It is no such file.
    #[error("{0}: {1} | 格式有误")]
    Malformed(PathBuf, #[source] serde_json::Error),
    /// A time breaks what must hold.
    #[error("{0}: {1}")]
    Timing(PathBuf, #[source] TimingError),
    /// Fewer than three places: the loss of one would leave no majority.
    #[error("{0}: endpoints names {1} places; a majority that outlives one needs 3 | endpoints 仅有 {1} 处，至少 3 处")]
    Places(PathBuf, usize),
}

impl Config {
    /// Reads and checks it.
    ///
    /// # Errors
    /// See [`ConfigError`]; a time that breaks an inequality is named.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read(path).map_err(|error| ConfigError::Unreadable(path.into(), error))?;
        let config: Self = serde_json::from_slice(&text).map_err(|error| ConfigError::Malformed(path.into(), error))?;
        let timing = config.timing.validate();
        timing.map_err(|error| ConfigError::Timing(path.into(), error))?;
        if config.endpoints.len() < 3 {
            return Err(ConfigError::Places(path.into(), config.endpoints.len()));
        }
        config.identity()?;
        Ok(config)
    }

    fn identity(&self) -> Result<Identity, ConfigError> {
        let read = |path: &PathBuf| std::fs::read(path).map_err(|error| ConfigError::Unreadable(path.clone(), error));
        Ok(Identity {
            authority: read(&self.authority)?,
            certificate: read(&self.certificate)?,
            key: read(&self.key)?,
        })
    }

    /// Connects to the store.
    ///
    /// # Errors
    /// A file that is gone, or a URL or certificate that cannot be read.
    pub async fn connect(&self) -> Result<Store, ConnectError> {
        Ok(Store::connect(&self.endpoints, &self.identity()?, &self.timing).await?)
    }
}

/// Why there is no connection to the store.
#[derive(Debug, Error)]
pub enum ConnectError {
    /// A file.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The store.
    #[error(transparent)]
    Store(#[from] Unanswered),
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(name: &str, text: &str) -> String {
        let file = std::env::temp_dir().join(format!("xy-arbiter-{}-{name}", std::process::id()));
        std::fs::write(&file, text).unwrap();
        let error = Config::read(&file).unwrap_err().to_string();
        std::fs::remove_file(&file).unwrap();
        error
    }

    #[test]
    fn what_cannot_work_is_refused_with_its_numbers() {
        let with = |places: &str, timing: &str| {
            format!(
                r#"{{"endpoints": {places}, "authority": "/a", "certificate": "/b", "key": "/c", "timing": {timing}}}"#
            )
        };
        let times =
            r#"{"ttlMs": 10000, "beatMs": 2100, "callMs": 1300, "ratePpm": 10000, "guardMs": 2500, "permitMs": 2000}"#;
        let three = r#"{"a": [], "b": [], "c": []}"#;
        let error = refused("timing", &with(three, times));
        assert!(error.contains("raise ttlMs by 300 ms"), "{error}");
        let good = times.replace("2100", "2000");
        let error = refused("places", &with(r#"{"a": [], "b": []}"#, &good));
        assert!(error.contains("names 2 places"), "{error}");
        let error = refused("files", &with(three, &good));
        assert!(error.contains("cannot read /a"), "{error}");
        assert!(refused("garbage", "{").contains("格式有误"));
    }
}
