//! What the API servers saw: their audit logs, which hold every write, and their own figures.

use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::PathBuf;

use anyhow::{Context as _, Result, ensure};
use http::Request;
use playground::eventually;
use serde_json::Value;

use crate::stage::NS;
use crate::world::{PATIENCE, World};

/// One write, as the audit log of a server has it.
#[derive(Clone, Debug)]
pub(crate) struct Write {
    user: String,
    verb: String,
    namespace: String,
    resource: String,
    pub(crate) name: String,
    subresource: bool,
    code: i64,
}

/// The audit log of one server from some moment on.
pub(crate) struct Witness {
    path: PathBuf,
    from: u64,
}

impl Witness {
    /// From now on. `cluster` is a centre, or `hub@PLACE` for one of the hub's servers.
    pub(crate) fn of(w: &World, cluster: &str) -> Result<Self> {
        let path = w.cloud.audit_log(cluster)?;
        let from = std::fs::metadata(&path)
            .with_context(|| path.display().to_string())?
            .len();
        Ok(Self { path, from })
    }

    /// All writes so far.
    fn writes(&self) -> Result<Vec<Write>> {
        let mut file = std::fs::File::open(&self.path)?;
        file.seek(SeekFrom::Start(self.from))?;
        let mut text = String::new();
        file.read_to_string(&mut text)?;
        // The last line may be under way.
        let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
        whole.lines().map(read).collect()
    }

    /// Those of one user in the department's namespace.
    pub(crate) fn by(&self, user: &str) -> Result<Vec<Write>> {
        let mut writes = self.writes()?;
        writes.retain(|write| write.user == user && write.namespace == NS);
        Ok(writes)
    }

    /// How often a program renewed its lease.
    pub(crate) fn renewals(&self, user: &str) -> Result<usize> {
        let writes = self.writes()?;
        let renewed = |w: &&Write| w.user == user && w.resource == "leases" && w.code == 200;
        Ok(writes.iter().filter(renewed).count())
    }

    /// Waits until a program that had to be at work all the time has renewed its lease so often, which is a clock of the
    /// server's own.
    pub(crate) async fn renewed(&self, user: &str, times: usize) -> Result<()> {
        eventually(PATIENCE, &format!("{user} renews its lease {times} times"), || async {
            let renewed = self.renewals(user)?;
            ensure!(renewed >= times, "{renewed}");
            Ok(())
        })
        .await
    }
}

fn read(line: &str) -> Result<Write> {
    let event: Value = serde_json::from_str(line).with_context(|| line.to_owned())?;
    let text = |pointer: &str| {
        let found = event.pointer(pointer).and_then(Value::as_str);
        found.unwrap_or_default().to_owned()
    };
    Ok(Write {
        user: text("/user/username"),
        verb: text("/verb"),
        namespace: text("/objectRef/namespace"),
        resource: text("/objectRef/resource"),
        name: text("/objectRef/name"),
        subresource: event.pointer("/objectRef/subresource").is_some(),
        code: event["responseStatus"]["code"].as_i64().unwrap_or_default(),
    })
}

impl Write {
    /// Whether it was a change of an object of that kind, its status apart, that was stored.
    pub(crate) fn stored(&self, resource: &str) -> bool {
        self.resource == resource && !self.subresource && (200..300).contains(&self.code)
    }

    pub(crate) fn refused(&self, code: i64) -> bool {
        self.code == code
    }

    pub(crate) fn deletes(&self) -> bool {
        self.verb.starts_with("delete")
    }

    pub(crate) fn is_of(&self, resource: &str, name: &str) -> bool {
        self.resource == resource && self.name == name
    }
}

/// The user of a centre's agents.
pub(crate) fn agent(centre: &str) -> String {
    format!("xiangyun:centre:{centre}")
}

/// Sum of the samples of one name at a server's /metrics whose labels contain `label`.
pub(crate) async fn figure(client: &kube::Client, name: &str, label: &str) -> Result<f64> {
    let text = client.request_text(Request::get("/metrics").body(Vec::new())?).await?;
    let samples = text
        .lines()
        .filter(|line| line.strip_prefix(name).is_some_and(|rest| rest.starts_with('{')));
    let values = samples
        .filter(|line| line.contains(label))
        .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok());
    Ok(values.sum())
}
