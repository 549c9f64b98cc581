//! The highest epoch of each scope that this node ever permitted. It is on disk before a permit of that epoch is given,
//! so that an agent or a centre that was restored cannot open the node with an older one.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::answer::Epoch;

/// The epochs. They never fall.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    /// The highest number of the centre's record.
    #[serde(default)]
    record: u64,
    scopes: BTreeMap<String, Epoch>,
}

impl Held {
    /// The highest epoch permitted for a scope.
    pub fn of(&self, scope: &str) -> Option<Epoch> {
        self.scopes.get(scope).copied()
    }

    /// The highest number of the centre's record that was ever answered.
    pub fn record(&self) -> u64 {
        self.record
    }

    /// Remembers the number of a record; a lower one changes nothing.
    pub fn recorded(&mut self, number: u64) {
        self.record = self.record.max(number);
    }

    /// Remembers an epoch; a lower one changes nothing.
    pub fn raise(&mut self, scope: &str, epoch: Epoch) {
        let held = self.scopes.entry(scope.to_owned()).or_insert(epoch);
        *held = epoch.max(*held);
    }
}

/// Why it is not known what was held.
#[derive(Debug, Error)]
pub enum Unknown {
    /// The file is there and cannot be read.
    #[error("cannot read {0}: {1}")]
    Unreadable(PathBuf, #[source] io::Error),
    /// The file is there and says nothing.
    #[error("{0} is damaged: {1}")]
    Damaged(PathBuf, #[source] serde_json::Error),
}

/// The file `held.json` in a folder of the node.
#[derive(Clone, Debug)]
pub struct HeldFile {
    folder: PathBuf,
}

impl HeldFile {
    /// The file in that folder.
    pub fn new(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
        }
    }

    fn path(&self) -> PathBuf {
        self.folder.join("held.json")
    }

    /// What was held; nothing where there is no file yet.
    ///
    /// # Errors
    /// The file cannot be read. Nobody may then be permitted anything: guessing "nothing" would forget an epoch.
    pub fn read(&self) -> Result<Held, Unknown> {
        let path = self.path();
        match fs::read(&path) {
            Ok(text) => serde_json::from_slice(&text).map_err(|error| Unknown::Damaged(path, error)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Held::default()),
            Err(error) => Err(Unknown::Unreadable(path, error)),
        }
    }

    /// Replaces the file; when this returns, it outlives a power cut.
    ///
    /// # Errors
    /// The file cannot be written. What was held before may or may not still be there.
    pub fn write(&self, held: &Held) -> io::Result<()> {
        let (path, fresh) = (self.path(), self.folder.join("held.json.new"));
        let mut file = File::create(&fresh)?;
        file.write_all(&serde_json::to_vec(held)?)?;
        file.sync_all()?;
        fs::rename(&fresh, &path)?;
        // The name is part of the folder, which has a cache of its own.
        File::open(&self.folder)?.sync_all()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_held_survives_and_never_falls() {
        let folder = tempfile::tempdir().unwrap();
        let file = HeldFile::new(folder.path());
        let epoch = |counter| Epoch {
            incarnation: 1,
            counter,
        };
        let mut held = file.read().unwrap();
        assert_eq!(held, Held::default());
        held.raise("a/b", epoch(8));
        held.raise("a/b", epoch(7));
        file.write(&held).unwrap();
        assert_eq!(file.read().unwrap().of("a/b"), Some(epoch(8)));
        assert_eq!(file.read().unwrap().of("a/c"), None);
    }

    #[test]
    fn a_damaged_file_is_not_an_empty_one() {
        let folder = tempfile::tempdir().unwrap();
        let file = HeldFile::new(folder.path());
        fs::write(file.path(), "{\"scopes\":").unwrap();
        assert!(matches!(file.read(), Err(Unknown::Damaged(..))));
        fs::remove_file(file.path()).unwrap();
        fs::create_dir(file.path()).unwrap();
        assert!(matches!(file.read(), Err(Unknown::Unreadable(..))));
    }
}
