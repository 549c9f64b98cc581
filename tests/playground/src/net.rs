//! Network of a cloud: a /20 of 198.18.0.0/16 (the benchmarking range), one namespace a place, all on one bridge.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::command::{run, run_with_input};
use crate::mode::Mode;
use crate::place::{Place, Profile};
use crate::state::{PlaceNet, State};

/// How many /20 the range has, and so how many clouds a machine can hold.
const SUBNETS: u8 = 16;

/// Folder of locks and sockets of all clouds of this user. In a rootless cloud /run is its own.
pub(crate) fn run_dir() -> PathBuf {
    let own = std::env::var_os("XDG_RUNTIME_DIR")
        .map(PathBuf::from)
        .filter(|dir| dir.is_dir());
    let base = match nix::unistd::geteuid() {
        root if root.is_root() => PathBuf::from("/run"),
        user => own.unwrap_or_else(|| std::env::temp_dir().join(format!("xiangyun-{user}"))),
    };
    base.join("xiangyun-playground")
}

/// Address of the host on the cloud's bridge.
pub(crate) fn host_address(subnet: u8) -> Ipv4Addr {
    Ipv4Addr::new(198, 18, subnet * 16, 1)
}

/// Address of a place. On loopback each user has a range of its own, so that clouds of two users seldom meet.
fn place_address(subnet: u8, place: Place, mode: Mode) -> Ipv4Addr {
    let third = subnet * 16 + place.slot();
    match mode {
        Mode::Netns | Mode::Rootless => Ipv4Addr::new(198, 18, third, 10),
        Mode::Loopback => {
            let user = u8::try_from(nix::unistd::geteuid().as_raw() % 128).unwrap_or_default();
            Ipv4Addr::new(127, 64 + user, third, 10)
        }
    }
}

/// The /24 of a place in CIDR notation.
pub(crate) fn place_range(address: Ipv4Addr) -> String {
    let [a, b, c, _] = address.octets();
    format!("{a}.{b}.{c}.0/24")
}

/// Names and addresses of a cloud: the bridge and the network of each place. No name is longer than 15 characters.
pub(crate) fn plan(id: &str, subnet: u8, profile: Profile, mode: Mode) -> (String, BTreeMap<Place, PlaceNet>) {
    let places = profile.places().iter().map(|place| {
        let net = PlaceNet {
            netns: format!("xy{id}-{place}"),
            veth: format!("xy{id}-v{}", place.slot()),
            address: place_address(subnet, *place, mode),
        };
        (*place, net)
    });
    (format!("xy{id}-br"), places.collect())
}

/// The lowest /20 that is neither locked by another cloud nor in use on the host.
fn choose(locked: &BTreeSet<u8>, in_use: &[Ipv4Addr]) -> Option<u8> {
    let used = |subnet: u8| {
        in_use
            .iter()
            .any(|a| matches!(a.octets(), [198, 18, c, _] if c / 16 == subnet))
    };
    (0..SUBNETS).find(|subnet| !locked.contains(subnet) && !used(*subnet))
}

/// The lock file of a subnet; its text is the DIR of the cloud that holds it.
fn lock_file(subnet: u8) -> PathBuf {
    run_dir().join(format!("subnet-{subnet}"))
}

/// A copy of the state of the cloud that holds a subnet.
pub(crate) fn copy_file(subnet: u8) -> PathBuf {
    run_dir().join(format!("subnet-{subnet}.json"))
}

/// The cloud that was in `dir`, from the copy of its state.
pub(crate) fn lost(dir: &Path) -> Option<State> {
    let mut copies = (0..SUBNETS).filter_map(|subnet| State::read(&copy_file(subnet)).ok());
    copies.find(|state| state.dir == dir)
}

/// Claims a free /20 for the cloud that `describe` makes of it, and saves that state before the claim can be seen
/// as abandoned. Clouds of tests that were killed, and clouds whose folder is
/// gone, are removed on the way.
pub(crate) async fn claim(mode: Mode, describe: impl FnOnce(u8) -> Result<State>) -> Result<State> {
    std::fs::create_dir_all(run_dir()).with_context(|| format!("cannot create {}", run_dir().display()))?;
    let gate = tokio::task::spawn_blocking(|| -> Result<File> {
        let gate = File::create(run_dir().join("lock"))?;
        gate.lock()?;
        Ok(gate)
    });
    let _gate = gate.await?.context("cannot lock the list of subnets")?;
    let mut locked = BTreeSet::new();
    for subnet in 0..SUBNETS {
        if let Some((dir, state)) = holder(subnet) {
            if state.temporary && !state.supervisor_alive() {
                eprintln!("removing the cloud of a test that was killed: {}", dir.display());
                crate::teardown::teardown(&dir).await?;
            } else {
                locked.insert(subnet);
            }
        } else if let Ok(lost) = State::read(&copy_file(subnet)) {
            eprintln!("removing the cloud whose folder {} is gone", lost.dir.display());
            crate::teardown::teardown_lost(&lost).await?;
        }
    }
    let in_use = match mode {
        Mode::Loopback => Vec::new(),
        Mode::Netns | Mode::Rootless => host_addresses().await?,
    };
    let subnet = choose(&locked, &in_use)
        .context("all 16 subnets of 198.18.0.0/16 are in use: end a cloud with `playground down --dir DIR`")?;
    let state = describe(subnet)?;
    std::fs::create_dir_all(&state.dir).with_context(|| format!("cannot create {}", state.dir.display()))?;
    state.save_with_copy()?;
    std::fs::write(lock_file(subnet), state.dir.as_os_str().as_encoded_bytes()).context("cannot write the lock")?;
    Ok(state)
}

/// DIR and state of the cloud that holds a subnet. A lock whose cloud is no more does not count, nor one that goes while it
/// is looked at: clouds end at any time.
fn holder(subnet: u8) -> Option<(PathBuf, State)> {
    let dir = PathBuf::from(std::fs::read_to_string(lock_file(subnet)).ok()?);
    let state = State::load(&dir).ok().filter(|state| state.subnet == subnet)?;
    Some((dir, state))
}

/// Gives the subnet of a cloud back.
pub(crate) fn release(state: &State) -> Result<()> {
    let file = lock_file(state.subnet);
    let ours = std::fs::read_to_string(&file).is_ok_and(|dir| Path::new(&dir) == state.dir);
    let copy = copy_file(state.subnet);
    if State::read(&copy).is_ok_and(|copied| copied.id == state.id) {
        std::fs::remove_file(&copy).with_context(|| format!("cannot remove {}", copy.display()))?;
    }
    if ours {
        std::fs::remove_file(&file).with_context(|| format!("cannot remove {}", file.display()))?;
    }
    Ok(())
}

async fn host_addresses() -> Result<Vec<Ipv4Addr>> {
    let text = run("ip", &["-json", "-4", "address"]).await?;
    let links: Vec<serde_json::Value> = serde_json::from_str(&text).context("cannot read `ip address`")?;
    let infos = links.iter().filter_map(|l| l.get("addr_info")?.as_array()).flatten();
    Ok(infos.filter_map(|i| i.get("local")?.as_str()?.parse().ok()).collect())
}

/// Creates the bridge, the namespaces and the pairs between them.
pub(crate) async fn create(state: &State) -> Result<()> {
    if state.mode == Mode::Loopback {
        return Ok(());
    }
    let bridge = &state.bridge;
    let host = host_address(state.subnet);
    let bridged = format!(
        "link add {bridge} type bridge
address add {host}/20 dev {bridge}
link set {bridge} up
"
    );
    run_with_input("ip", &["-batch", "-"], &bridged).await?;
    for net in state.places.values() {
        let PlaceNet { netns, veth, address } = net;
        run("ip", &["netns", "add", netns]).await?;
        let inside = format!("address add {address}/20 dev eth0\nlink set eth0 up\nlink set lo up\n");
        let pair =
            format!("link add {veth} type veth peer name eth0 netns {netns}\nlink set {veth} master {bridge} up\n");
        run_with_input("ip", &["-batch", "-"], &pair).await?;
        run_with_input("ip", &["-n", netns, "-batch", "-"], &inside).await?;
    }
    Ok(())
}

/// Removes whatever of the cloud's network exists.
pub(crate) async fn remove(state: &State) -> Result<()> {
    // A rootless cloud's network ends with its last process.
    if state.mode != Mode::Netns {
        return Ok(());
    }
    let exists = |link: &str| Path::new("/sys/class/net").join(link).exists();
    for net in state.places.values() {
        if exists(&net.veth) {
            run("ip", &["link", "delete", &net.veth]).await?;
        }
        if Path::new("/run/netns").join(&net.netns).exists() {
            run("ip", &["netns", "delete", &net.netns]).await?;
        }
    }
    // Nodes with real processes, and their pods, have networks behind those of the places.
    for netns in behind(&state.id) {
        run("ip", &["netns", "delete", &netns]).await?;
    }
    if exists(&state.bridge) {
        run("ip", &["link", "delete", &state.bridge]).await?;
    }
    Ok(())
}

/// The network namespaces of a cloud that are left.
fn behind(id: &str) -> Vec<String> {
    let all = std::fs::read_dir("/run/netns").into_iter().flatten().flatten();
    let names = all.filter_map(|entry| entry.file_name().into_string().ok());
    names.filter(|name| name.starts_with(&format!("xy{id}-"))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_fit_an_interface_and_addresses_stay_in_the_subnet() {
        for profile in [Profile::Quota, Profile::Full] {
            let (bridge, places) = plan("ffff", 15, profile, Mode::Netns);
            let mut names = vec![bridge];
            for net in places.values() {
                names.extend([net.netns.clone(), net.veth.clone()]);
                assert_eq!(u32::from(net.address) >> 12, u32::from(host_address(15)) >> 12);
                assert_ne!(place_range(net.address), place_range(host_address(15)));
            }
            assert!(
                names.iter().all(|n| n.len() <= 15 && n.starts_with("xyffff")),
                "{names:?}"
            );
            let unique: BTreeSet<&String> = names.iter().collect();
            assert_eq!(unique.len(), names.len());
        }
    }

    #[test]
    fn the_lowest_free_subnet_is_chosen() {
        assert_eq!(choose(&BTreeSet::new(), &[]), Some(0));
        assert_eq!(
            choose(&BTreeSet::from([0, 2]), &[Ipv4Addr::new(198, 18, 17, 9)]),
            Some(3)
        );
        assert_eq!(choose(&(0..16).collect(), &[]), None);
        // 198.19 is the other half of the benchmarking range and not ours.
        assert_eq!(choose(&BTreeSet::new(), &[Ipv4Addr::new(198, 19, 0, 1)]), Some(0));
    }
}
