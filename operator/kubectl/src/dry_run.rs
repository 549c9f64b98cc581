//! What the server would say to `kubectl apply`, without storing anything.

use crds::ResourceRequest;
use http::header::CONTENT_TYPE;
use kube::Resource as _;
use serde_json::{Value, json};

use crate::connect::{Hub, within};
use crate::document::text_at;
use crate::failure::{Failure, refusals};
use crate::lang::both;

/// As `kubectl apply` asks: an unknown field is refused, not dropped.
const PARAMETERS: &str = "dryRun=All&fieldValidation=Strict&fieldManager=kubectl-xiangyun";

/// The server's answer; a request as the server would have stored it.
#[derive(Debug)]
pub enum Answer {
    /// It would be created.
    New(Box<ResourceRequest>),
    /// One of that name exists and would stay as it is.
    Unchanged(Box<ResourceRequest>),
    /// Refused, one line a cause, `English | 中文`.
    Refused(Vec<String>),
}

/// Creates the document in a dry run, or changes the one that exists.
///
/// # Errors
/// The hub is not reachable.
pub async fn dry_run(hub: &Hub, namespace: &str, document: &Value) -> Result<Answer, Failure> {
    let path = ResourceRequest::url_path(&(), Some(namespace));
    let create = http::Request::post(format!("{path}?{PARAMETERS}"))
        .header(CONTENT_TYPE, "application/json")
        .body(document.to_string().into_bytes());
    match send(hub, create).await? {
        Sent::Accepted(request) => Ok(Answer::New(request)),
        Sent::Refused(words) => Ok(Answer::Refused(words)),
        Sent::Exists => change(hub, &path, document).await,
    }
}

async fn change(hub: &Hub, path: &str, document: &Value) -> Result<Answer, Failure> {
    let name = text_at(document, "/metadata/name");
    let body = json!({"spec": document.get("spec")}).to_string().into_bytes();
    let update = http::Request::patch(format!("{path}/{name}?{PARAMETERS}"))
        .header(CONTENT_TYPE, "application/merge-patch+json")
        .body(body);
    Ok(match send(hub, update).await? {
        Sent::Accepted(request) => Answer::Unchanged(request),
        Sent::Refused(words) => Answer::Refused(words),
        Sent::Exists => Answer::Refused(vec![both(
            format!("rreq/{name} changed meanwhile"),
            format!("rreq/{name} 已被修改"),
        )]),
    })
}

enum Sent {
    Accepted(Box<ResourceRequest>),
    Refused(Vec<String>),
    Exists,
}

async fn send(hub: &Hub, request: Result<http::Request<Vec<u8>>, http::Error>) -> Result<Sent, Failure> {
    let request = request.map_err(|e| Failure::Usage(e.to_string()))?;
    let call = async {
        match hub.client.request::<ResourceRequest>(request).await {
            Ok(accepted) => Ok(Sent::Accepted(Box::new(accepted))),
            Err(kube::Error::Api(status)) if status.reason == "AlreadyExists" => Ok(Sent::Exists),
            Err(kube::Error::Api(status)) => Ok(Sent::Refused(refusals(&status))),
            Err(e) => Err(e),
        }
    };
    within(call).await
}
