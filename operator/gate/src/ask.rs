//! The question to the agents. Plain HTTP, over TCP or a Unix socket: a client certificate is a later step, and until
//! then the way between a gate and its agents is to be kept to the cluster by a NetworkPolicy or a socket of the node.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;

use futures::stream::{FuturesUnordered, StreamExt as _};
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::{Duration, timeout};

use crate::answer::{Answer, Asking};

/// No node has so many pods that its answer is longer.
const LONGEST_ANSWER: usize = 1024 * 1024;

/// Why there is no answer. Nothing is extended then, and permits run out by themselves.
#[derive(Debug, Error)]
pub enum Unanswered {
    /// Not within the call timeout.
    #[error("no answer within {0} ms")]
    Late(u64),
    /// No connection, or a broken one.
    #[error("{0}")]
    Broken(String),
    /// An answer that is none.
    #[error("HTTP status {0}")]
    Status(u16),
    /// Not what an agent says.
    #[error("unreadable answer: {0}")]
    Unreadable(#[from] serde_json::Error),
}

/// Who can be asked how long the pods of this node may still communicate.
pub trait Ask {
    /// One question, one answer.
    ///
    /// # Errors
    /// Nobody answered in time.
    fn ask(&self, asking: Asking) -> impl Future<Output = Result<Answer, Unanswered>> + Send;
}

/// Where an agent listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Agent {
    /// `http://HOST:PORT`. A name is looked up for each question, and all of its addresses are asked.
    Tcp(String),
    /// `unix:/PATH`.
    Unix(PathBuf),
}

impl FromStr for Agent {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let port = |rest: &str| {
            rest.rsplit_once(':')
                .is_some_and(|(_, port)| port.parse::<u16>().is_ok())
        };
        match (text.strip_prefix("http://"), text.strip_prefix("unix:")) {
            (Some(rest), _) if port(rest) => Ok(Self::Tcp(rest.to_owned())),
            (_, Some(path)) if path.starts_with('/') => Ok(Self::Unix(path.into())),
            _ => Err(format!(
                "{text:?} is neither http://HOST:PORT nor unix:/PATH | 须为 http://主机:端口 或 unix:/路径"
            )),
        }
    }
}

impl fmt::Display for Agent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(host) => write!(f, "http://{host}"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// The agents of a centre over HTTP. All are asked at once; the first that answers counts.
#[derive(Clone, Debug)]
pub struct HttpAgents {
    agents: Vec<Agent>,
    path: String,
    call_ms: u64,
}

impl HttpAgents {
    /// The agents that node `node` asks, each for at most `call_ms` milliseconds.
    pub fn new(agents: Vec<Agent>, node: &str, call_ms: u64) -> Self {
        Self {
            agents,
            path: format!("/permits/{node}"),
            call_ms,
        }
    }

    async fn one(&self, agent: &Agent, path_and_query: &str) -> Result<Answer, Unanswered> {
        match agent {
            Agent::Unix(path) => {
                let stream = UnixStream::connect(path).await.map_err(broken)?;
                self.over(stream, "agent", path_and_query).await
            }
            Agent::Tcp(host) => {
                let addresses: Vec<SocketAddr> = tokio::net::lookup_host(host).await.map_err(broken)?.collect();
                let each = addresses.into_iter().map(async |address| {
                    let stream = TcpStream::connect(address).await.map_err(broken)?;
                    self.over(stream, host, path_and_query).await
                });
                first(each).await
            }
        }
    }

    async fn over(
        &self,
        stream: impl AsyncRead + AsyncWrite + Unpin,
        host: &str,
        path_and_query: &str,
    ) -> Result<Answer, Unanswered> {
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(broken)?;
        let request = http::Request::get(path_and_query)
            .header(http::header::HOST, host)
            .body(Empty::<Bytes>::new())
            .map_err(broken)?;
        let exchange = async {
            let response = sender.send_request(request).await.map_err(broken)?;
            let status = response.status();
            if !status.is_success() {
                return Err(Unanswered::Status(status.as_u16()));
            }
            let body = Limited::new(response.into_body(), LONGEST_ANSWER).collect().await;
            Ok(serde_json::from_slice(&body.map_err(broken)?.to_bytes())?)
        };
        // The connection is driven beside the exchange; whichever ends it first, the exchange has its answer or fails.
        let driven = async {
            drop(connection.await);
            std::future::pending().await
        };
        tokio::select! {
            biased;
            answer = exchange => answer,
            never = driven => never,
        }
    }
}

fn broken(error: impl fmt::Display) -> Unanswered {
    Unanswered::Broken(error.to_string())
}

/// The first answer, or the last failure.
async fn first(
    questions: impl IntoIterator<Item = impl Future<Output = Result<Answer, Unanswered>>>,
) -> Result<Answer, Unanswered> {
    let mut open: FuturesUnordered<_> = questions.into_iter().collect();
    let mut last = Unanswered::Broken("there is nobody to ask".to_owned());
    while let Some(answer) = open.next().await {
        match answer {
            Ok(answer) => return Ok(answer),
            Err(error) => last = error,
        }
    }
    Err(last)
}

impl Ask for HttpAgents {
    async fn ask(&self, Asking { record, ready }: Asking) -> Result<Answer, Unanswered> {
        let record = record.map(|number| format!("&record={number}")).unwrap_or_default();
        let question = format!("{}?ready={ready}{record}", self.path);
        let all = first(self.agents.iter().map(|agent| self.one(agent, &question)));
        let limit = Duration::from_millis(self.call_ms);
        timeout(limit, all).await.unwrap_or(Err(Unanswered::Late(self.call_ms)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agents_are_named_by_address() {
        assert_eq!(
            "http://198.18.0.5:9403".parse(),
            Ok(Agent::Tcp("198.18.0.5:9403".into()))
        );
        assert_eq!("http://[fd00::5]:9403".parse(), Ok(Agent::Tcp("[fd00::5]:9403".into())));
        assert_eq!("unix:/run/a.sock".parse(), Ok(Agent::Unix("/run/a.sock".into())));
        for bad in ["198.18.0.5:9403", "http://198.18.0.5", "https://a:1", "unix:a.sock", ""] {
            assert!(bad.parse::<Agent>().is_err(), "{bad}");
        }
    }

    #[tokio::test]
    async fn the_first_that_answers_counts() {
        type Question = std::pin::Pin<Box<dyn Future<Output = Result<Answer, Unanswered>>>>;
        let silent = || async { std::future::pending().await };
        let fails = || async { Err(Unanswered::Status(503)) };
        let answers = || async { Ok(Answer::default()) };
        let all: Vec<Question> = vec![Box::pin(silent()), Box::pin(fails()), Box::pin(answers())];
        assert!(first(all).await.is_ok());
        let all: Vec<Question> = vec![Box::pin(fails())];
        assert!(matches!(first(all).await, Err(Unanswered::Status(503))));
    }
}
