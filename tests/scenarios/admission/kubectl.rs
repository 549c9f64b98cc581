//! kubectl as a person or a program of the cloud.

use std::time::Duration;

use anyhow::ensure;
use playground::{Cloud, eventually};
use serde_json::Value;

/// How long a watch of the API server may take to show what was just written.
const SEEN: Duration = Duration::from_secs(30);

/// One user at one cluster.
#[derive(Clone, Copy)]
pub struct At<'a> {
    pub cloud: &'a Cloud,
    pub cluster: &'a str,
    /// The administrator if `None`.
    pub user: Option<&'a str>,
}

impl<'a> At<'a> {
    pub fn hub(cloud: &'a Cloud, user: &'a str) -> Self {
        Self {
            cloud,
            cluster: "hub",
            user: Some(user),
        }
    }

    pub fn admin(self) -> Self {
        Self { user: None, ..self }
    }

    /// What kubectl said: `Err` where it was refused.
    pub async fn says(self, args: &[&str]) -> Result<String, String> {
        let output = self.cloud.kubectl(self.cluster, self.user, args).await.unwrap();
        let [out, err] = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        if output.status.success() { Ok(out) } else { Err(err) }
    }

    pub async fn may(self, args: &[&str]) -> String {
        let said = self.says(args).await;
        said.unwrap_or_else(|said| panic!("{:?} {args:?}: {said}", self.user))
    }

    /// Must be refused in words that contain `part`.
    pub async fn may_not(self, args: &[&str], part: &str) {
        let said = self.says(args).await.expect_err(&format!("{:?} {args:?}", self.user));
        assert!(said.contains(part), "{:?} {args:?}: {said}", self.user);
    }

    /// As [`may_not`](Self::may_not), once the API server's own caches know what the refusal needs.
    pub async fn soon_may_not(self, args: &[&str], part: &str) -> String {
        let what = format!("{args:?} is refused");
        let refused = eventually(SEEN, &what, || async {
            let said = self.says(args).await;
            ensure!(said.as_ref().is_err_and(|said| said.contains(part)), "it said {said:?}");
            Ok(said.unwrap_err())
        });
        refused.await.unwrap()
    }

    pub async fn soon_may(self, args: &[&str]) -> String {
        let what = format!("{args:?} is accepted");
        let accepted = eventually(SEEN, &what, || async {
            self.says(args).await.map_err(anyhow::Error::msg)
        });
        accepted.await.unwrap()
    }

    /// Creates the object; the answer is what was stored.
    pub async fn creates(self, object: &Value) -> Value {
        let file = self.file(object);
        let made = self.may(&["create", "-o", "json", "-f", &file]).await;
        serde_json::from_str(&made).unwrap()
    }

    /// The same without storing it.
    pub async fn could_create(self, object: &Value) -> Value {
        let file = self.file(object);
        let made = self
            .may(&["create", "--dry-run=server", "-o", "json", "-f", &file])
            .await;
        serde_json::from_str(&made).unwrap()
    }

    pub async fn cannot_create(self, object: &Value, part: &str) {
        let file = self.file(object);
        self.may_not(&["create", "--dry-run=server", "-f", &file], part).await;
    }

    /// Merge patch of the status of a thing such as `rreq/ocr-2026`.
    pub async fn writes_status(self, thing: &str, namespace: &str, status: &Value) -> Result<String, String> {
        let patch = serde_json::json!({ "status": status }).to_string();
        let args = [
            "patch",
            thing,
            "-n",
            namespace,
            "--subresource=status",
            "--type=merge",
            "-p",
            &patch,
        ];
        self.says(&args).await
    }

    /// Path of a file with that object.
    pub fn file(self, object: &Value) -> String {
        let name = object["metadata"]["name"].as_str().unwrap();
        let path = self
            .cloud
            .dir()
            .join(format!("{}-{name}.json", object["kind"].as_str().unwrap()));
        std::fs::write(&path, object.to_string()).unwrap();
        path.to_str().unwrap().to_owned()
    }
}
