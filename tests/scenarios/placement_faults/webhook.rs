//! A webhook of somebody else that answers: a small server with TLS, in this process, that denies whatever it is asked.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{IpAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::Arc;

use anyhow::{Context as _, Result};
use playground::Place;
use rcgen::{CertificateParams, KeyPair};
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::{Value, json};

use crate::world::World;

/// Where it is asked, and who vouches for it.
pub(crate) struct Webhook {
    pub(crate) url: String,
    /// Its certificate, PEM; nobody signed it but itself.
    pub(crate) authority: String,
}

impl Webhook {
    /// One that jishi reaches, until this process ends.
    pub(crate) fn denying(w: &World, words: &'static str) -> Result<Self> {
        let address = seen_from(w.cloud.address(Place::Jishi)?)?;
        let listener = TcpListener::bind((address, 0))?;
        let url = format!("https://{}/", listener.local_addr()?);
        let key = KeyPair::generate()?;
        let certificate = CertificateParams::new([address.to_string()])?.self_signed(&key)?;
        let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(
                vec![certificate.der().clone()],
                PrivatePkcs8KeyDer::from(key.serialize_der()).into(),
            )?;
        let config = Arc::new(config);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if let Err(error) = answer(stream, &config, words) {
                    println!("the webhook was not understood: {error:#}");
                }
            }
        });
        Ok(Self {
            url,
            authority: certificate.pem(),
        })
    }
}

/// The address of this side of a connection to that one. Nothing is sent.
fn seen_from(address: IpAddr) -> Result<IpAddr> {
    let socket = UdpSocket::bind("0.0.0.0:0")?;
    socket.connect((address, 9))?;
    Ok(socket.local_addr()?.ip())
}

/// One question a connection.
fn answer(stream: TcpStream, config: &Arc<ServerConfig>, words: &str) -> Result<()> {
    let mut stream = StreamOwned::new(ServerConnection::new(Arc::clone(config))?, stream);
    let mut reader = BufReader::new(&mut stream);
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        if line.trim().is_empty() {
            break;
        }
        let header = line.to_lowercase();
        if let Some(value) = header.strip_prefix("content-length:") {
            length = value.trim().parse()?;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let review: Value = serde_json::from_slice(&body).context("no review")?;
    let response =
        json!({"uid": review["request"]["uid"], "allowed": false, "status": {"code": 403, "message": words}});
    let body =
        json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response}).to_string();
    write!(
        stream,
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )?;
    stream.conn.send_close_notify();
    Ok(stream.flush()?)
}
