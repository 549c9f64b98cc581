//! The networks of nodes and of their pods: place, node and pod are three namespaces in a row, so that whatever a pod sends
//! or receives passes its node, as on a real one.

use std::net::Ipv4Addr;
use std::path::Path;

use anyhow::Result;

use super::ranges::RunnerNode;
use crate::command::{run, run_with_input};

/// Makes the network of a node anew; pods that were behind it lose theirs.
pub(crate) async fn lay_node(node: &RunnerNode) -> Result<()> {
    remove_node(node).await?;
    let RunnerNode { netns, address, .. } = node;
    let (place, outside) = &node.outside;
    let (link, routed) = (node.link(), node.routed());
    // Others ask on the bridge for the addresses behind the place.
    let place_says = "echo 1 >/proc/sys/net/ipv4/ip_forward; echo 1 >/proc/sys/net/ipv4/conf/eth0/proxy_arp; \
                      echo 0 >/proc/sys/net/ipv4/neigh/eth0/proxy_delay";
    set(place, place_says).await?;
    run("ip", &["netns", "add", netns]).await?;
    set(netns, "echo 1 >/proc/sys/net/ipv4/ip_forward").await?;
    let pair = format!("link add {link} type veth peer name up0 netns {netns}\nlink set {link} up\n");
    batch(place, &pair).await?;
    let inside = format!(
        "address add {address}/32 dev up0
link set lo up
link set up0 up
route add {outside} dev up0 scope link src {address}
route add default via {outside} dev up0 src {address}
"
    );
    batch(netns, &inside).await?;
    batch(place, &format!("route add {routed} via {address} dev {link} onlink\n")).await
}

/// Removes the network of a node and of every pod behind it.
pub(crate) async fn remove_node(node: &RunnerNode) -> Result<()> {
    for address in node.addresses(true).chain(node.addresses(false)) {
        remove_pod(node, address).await?;
    }
    if exists(&node.netns) {
        // A namespace goes some time after its name, and its ends of pairs with it.
        let _ = run("ip", &["-n", &node.outside.0, "link", "delete", &node.link()]).await;
        run("ip", &["netns", "delete", &node.netns]).await?;
    }
    Ok(())
}

/// Makes the network of a pod anew.
pub(crate) async fn lay_pod(node: &RunnerNode, address: Ipv4Addr) -> Result<()> {
    remove_pod(node, address).await?;
    let (pod, link, gateway) = (node.pod_netns(address), RunnerNode::pod_link(address), node.address);
    run("ip", &["netns", "add", &pod]).await?;
    let pair = format!(
        "link add {link} type veth peer name eth0 netns {pod}
link set {link} up
route add {address}/32 dev {link}
"
    );
    batch(&node.netns, &pair).await?;
    let inside = format!(
        "link set lo up
address add {address}/32 dev eth0
link set eth0 up
route add {gateway} dev eth0 scope link
route add default via {gateway} dev eth0
"
    );
    batch(&pod, &inside).await
}

/// Removes the network of a pod, where it has one.
pub(crate) async fn remove_pod(node: &RunnerNode, address: Ipv4Addr) -> Result<()> {
    let pod = node.pod_netns(address);
    if !exists(&pod) {
        return Ok(());
    }
    if exists(&node.netns) {
        // Half made is also there.
        let _ = run(
            "ip",
            &["-n", &node.netns, "link", "delete", &RunnerNode::pod_link(address)],
        )
        .await;
    }
    run("ip", &["netns", "delete", &pod]).await.map(drop)
}

fn exists(netns: &str) -> bool {
    Path::new("/run/netns").join(netns).exists()
}

async fn batch(netns: &str, lines: &str) -> Result<()> {
    run_with_input("ip", &["-n", netns, "-batch", "-"], lines)
        .await
        .map(drop)
}

async fn set(netns: &str, words: &str) -> Result<()> {
    run("ip", &["netns", "exec", netns, "sh", "-c", words]).await.map(drop)
}
