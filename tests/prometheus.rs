//! Questions to a cloud's Prometheus.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use kube::Client;
use playground::{Cloud, eventually};
use serde_json::Value;

/// What `/api/v1/PATH` answers to a query.
///
/// # Errors
/// No answer, or one that is not `success`.
pub async fn ask(prometheus: &Client, path: &str, query: &str) -> Result<Value> {
    let form = form_urlencoded::Serializer::new(String::new())
        .append_pair("query", query)
        .finish();
    let request = http::Request::get(format!("/api/v1/{path}?{form}")).body(Vec::new())?;
    let answer: Value = prometheus.request(request).await.with_context(|| query.to_owned())?;
    ensure!(
        answer.get("status").and_then(Value::as_str) == Some("success"),
        "{query}: {answer}"
    );
    Ok(answer.get("data").cloned().unwrap_or_default())
}

/// The rows of an instant query.
///
/// # Errors
/// See [`ask`].
pub async fn rows(prometheus: &Client, query: &str) -> Result<Vec<Value>> {
    let data = ask(prometheus, "query", query).await?;
    Ok(data
        .get("result")
        .and_then(Value::as_array)
        .cloned()
        .unwrap_or_default())
}

/// The value of the first row, where there is one.
///
/// # Errors
/// See [`ask`].
pub async fn value(prometheus: &Client, query: &str) -> Result<Option<f64>> {
    let rows = rows(prometheus, query).await?;
    let first = rows
        .first()
        .and_then(|row| row.pointer("/value/1")?.as_str()?.parse().ok());
    Ok(first)
}

/// Waits until no target of that selector was up for a whole window, such as `3m`.
///
/// # Errors
/// The deadline passed.
pub async fn was_down(cloud: &Cloud, selector: &str, window: &str, deadline: Duration) -> Result<()> {
    let query = format!("max(max_over_time(up{{{selector}}}[{window}]))");
    eventually(deadline, &format!("{selector} was down for {window}"), || async {
        let up = value(&cloud.prometheus()?, &query).await?;
        ensure!(up == Some(0.0), "{query} is {up:?}");
        Ok(())
    })
    .await
}
