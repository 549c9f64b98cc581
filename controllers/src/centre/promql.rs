//! One instant query of a Prometheus, or of the other one of a pair.

use std::time::Duration;

use crds::MetricSource;
use http::{Method, Request, StatusCode, header};
use http_body_util::{BodyExt as _, Limited};
use kube::client::Body;
use kube::{Client, Config};
use plan::centre::answer::AnswerError;

/// A question about a long window takes long; nobody waits for more than this.
const DEADLINE: Duration = Duration::from_secs(30);
/// Longest answer: ten thousand namespaces of a hundred bytes, and as much again for each of seven.
const LONGEST: usize = 8 << 20;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum AskError {
    /// The connection failed.
    #[error("{0}")]
    Client(#[from] kube::Error),
    /// The question cannot be sent.
    #[error("{0}")]
    Http(#[from] http::Error),
    /// Longer than [`LONGEST`], or broken off.
    #[error("the answer broke off: {0}")]
    Body(String),
    /// No answer in time.
    #[error("no answer within {DEADLINE:?}")]
    Timeout,
    /// Not understood.
    #[error("{0}")]
    Answer(#[from] AnswerError),
    /// Neither success nor an error in Prometheus's own words.
    #[error("status {0}")]
    Status(StatusCode),
}

/// The endpoints of a source. The one that answered last is asked first.
pub(super) struct Prometheus {
    clients: Vec<Client>,
}

impl Prometheus {
    /// Clients for each endpoint; an https one is verified against the machine's authorities. Nothing where an address cannot
    /// be used. The stack is kube's own, without its retries and without any credential.
    pub(super) fn new(source: &MetricSource) -> Option<Self> {
        let client = |endpoint: &String| {
            let mut config = Config::new(endpoint.parse().ok()?);
            config.default_retry = false;
            config.connect_timeout = Some(Duration::from_secs(3));
            Client::try_from(config).ok()
        };
        let clients: Vec<Client> = source.endpoints.iter().filter_map(client).collect();
        if clients.is_empty() {
            tracing::warn!(source = source.name, "no endpoint of the metric source can be used");
        }
        (!clients.is_empty()).then_some(Self { clients })
    }

    /// What the first endpoint says that says anything.
    ///
    /// # Errors
    /// Why the last one said nothing.
    pub(super) async fn ask(&mut self, query: &str) -> Result<Vec<u8>, AskError> {
        let mut last = Err(AskError::Timeout);
        for turn in 0..self.clients.len() {
            let Some(client) = self.clients.get(turn) else { break };
            last = match tokio::time::timeout(DEADLINE, once(client, query)).await {
                Ok(answer) => answer,
                Err(_) => Err(AskError::Timeout),
            };
            if last.is_ok() {
                self.clients.swap(0, turn);
                break;
            }
        }
        last
    }
}

async fn once(client: &Client, query: &str) -> Result<Vec<u8>, AskError> {
    let form = form_urlencoded::Serializer::new(String::new())
        .append_pair("query", query)
        .finish();
    // A query of this length is no part of an address.
    let request = Request::builder()
        .method(Method::POST)
        .uri("/api/v1/query")
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(Body::from(form.into_bytes()))?;
    let answer = client.send(request).await?;
    let status = answer.status();
    // What it refuses it explains in a body of the usual form.
    if !(status.is_success() || status == StatusCode::UNPROCESSABLE_ENTITY || status == StatusCode::BAD_REQUEST) {
        return Err(AskError::Status(status));
    }
    let body = Limited::new(answer.into_body(), LONGEST).collect().await;
    body.map(|b| b.to_bytes().to_vec())
        .map_err(|e| AskError::Body(e.to_string()))
}
