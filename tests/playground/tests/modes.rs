//! The same cloud for everybody: on loopback, and rootless in a user namespace, as an ordinary user would start it.

#![expect(clippy::unwrap_used, reason = "an assumption that fails is a test that fails")]

use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use playground::{Cloud, Fault, Mode, Options, Place};
use serde_json::Value;

/// nobody, on every Linux.
const NOBODY: u32 = 65534;

#[tokio::test(flavor = "multi_thread")]
async fn two_clouds_on_loopback_side_by_side() {
    let options = || Options {
        mode: Mode::Loopback,
        operators: false,
        ..Options::default()
    };
    let (one, two) = tokio::join!(Cloud::up(options()), Cloud::up(options()));
    let (one, two) = (one.unwrap(), two.unwrap());
    for cloud in [&one, &two] {
        let made = cloud
            .kubectl("hub", None, &["create", "configmap", "own"])
            .await
            .unwrap();
        assert!(made.status.success(), "{made:?}");
    }
    let refused = one
        .fault(Fault::Cut, playground::Cut::off(Place::Jishi))
        .await
        .unwrap_err();
    assert!(refused.to_string().contains("--net netns"), "{refused}");
    one.kill("apiserver@jishi").await.unwrap();
    one.heal(None).await.unwrap();
    let dir = one.dir().to_owned();
    drop(one);
    assert!(!dir.exists());
    let kept = two.kubectl("hub", None, &["get", "configmap", "own"]).await.unwrap();
    assert!(kept.status.success(), "{kept:?}");
}

/// What an ordinary user has: a home, the programs, the charts. Removed at the end.
struct Home(PathBuf);

impl Home {
    fn new() -> Self {
        let home = Self(std::env::temp_dir().join(format!("xy-nobody-{}", std::process::id())));
        std::fs::create_dir_all(&home.0).unwrap();
        std::fs::set_permissions(&home.0, std::fs::Permissions::from_mode(0o755)).unwrap();
        chown(&home.0, Some(NOBODY), Some(NOBODY)).unwrap();
        let charts = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../charts");
        let tools = playground::tools(None).unwrap();
        for (from, to) in [
            (tools.as_path(), "tools"),
            (charts.as_path(), "charts"),
            (Path::new(env!("CARGO_BIN_EXE_playground")), "playground"),
        ] {
            // Followed links: neither the cache nor the checkout need be readable to others.
            let copied = Command::new("cp")
                .arg("-rL")
                .arg(from)
                .arg(home.0.join(to))
                .status()
                .unwrap();
            assert!(copied.success());
        }
        home
    }

    fn playground(&self, args: &[&str]) -> Output {
        let ids = ["--reuid=65534", "--regid=65534", "--clear-groups", "--"];
        let mut command = Command::new("setpriv");
        command
            .args(ids)
            .arg(self.0.join("playground"))
            .arg("--dir")
            .arg(self.0.join("cloud"));
        command
            .args(args)
            .env("HOME", &self.0)
            .env_remove("XDG_RUNTIME_DIR")
            .env_remove("XDG_CACHE_HOME");
        command.current_dir(&self.0).output().unwrap()
    }

    fn says(&self, args: &[&str]) -> String {
        let output = self.playground(args);
        let err = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{args:?}: {err}");
        String::from_utf8(output.stdout).unwrap()
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        // Already down, unless an assumption failed.
        let _ = self.playground(&["down"]);
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Some machines forbid it; then the playground has to say so.
fn ordinary_users_may_make_namespaces() -> bool {
    let ids = ["--reuid=65534", "--regid=65534", "--clear-groups", "--"];
    let mut probe = Command::new("setpriv");
    probe
        .args(ids)
        .args(["unshare", "--user", "--map-root-user", "--net", "--mount", "true"]);
    probe.output().unwrap().status.success()
}

#[test]
fn an_ordinary_user_has_a_cloud_with_network_faults() {
    let home = Home::new();
    let (tools, charts) = (home.0.join("tools"), home.0.join("charts"));
    let [tools, charts] = [&tools, &charts].map(|p| p.display().to_string());
    let up = ["up", "--no-operator", "--tools-dir", &tools, "--charts", &charts];
    if !ordinary_users_may_make_namespaces() {
        let refused = home.playground(&up);
        let said = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert!(!refused.status.success() && said.contains("--net loopback"), "{said}");
        return;
    }
    home.says(&up);
    let state: Value = serde_json::from_str(&home.says(&["status", "-o", "json"])).unwrap();
    assert_eq!(state.pointer("/mode").unwrap(), "rootless");
    assert!(
        home.says(&["shell", "--", "kubectl", "get", "namespaces"])
            .contains("xiangyun-system")
    );
    home.says(&["fault", "cut", "jishi"]);
    assert!(home.says(&["status"]).contains("cut: jishi from hub"));
    let cut = home.playground(&[
        "exec",
        "jishi",
        "--",
        "timeout",
        "2",
        "bash",
        "-c",
        "exec 3<>/dev/tcp/198.18.1.10/7443",
    ]);
    assert!(!cut.status.success());
    home.says(&["heal"]);
    home.says(&[
        "exec",
        "jishi",
        "--",
        "timeout",
        "5",
        "bash",
        "-c",
        "exec 3<>/dev/tcp/198.18.1.10/7443",
    ]);
    home.says(&["down"]);
    assert!(!home.0.join("cloud").exists());
    let pid = state.pointer("/supervisor").unwrap().as_u64().unwrap();
    let line = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    assert!(
        line.is_empty() || line.contains(") Z "),
        "the supervisor is still there: {line}"
    );
}
