//! For programs that speak to the hub's store themselves, from the network of a place.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::thread::JoinHandle;

use anyhow::{Context as _, Result, ensure};
use nix::sched::{CloneFlags, setns};

use crate::arbiter;
use crate::cloud::Cloud;
use crate::cluster::pki;
use crate::mode::Mode;
use crate::place::Place;

impl Cloud {
    /// URLs of the hub's voters, by the name of their place.
    pub fn voters(&self) -> Result<BTreeMap<String, Vec<String>>> {
        arbiter::voters(&self.state()?)
    }

    /// Files of a client of the hub's store: authority, certificate, key.
    pub fn store_files(&self, place: Place) -> Result<[PathBuf; 3]> {
        let state = self.state()?;
        let files = [
            "etcd-ca.crt".to_owned(),
            format!("etcd-{place}.crt"),
            format!("etcd-{place}.key"),
        ];
        Ok(files.map(|file| PathBuf::from(pki(&state, &file))))
    }

    /// Does `work` on a thread of its own in the network of a place.
    pub fn within<T: Send + 'static>(
        &self,
        place: Place,
        work: impl FnOnce() -> Result<T> + Send + 'static,
    ) -> Result<JoinHandle<Result<T>>> {
        let state = self.state()?;
        ensure!(
            state.mode == Mode::Netns,
            "only places with a network of their own can be entered"
        );
        let path = Path::new("/run/netns").join(&state.net(place)?.netns);
        let net = File::open(&path).with_context(|| format!("cannot open {}", path.display()))?;
        Ok(std::thread::spawn(move || {
            setns(net, CloneFlags::CLONE_NEWNET).context("cannot enter the network of the place")?;
            work()
        }))
    }
}
