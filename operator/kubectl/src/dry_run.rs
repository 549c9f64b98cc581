//! What the server would say to `kubectl apply`, without storing anything.

use crds::ResourceRequest;
use http::header::CONTENT_TYPE;
use k8s_openapi::api::authorization::v1::{ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec};
use kube::api::PostParams;
use kube::{Api, Resource as _};
use serde::Deserialize as _;
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
    /// The user may not create requests there: as it stands in the file, judged by no rule of the server.
    Unasked(Box<ResourceRequest>),
    /// Refused, one line a cause, `English | 中文`.
    Refused(Vec<String>),
}

/// Creates the document in a dry run, or changes the one that exists.
///
/// # Errors
/// The hub is not reachable, or the document of one who may not create it cannot be read.
pub async fn dry_run(hub: &Hub, namespace: &str, document: &Value) -> Result<Answer, Failure> {
    let path = ResourceRequest::url_path(&(), Some(namespace));
    let create = http::Request::post(format!("{path}?{PARAMETERS}"))
        .header(CONTENT_TYPE, "application/json")
        .body(document.to_string().into_bytes());
    match send(hub, create).await? {
        Sent::Accepted(request) => Ok(Answer::New(request)),
        Sent::Forbidden(_) if !may_create(hub, namespace).await? => as_written(document),
        Sent::Refused(words) | Sent::Forbidden(words) => Ok(Answer::Refused(words)),
        Sent::Exists => change(hub, &path, document).await,
    }
}

/// Whether it was the user's role that said no, or a rule about the request.
async fn may_create(hub: &Hub, namespace: &str) -> Result<bool, Failure> {
    let attributes = ResourceAttributes {
        group: Some(ResourceRequest::group(&()).into_owned()),
        resource: Some(ResourceRequest::plural(&()).into_owned()),
        namespace: Some(namespace.to_owned()),
        verb: Some("create".to_owned()),
        ..ResourceAttributes::default()
    };
    let review = SelfSubjectAccessReview {
        spec: SelfSubjectAccessReviewSpec {
            resource_attributes: Some(attributes),
            ..SelfSubjectAccessReviewSpec::default()
        },
        ..SelfSubjectAccessReview::default()
    };
    let api: Api<SelfSubjectAccessReview> = Api::all(hub.client.clone());
    let answer = within(api.create(&PostParams::default(), &review)).await?;
    Ok(answer.status.is_some_and(|s| s.allowed))
}

fn as_written(document: &Value) -> Result<Answer, Failure> {
    let request = ResourceRequest::deserialize(document).map_err(|e| {
        Failure::Usage(both(
            format!("the ResourceRequest cannot be read: {e}"),
            format!("ResourceRequest 格式有误：{e}"),
        ))
    })?;
    Ok(Answer::Unasked(Box::new(request)))
}

async fn change(hub: &Hub, path: &str, document: &Value) -> Result<Answer, Failure> {
    let name = text_at(document, "/metadata/name");
    let body = json!({"spec": document.get("spec")}).to_string().into_bytes();
    let update = http::Request::patch(format!("{path}/{name}?{PARAMETERS}"))
        .header(CONTENT_TYPE, "application/merge-patch+json")
        .body(body);
    Ok(match send(hub, update).await? {
        Sent::Accepted(request) => Answer::Unchanged(request),
        Sent::Refused(words) | Sent::Forbidden(words) => Answer::Refused(words),
        Sent::Exists => Answer::Refused(vec![both(
            format!("rreq/{name} changed meanwhile"),
            format!("rreq/{name} 已被修改"),
        )]),
    })
}

enum Sent {
    Accepted(Box<ResourceRequest>),
    Refused(Vec<String>),
    Forbidden(Vec<String>),
    Exists,
}

async fn send(hub: &Hub, request: Result<http::Request<Vec<u8>>, http::Error>) -> Result<Sent, Failure> {
    let request = request.map_err(|e| Failure::Usage(e.to_string()))?;
    let call = async {
        match hub.client.request::<ResourceRequest>(request).await {
            Ok(accepted) => Ok(Sent::Accepted(Box::new(accepted))),
            Err(kube::Error::Api(status)) if status.reason == "AlreadyExists" => Ok(Sent::Exists),
            Err(kube::Error::Api(status)) if status.code == 403 => Ok(Sent::Forbidden(refusals(&status))),
            Err(kube::Error::Api(status)) => Ok(Sent::Refused(refusals(&status))),
            Err(e) => Err(e),
        }
    };
    within(call).await
}
