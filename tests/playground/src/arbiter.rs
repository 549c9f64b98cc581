//! How our own programs reach the arbiter: one file a place, beside the certificate that they show there.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::cluster::{hub_port, pki};
use crate::place::{Place, Profile, port};
use crate::state::State;

/// Name of the client of the store that the arbiter is, and of its certificate.
pub(crate) const CLIENT: &str = "xiangyun-arbiter";

/// Whether a cloud has places enough that the loss of one leaves a majority.
pub(crate) const fn exists(profile: Profile) -> bool {
    matches!(profile, Profile::Full)
}

/// The file of a place.
pub(crate) fn file(state: &State, place: Place) -> PathBuf {
    state.dir.join("arbiter").join(format!("arbiter-{place}.json"))
}

/// URLs of the hub's voters, by the name of their place.
pub(crate) fn voters(state: &State) -> Result<BTreeMap<String, Vec<String>>> {
    let mut all = BTreeMap::new();
    for place in state.profile.hub_places() {
        let address = state.address(*place)?;
        let voters = 1..=state.profile.voters(*place);
        let urls = voters.map(|v| format!("https://{address}:{}", hub_port(v)));
        all.insert(place.to_string(), urls.collect());
    }
    Ok(all)
}

/// Writes the files of all places. `timing` is the arbiter's own where it is `None`.
pub(crate) fn write(state: &State, timing: Option<&Value>) -> Result<()> {
    let folder = state.dir.join("arbiter");
    std::fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    let mut config = json!({
        "endpoints": voters(state)?,
        "authority": pki(state, "etcd-ca.crt"),
        "certificate": pki(state, &format!("{CLIENT}.crt")),
        "key": pki(state, &format!("{CLIENT}.key")),
        "apis": apis(state)?,
    });
    if let (Some(config), Some(timing)) = (config.as_object_mut(), timing) {
        config.insert("timing".to_owned(), timing.clone());
    }
    let text = format!("{config:#}\n");
    for place in state.profile.hub_places() {
        let file = file(state, *place);
        std::fs::write(&file, &text).with_context(|| format!("cannot write {}", file.display()))?;
    }
    Ok(())
}

/// The API servers of the centres, by their names.
fn apis(state: &State) -> Result<BTreeMap<String, String>> {
    let mut all = BTreeMap::new();
    for place in state.profile.centres() {
        let server = format!("https://{}:{}", state.address(*place)?, port::APISERVER);
        all.insert(place.to_string(), server);
    }
    Ok(all)
}
