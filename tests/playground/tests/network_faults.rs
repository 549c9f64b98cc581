//! Each fault of the network, by what a program in a place sees of it.

#![expect(clippy::unwrap_used, reason = "an assumption that fails is a test that fails")]

use std::fs::File;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::time::{Duration, Instant};

use nix::sched::{CloneFlags, setns};
use playground::{Cloud, Cut, Fault, Options, Place};

const DELAY: Duration = Duration::from_millis(400);

#[tokio::test(flavor = "multi_thread")]
async fn every_fault_is_seen_and_healed() {
    let options = Options {
        operators: false,
        ..Options::default()
    };
    let cloud = Cloud::up(options).await.unwrap();
    let pair = Cut::pair(Place::Jishi, Place::Hub);

    assert!(reads(&cloud, "5s").await);
    cloud.fault(Fault::Delay(DELAY), pair).await.unwrap();
    let begin = Instant::now();
    assert!(reads(&cloud, "30s").await);
    // At least the greetings of TLS and the request itself, there and back.
    assert!(begin.elapsed() >= DELAY * 4, "{:?}", begin.elapsed());
    assert!(connects(&cloud, Place::Hub, Place::Jishi, 6443).await);
    heals(&cloud).await;

    cloud.fault(Fault::Blackhole, pair).await.unwrap();
    assert!(!reads(&cloud, "2s").await);
    assert!(
        connects(&cloud, Place::Jishi, Place::Hub, 7443).await,
        "open, but silent"
    );
    assert!(status(&cloud).contains("blackhole: jishi from hub"));
    heals(&cloud).await;

    what_is_open_stays_open(&cloud, pair).await;
    the_place_itself(&cloud).await;

    let one_port = Cut {
        port: Some(7443),
        ..pair
    };
    cloud.fault(Fault::Blackhole, one_port).await.unwrap();
    assert!(!reads(&cloud, "2s").await);
    assert!(
        scrapes(&cloud, Place::Jishi, Place::Hub).await,
        "another port is not concerned"
    );
    heals(&cloud).await;

    cloud.fault(Fault::Drop(100), pair).await.unwrap();
    assert!(!connects(&cloud, Place::Jishi, Place::Hub, 7443).await);
    heals(&cloud).await;
    cloud.fault(Fault::Drop(20), pair).await.unwrap();
    assert!(reads(&cloud, "60s").await, "what is lost is sent again");
    heals(&cloud).await;

    let one_way = Cut { one_way: true, ..pair };
    cloud.cut(one_way).await.unwrap();
    assert!(!connects(&cloud, Place::Hub, Place::Jishi, 6443).await);
    heals(&cloud).await;

    assert!(cloud.cut(Cut::pair(Place::Jishi, Place::Jishi)).await.is_err());
    assert!(cloud.cut(Cut::pair(Place::Jishi, Place::Baicheng)).await.is_err());

    cloud.clock(Place::Jishi, -90).unwrap();
    assert!(status(&cloud).contains("clock: jishi -90 s"));
    heals(&cloud).await;
}

/// Programs of a place cannot reach a server beside them, while everybody else does.
async fn the_place_itself(cloud: &Cloud) {
    let own = Cut {
        port: Some(6443),
        ..Cut::pair(Place::Jishi, Place::Jishi)
    };
    let beside = |within| answers(cloud, "jishi", Place::Jishi, within);
    cloud.fault(Fault::Delay(DELAY), own).await.unwrap();
    let begin = Instant::now();
    assert!(beside("30s").await);
    assert!(begin.elapsed() >= DELAY * 4, "{:?}", begin.elapsed());
    heals(cloud).await;
    cloud.fault(Fault::Blackhole, own).await.unwrap();
    assert!(!beside("2s").await);
    assert!(answers(cloud, "jishi", Place::Jiyidong, "10s").await, "from elsewhere");
    assert!(reads(cloud, "10s").await, "another server");
    assert!(status(cloud).contains("blackhole: jishi from jishi"));
    heals(cloud).await;
    assert!(beside("10s").await);
    assert!(cloud.cut(Cut { port: None, ..own }).await.is_err());
}

/// A connection that is older than a black hole hears nothing while it is there, and the answer afterwards.
async fn what_is_open_stays_open(cloud: &Cloud, pair: Cut) {
    let text = std::fs::read_to_string(cloud.dir().join("state.json")).unwrap();
    let recorded: serde_json::Value = serde_json::from_str(&text).unwrap();
    let netns = recorded.pointer("/places/jishi/netns").unwrap().as_str().unwrap();
    let netns = File::open(Path::new("/run/netns").join(netns)).unwrap();
    let target = SocketAddr::from((cloud.address(Place::Hub).unwrap(), 12381));
    let connect = move || {
        setns(netns, CloneFlags::CLONE_NEWNET).unwrap();
        TcpStream::connect(target).unwrap()
    };
    // Only this thread is in jishi.
    let mut stream = std::thread::spawn(connect).join().unwrap();
    cloud.fault(Fault::Blackhole, pair).await.unwrap();
    stream.write_all(b"GET /readyz HTTP/1.0\r\n\r\n").unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
    let silent = stream.read(&mut [0]).unwrap_err().kind();
    assert_eq!(silent, std::io::ErrorKind::WouldBlock, "open, and no answer");
    heals(cloud).await;
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    assert_eq!(stream.read(&mut [0]).unwrap(), 1, "what was held back arrives");
}

/// After a heal a program in jishi reads from the hub again, and nothing is left of the fault.
async fn heals(cloud: &Cloud) {
    cloud.heal(Some(Place::Jishi)).await.unwrap();
    assert!(reads(cloud, "10s").await);
    let status = status(cloud);
    let left = [
        "cut:",
        "drop:",
        "delay:",
        "blackhole:",
        "clock:",
        "delay-",
        "blackhole-",
    ];
    assert!(left.iter().all(|word| !status.contains(word)), "{status}");
}

fn status(cloud: &Cloud) -> String {
    let mut playground = std::process::Command::new(env!("CARGO_BIN_EXE_playground"));
    let output = playground.arg("--dir").arg(cloud.dir()).arg("status").output().unwrap();
    String::from_utf8(output.stdout).unwrap()
}

/// Whether a program in jishi gets an answer from the hub in that time.
async fn reads(cloud: &Cloud, within: &str) -> bool {
    answers(cloud, "hub", Place::Jishi, within).await
}

/// Whether a program in a place gets an answer from that cluster in that time.
async fn answers(cloud: &Cloud, cluster: &str, from: Place, within: &str) -> bool {
    let kubectl = cloud.tool("kubectl").unwrap().display().to_string();
    let config = format!("--kubeconfig={}", cloud.kubeconfig(cluster, None).unwrap().display());
    let within = format!("--request-timeout={within}");
    let args = [&config, "get", "--raw=/readyz", &within];
    cloud.exec(from, &kubectl, &args).await.unwrap().status.success()
}

/// Whether a program in a place can open a connection within five seconds.
async fn connects(cloud: &Cloud, from: Place, to: Place, port: u16) -> bool {
    let open = format!("exec 3<>/dev/tcp/{}/{port}", cloud.address(to).unwrap());
    let args = ["5", "bash", "-c", &open];
    cloud.exec(from, "timeout", &args).await.unwrap().status.success()
}

/// Whether a program in a place gets the metrics of another place's store.
async fn scrapes(cloud: &Cloud, from: Place, to: Place) -> bool {
    let get = format!(
        "exec 3<>/dev/tcp/{}/12381; printf 'GET /readyz HTTP/1.0\\r\\n\\r\\n' >&3; grep -q 200 <&3",
        cloud.address(to).unwrap()
    );
    cloud
        .exec(from, "timeout", &["5", "bash", "-c", &get])
        .await
        .unwrap()
        .status
        .success()
}
