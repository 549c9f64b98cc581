//! What a Prometheus answers to an instant query.

use std::collections::BTreeMap;

use serde::Deserialize;

/// Why an answer says nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AnswerError {
    /// Not what Prometheus answers.
    #[error("not an answer of Prometheus: {0}")]
    Unreadable(String),
    /// It says that it failed.
    #[error("Prometheus: {0}")]
    Refused(String),
}

#[derive(Deserialize)]
struct Envelope {
    status: String,
    error: Option<String>,
    data: Option<Data>,
}

#[derive(Deserialize)]
struct Data {
    result: Vec<Series>,
}

/// A series of the answer.
#[derive(Debug, Deserialize)]
pub struct Series {
    /// Its labels.
    #[serde(default)]
    pub metric: BTreeMap<String, String>,
    value: (f64, String),
}

impl Series {
    /// Its value times `unit`, rounded up: what is above nothing stays above it. `None`: no number, a negative or a huge one.
    pub fn value(&self, unit: f64) -> Option<i128> {
        rounded_up(self.value.1.parse::<f64>().ok()? * unit)
    }
}

/// The series of an answer.
///
/// # Errors
/// It is no answer, or says that it failed.
pub fn read(answer: &[u8]) -> Result<Vec<Series>, AnswerError> {
    let envelope: Envelope = serde_json::from_slice(answer).map_err(|e| AnswerError::Unreadable(e.to_string()))?;
    match envelope.data.filter(|_| envelope.status == "success") {
        Some(data) => Ok(data.result),
        None => Err(AnswerError::Refused(envelope.error.unwrap_or(envelope.status))),
    }
}

/// Up to 2^53, which a float has exactly: 9 PB, and nine billion vCPU in thousandths.
#[allow(clippy::cast_possible_truncation, reason = "in bounds, as checked before")]
fn rounded_up(value: f64) -> Option<i128> {
    (value.is_finite() && (0.0..=9_007_199_254_740_992.0).contains(&value)).then(|| value.ceil() as i128)
}
