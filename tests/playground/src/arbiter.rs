//! How our own programs reach the arbiter: one file a place, beside the certificate that they show there.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::{Context, Result};
use etcd_client::{Certificate, Client, ConnectOptions, Identity, Permission, TlsOptions, UserAddOptions};
use serde_json::{Value, json};

use crate::access::eventually;
use crate::cloud::READY;
use crate::cluster::{etcd_files, hub_port, pki};
use crate::place::{Place, Profile, port};
use crate::state::State;

/// Name of the client of the store that the arbiter is, and of its certificate.
pub(crate) const CLIENT: &str = "xiangyun-arbiter";

/// Whom the certificates of voters and API servers name.
pub(crate) const STORE: &str = "etcd";
/// Everything that the client may read and write.
const PREFIX: &str = "/xiangyun/arbiter/";

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

/// From now on the hub's store asks who it is that reads and writes: its API servers all of it, the arbiter's client its
/// own part.
pub(crate) async fn admit(state: &State) -> Result<()> {
    let Some(place) = state.profile.hub_places().first().filter(|_| exists(state.profile)) else {
        return Ok(());
    };
    // Voters that have just begun may choose another leader meanwhile, and what is under way then fails.
    eventually(READY, "the hub's store has its users", || admit_at(state, *place)).await
}

async fn admit_at(state: &State, place: Place) -> Result<()> {
    let [certificate, key, authority] = etcd_files(state, place);
    let read = |file: &str| std::fs::read(file).with_context(|| format!("cannot read {file}"));
    let tls = TlsOptions::new()
        .ca_certificate(Certificate::from_pem(read(&authority)?))
        .identity(Identity::from_pem(read(&certificate)?, read(&key)?));
    let voter = format!("https://{}:{}", state.address(place)?, hub_port(1));
    let store = Client::connect([voter], Some(ConnectOptions::new().with_tls(tls))).await?;
    let mut store = store.auth_client();
    let no_password = || Some(UserAddOptions::new().with_no_pwd());
    or_there(store.role_add("root").await)?;
    or_there(store.role_add(CLIENT).await)?;
    let own = Permission::read_write(PREFIX).with_prefix();
    store.role_grant_permission(CLIENT, own).await?;
    for (user, role) in [("root", "root"), (STORE, "root"), (CLIENT, CLIENT)] {
        or_there(store.user_add(user, "", no_password()).await)?;
        store.user_grant_role(user, role).await?;
    }
    store.auth_enable().await?;
    Ok(())
}

/// What an attempt before has made is there.
fn or_there<T>(made: Result<T, etcd_client::Error>) -> Result<()> {
    match made {
        Err(etcd_client::Error::GRpcStatus(status)) if status.message().contains("already exists") => Ok(()),
        made => Ok(made.map(drop)?),
    }
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
