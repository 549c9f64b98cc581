//! The real programs: built once from the Go modules in `tests/tools` and kept in the user's cache.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};

/// Stages of kwok's simulated nodes and pods, beside its binary.
pub(crate) const KWOK_STAGES: &str = "kwok-stages.yaml";

/// Version of Kubernetes in `tests/tools/kubernetes`.
pub(crate) const KUBERNETES_VERSION: &str = "v1.37.2";

/// Settings of every build. No workspace, no other toolchain, no C, no paths and no repository state in the result.
const ENVIRONMENT: [(&str, &str); 4] = [
    ("GOWORK", "off"),
    ("GOTOOLCHAIN", "local"),
    ("CGO_ENABLED", "0"),
    ("GOFLAGS", "-trimpath -buildvcs=false"),
];

/// Folders of the kwok module with the stages that are used.
const STAGE_FOLDERS: [&str; 3] = ["node/fast", "node/heartbeat-with-lease", "pod/fast"];

/// Programs that are built from one Go module.
struct Group {
    /// Folder under `tests/tools`.
    name: &'static str,
    flags: Vec<String>,
    /// File name and package of each program.
    programs: &'static [(&'static str, &'static str)],
}

fn groups() -> [Group; 5] {
    let mut link = "-s -w".to_owned();
    for package in ["k8s.io/component-base/version", "k8s.io/client-go/pkg/version"] {
        for (name, value) in [
            ("gitVersion", KUBERNETES_VERSION),
            ("gitMajor", "1"),
            ("gitMinor", "37"),
            ("gitTreeState", "clean"),
            ("buildDate", "1970-01-01T00:00:00Z"),
        ] {
            link.extend([" -X ", package, ".", name, "=", value]);
        }
    }
    let kwok = "-X sigs.k8s.io/kwok/pkg/consts.Version=v0.8.0";
    [
        Group {
            name: "kubernetes",
            flags: vec![
                "-tags".into(),
                "selinux,notest,grpcnotrace".into(),
                "-ldflags".into(),
                link,
            ],
            programs: &[
                ("kube-apiserver", "k8s.io/kubernetes/cmd/kube-apiserver"),
                (
                    "kube-controller-manager",
                    "k8s.io/kubernetes/cmd/kube-controller-manager",
                ),
                ("kube-scheduler", "k8s.io/kubernetes/cmd/kube-scheduler"),
                ("kubectl", "k8s.io/kubernetes/cmd/kubectl"),
            ],
        },
        Group {
            name: "etcd",
            flags: Vec::new(),
            programs: &[
                ("etcd", "go.etcd.io/etcd/server/v3"),
                ("etcdctl", "go.etcd.io/etcd/etcdctl/v3"),
                ("etcdutl", "go.etcd.io/etcd/etcdutl/v3"),
            ],
        },
        Group {
            name: "kwok",
            flags: vec!["-ldflags".into(), kwok.into()],
            programs: &[("kwok", "sigs.k8s.io/kwok/cmd/kwok")],
        },
        Group {
            name: "helm",
            flags: Vec::new(),
            programs: &[("helm", "helm.sh/helm/v4/cmd/helm")],
        },
        Group {
            name: "prometheus",
            // Every cloud's service discovery would double the build; targets here are a list.
            flags: vec!["-tags".into(), "netgo,remove_all_sd".into()],
            programs: &[
                ("prometheus", "github.com/prometheus/prometheus/cmd/prometheus"),
                ("promtool", "github.com/prometheus/prometheus/cmd/promtool"),
            ],
        },
    ]
}

impl Group {
    fn files(&self) -> impl Iterator<Item = &'static str> {
        let stages = (self.name == "kwok").then_some(KWOK_STAGES);
        self.programs.iter().map(|(file, _)| *file).chain(stages)
    }

    fn complete(&self, folder: &Path) -> bool {
        self.files().all(|file| folder.join(file).is_file())
    }

    /// Folder of the results, named after everything that they depend on.
    fn folder(&self, cache: &Path, sources: &Path) -> Result<PathBuf> {
        let mut hash = Sha256::new();
        for file in ["go.mod", "go.sum"] {
            let path = sources.join(self.name).join(file);
            hash.update(fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?);
        }
        for (name, value) in ENVIRONMENT {
            hash.update(format!("{name}={value}\n"));
        }
        hash.update(self.flags.join("\n"));
        hash.update(format!("{:?} {STAGE_FOLDERS:?}", self.programs));
        Ok(cache.join(hex(&hash.finalize())))
    }

    fn build(&self, sources: &Path, into: &Path) -> Result<()> {
        let begin = Instant::now();
        eprintln!("building {} (minutes the first time) …", self.name);
        let draft = into.with_extension("draft");
        if draft.exists() {
            fs::remove_dir_all(&draft).context("cannot remove an unfinished build")?;
        }
        fs::create_dir_all(&draft).with_context(|| format!("cannot create {}", draft.display()))?;
        let module = sources.join(self.name);
        for (file, package) in self.programs {
            let build = || {
                let mut go = go(&module);
                go.arg("build")
                    .args(&self.flags)
                    .arg("-o")
                    .arg(draft.join(file))
                    .arg(package);
                go.stdout(Stdio::null()).status().context(NO_GO)
            };
            let mut status = build()?;
            for _ in 1..TRIES {
                if !status.success() {
                    status = build()?;
                }
            }
            if !status.success() {
                bail!("`go build {package}` failed in {} ({status})", module.display());
            }
        }
        if self.name == "kwok" {
            fs::write(draft.join(KWOK_STAGES), stages(&module)?).context("cannot write kwok's stages")?;
        }
        fs::rename(&draft, into).with_context(|| format!("cannot move the build to {}", into.display()))?;
        eprintln!("built {} in {:.0} s", self.name, begin.elapsed().as_secs_f64());
        Ok(())
    }
}

/// How often a build is tried: a download may break off. What came of it stays.
const TRIES: u32 = 3;
const NO_GO: &str = "`go` is missing: install Go 1.26 (for example `apt-get install golang-go`, or go.dev/dl), \
                     or name a folder of ready binaries with --tools-dir";

fn go(module: &Path) -> Command {
    let mut go = Command::new("go");
    go.current_dir(module).envs(ENVIRONMENT).stdin(Stdio::null());
    go
}

/// The stage files of the kwok module, as one stream of documents.
fn stages(module: &Path) -> Result<String> {
    let output = go(module)
        .args(["list", "-m", "-f", "{{.Dir}}", "sigs.k8s.io/kwok"])
        .output()
        .context(NO_GO)?;
    let folder = PathBuf::from(String::from_utf8_lossy(&output.stdout).trim()).join("kustomize/stage");
    let mut all = String::new();
    for stage in STAGE_FOLDERS {
        let entries = fs::read_dir(folder.join(stage)).with_context(|| format!("kwok has no stages {stage}"))?;
        let mut files: Vec<PathBuf> = entries.map(|e| e.map(|e| e.path())).collect::<Result<_, _>>()?;
        files.retain(|f| f.extension().is_some_and(|e| e == "yaml") && !f.ends_with("kustomization.yaml"));
        files.sort();
        for file in files {
            all.push_str("---\n");
            all.push_str(&fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?);
        }
    }
    Ok(all)
}

/// Folder with every program and kwok's stages. Builds what is neither in the cache nor in `ready` (or the folder
/// that `KUBEBUILDER_ASSETS` names); blocks while it does, and shows progress on standard error.
pub fn ensure(ready: Option<&Path>) -> Result<PathBuf> {
    let ready = ready
        .map(Path::to_owned)
        .or_else(|| std::env::var_os("KUBEBUILDER_ASSETS").map(PathBuf::from));
    let sources = crate::repository().join("tests/tools");
    let cache = cache_dir()?;
    fs::create_dir_all(&cache).with_context(|| format!("cannot create {}", cache.display()))?;
    let _lock = lock(&cache.join("lock"))?;
    let mut links = Vec::new();
    for group in groups() {
        let folder = match &ready {
            Some(ready) if group.complete(ready) => std::path::absolute(ready)?,
            _ => {
                let folder = group.folder(&cache, &sources)?;
                if !group.complete(&folder) {
                    group.build(&sources, &folder)?;
                }
                folder
            }
        };
        links.extend(group.files().map(|file| (file, folder.join(file))));
    }
    link(&cache, &links)
}

/// One folder that shows the programs of all groups.
fn link(cache: &Path, links: &[(&str, PathBuf)]) -> Result<PathBuf> {
    let folder = cache.join(format!("all-{}", hex(&Sha256::digest(format!("{links:?}")))));
    fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    for (file, target) in links {
        let link = folder.join(file);
        if !link.exists() {
            // A dangling link of a cache that was cleared in part.
            let _ = fs::remove_file(&link);
            std::os::unix::fs::symlink(target, &link).with_context(|| format!("cannot link {}", link.display()))?;
        }
    }
    Ok(folder)
}

fn lock(path: &Path) -> Result<File> {
    let file = File::create(path).with_context(|| format!("cannot create {}", path.display()))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            eprintln!("waiting for another playground that builds the tools …");
            file.lock().context("cannot lock the cache")?;
        }
        Err(TryLockError::Error(e)) => return Err(e).context("cannot lock the cache"),
    }
    Ok(file)
}

fn cache_dir() -> Result<PathBuf> {
    let base = match (std::env::var_os("XDG_CACHE_HOME"), std::env::var_os("HOME")) {
        (Some(cache), _) if !cache.is_empty() => PathBuf::from(cache),
        (_, Some(home)) if !home.is_empty() => Path::new(&home).join(".cache"),
        _ => bail!("neither HOME nor XDG_CACHE_HOME is set: no place for the built tools"),
    };
    Ok(base.join("xiangyun/bin"))
}

/// The first 16 hexadecimal digits of a hash.
fn hex(hash: &[u8]) -> String {
    let first = hash
        .iter()
        .take(8)
        .fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
    format!("{first:016x}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_sum_or_group_means_another_folder() {
        let sources = std::env::temp_dir().join(format!("xy-tools-{}", std::process::id()));
        for group in groups() {
            fs::create_dir_all(sources.join(group.name)).unwrap();
            for file in ["go.mod", "go.sum"] {
                fs::write(sources.join(group.name).join(file), "same").unwrap();
            }
        }
        let folder = |i: usize| groups()[i].folder(Path::new("/c"), &sources).unwrap();
        let first = folder(0);
        assert_ne!(first, folder(1));
        assert_eq!(first, folder(0));
        fs::write(sources.join("kubernetes/go.sum"), "other").unwrap();
        assert_ne!(first, folder(0));
        fs::remove_dir_all(&sources).unwrap();
    }
}
