//! One notice to one address: posted, signed, and over within a few seconds.

use std::fmt::Write as _;
use std::time::Duration;

use http::{Method, Request, StatusCode, Uri, header, uri};
use kube::client::Body;
use kube::{Client, Config};
use ring::hmac;

/// No contact is waited for longer.
const DEADLINE: Duration = Duration::from_secs(5);
/// HMAC-SHA256 of the body under the shared key, in hexadecimal digits.
const SIGNATURE: &str = "X-Xiangyun-Signature";
/// The same for each try of one notice.
const DELIVERY: &str = "X-Xiangyun-Delivery";

/// Why a notice was not taken.
#[derive(Debug, thiserror::Error)]
pub(super) enum SendError {
    /// It is no address of a web server.
    #[error("the address is no http or https address")]
    Address,
    /// The notice cannot be sent there.
    #[error("{0}")]
    Http(#[from] http::Error),
    /// The connection failed.
    #[error("{0}")]
    Client(#[from] kube::Error),
    /// It was not taken.
    #[error("status {0}")]
    Status(StatusCode),
    /// No answer in time; it may have been taken.
    #[error("no answer within {DEADLINE:?}")]
    Timeout,
}

/// What notices are signed with.
pub(super) struct Key(hmac::Key);

impl Key {
    pub(super) fn new(bytes: &[u8]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, bytes))
    }

    /// `sha256=` and the digest.
    fn sign(&self, body: &[u8]) -> String {
        let digest = hmac::sign(&self.0, body);
        digest.as_ref().iter().fold("sha256=".to_owned(), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
    }
}

/// What is posted where.
pub(super) struct Notice<'a> {
    pub to: &'a str,
    pub id: String,
    pub body: String,
}

/// Posts it. Whatever is not a success was not taken; redirections are not followed, because they are not signed for.
///
/// # Errors
/// See [`SendError`].
pub(super) async fn post(key: &Key, notice: Notice<'_>) -> Result<(), SendError> {
    let (server, path) = address(notice.to)?;
    let mut config = Config::new(server);
    config.default_retry = false;
    config.connect_timeout = Some(DEADLINE);
    // The stack is kube's own, without its retries and without any credential; https is verified against the machine's
    // authorities.
    let client = Client::try_from(config)?;
    let request = Request::builder()
        .method(Method::POST)
        .uri(path)
        .header(header::CONTENT_TYPE, "application/json; charset=utf-8")
        .header(SIGNATURE, key.sign(notice.body.as_bytes()))
        .header(DELIVERY, notice.id)
        .body(Body::from(notice.body.into_bytes()))?;
    let answer = tokio::time::timeout(DEADLINE, client.send(request)).await;
    let status = answer.map_err(|_| SendError::Timeout)??.status();
    if status.is_success() {
        Ok(())
    } else {
        Err(SendError::Status(status))
    }
}

/// The server, and what is asked of it.
fn address(text: &str) -> Result<(Uri, uri::PathAndQuery), SendError> {
    let parts = text.parse::<Uri>().map_err(|_| SendError::Address)?.into_parts();
    let (Some(scheme), Some(authority)) = (parts.scheme, parts.authority) else {
        return Err(SendError::Address);
    };
    if scheme != uri::Scheme::HTTP && scheme != uri::Scheme::HTTPS {
        return Err(SendError::Address);
    }
    let path = parts
        .path_and_query
        .unwrap_or_else(|| uri::PathAndQuery::from_static("/"));
    let server = Uri::builder()
        .scheme(scheme)
        .authority(authority)
        .path_and_query("/")
        .build()?;
    Ok((server, path))
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;

    #[test]
    fn a_signature_is_that_of_rfc_4231() {
        let key = Key::new(b"Jefe");
        let expected = "sha256=5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
        assert_eq!(key.sign(b"what do ya want for nothing?"), expected);
    }

    #[test]
    fn only_web_servers_are_told() {
        let (server, path) = address("https://a.jl.gov.cn:8443/hook?x=1").unwrap();
        assert_eq!(
            (server.to_string().as_str(), path.as_str()),
            ("https://a.jl.gov.cn:8443/", "/hook?x=1")
        );
        assert_eq!(address("http://a").unwrap().1.as_str(), "/");
        for other in ["ftp://a/b", "/b", "file:///etc/passwd", "a b"] {
            assert!(address(other).is_err(), "{other}");
        }
    }

    /// Answers one request with that status, and says what came.
    async fn server(status: &'static str) -> (String, tokio::task::JoinHandle<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let to = format!("http://{}/hook?x=1", listener.local_addr().unwrap());
        let heard = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut text = String::new();
            while !text.ends_with('}') {
                let mut bytes = [0; 4096];
                let n = stream.read(&mut bytes).await.unwrap();
                text.push_str(std::str::from_utf8(&bytes[..n]).unwrap());
            }
            let answer = format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n");
            stream.write_all(answer.as_bytes()).await.unwrap();
            text
        });
        (to, heard)
    }

    fn notice<'a>(to: &'a str, body: &str) -> Notice<'a> {
        Notice {
            to,
            id: "u1/Begun".to_owned(),
            body: body.to_owned(),
        }
    }

    #[tokio::test]
    async fn what_is_posted_is_signed_and_what_is_refused_is_said() {
        let key = Key::new(b"secret");
        let body = r#"{"a": "云"}"#.to_owned();
        let signature = key.sign(body.as_bytes());
        let (to, heard) = server("204 No Content").await;
        post(&key, notice(&to, &body)).await.unwrap();
        let heard = heard.await.unwrap();
        assert!(heard.starts_with("POST /hook?x=1 HTTP/1.1\r\n"), "{heard}");
        let headers = heard.to_lowercase();
        assert!(
            headers.contains(&format!("x-xiangyun-signature: {signature}")),
            "{heard}"
        );
        assert!(headers.contains("x-xiangyun-delivery: u1/begun"), "{heard}");
        assert!(heard.ends_with(&body), "{heard}");
        for status in ["302 Found", "500 Oops"] {
            let (to, _heard) = server(status).await;
            assert!(
                matches!(post(&key, notice(&to, &body)).await, Err(SendError::Status(_))),
                "{status}"
            );
        }
    }
}
