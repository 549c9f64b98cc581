//! What can go wrong, in words, with the exit code for it.

use kube::core::Status;

use crate::lang::{Lang, both};

/// Why a command did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The server said no.
    #[error("{0}")]
    Refused(String),
    /// The command line or the file cannot be worked with.
    #[error("{0}")]
    Usage(String),
    /// What was named does not exist.
    #[error("{0}")]
    NotFound(String),
    /// The server cannot be reached.
    #[error("{0}")]
    Unreachable(String),
}

impl Failure {
    /// The exit code, as `--help` lists it.
    pub fn code(&self) -> u8 {
        match self {
            Self::Refused(_) => 1,
            Self::Usage(_) => 2,
            Self::NotFound(_) | Self::Unreachable(_) => 3,
        }
    }

    /// What to print after `error: `.
    pub fn in_words(&self, lang: Lang) -> String {
        let (Self::Refused(text) | Self::Usage(text) | Self::NotFound(text) | Self::Unreachable(text)) = self;
        text.lines().map(|line| lang.half(line)).collect::<Vec<_>>().join("\n")
    }

    /// The same, said of that place and not of the hub. What cannot be read there is out of reach, whatever the reason.
    #[must_use]
    pub fn at(self, place: &str) -> Self {
        let [en, zh] = [Lang::En, Lang::Zh].map(|lang| format!("{place}: {}", self.in_words(lang)));
        Self::Unreachable(both(en, zh))
    }

    /// No answer within the deadline.
    pub fn silent(seconds: u64) -> Self {
        Self::Unreachable(both(
            format!("no answer from the hub within {seconds} s; check the network and try again"),
            format!("省级控制面{seconds}秒内无响应，请检查网络后重试"),
        ))
    }
}

impl From<kube::Error> for Failure {
    fn from(error: kube::Error) -> Self {
        match error {
            kube::Error::Api(status) if status.code == 404 => Self::NotFound(status.message),
            kube::Error::Api(status) => Self::Refused(refusals(&status).join("\n")),
            other => Self::Unreachable(both(
                format!("the hub cannot be reached: {}", chain(&other)),
                format!("无法连接省级控制面：{}", chain(&other)),
            )),
        }
    }
}

/// An error and its causes, once each.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let words = cause.to_string();
        if !text.contains(&words) {
            text = format!("{text}: {words}");
        }
        next = cause.source();
    }
    text
}

/// What the server refused, one line a cause, without what only repeats which object was meant.
pub fn refusals(status: &Status) -> Vec<String> {
    let causes = status
        .details
        .iter()
        .flat_map(|d| &d.causes)
        .filter(|c| !c.message.is_empty());
    let mut lines: Vec<String> = causes.map(|c| cause(&c.field, &c.message)).collect();
    lines.dedup();
    if lines.is_empty() {
        vec![without_policy(&status.message)]
    } else {
        lines
    }
}

fn cause(field: &str, message: &str) -> String {
    let message = without_policy(message);
    // `Invalid value: "object": words` names a whole object; the words are enough.
    let words = message
        .strip_prefix("Invalid value: \"object\": ")
        .or_else(|| message.strip_prefix("Invalid value: "));
    let words = words.unwrap_or(&message);
    match (field, words.split_once(" | ")) {
        ("" | "<nil>", _) => words.to_owned(),
        (_, Some((english, chinese))) => both(format!("{field}: {english}"), format!("{field}：{chinese}")),
        (_, None) => format!("{field}: {words}"),
    }
}

/// An admission policy names itself before its words; people need the words.
fn without_policy(message: &str) -> String {
    message
        .split_once("denied request: ")
        .map_or(message, |(_, words)| words)
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use kube::core::response::{StatusCause, StatusDetails};

    fn status(message: &str, causes: &[(&str, &str)]) -> Status {
        let cause = |(field, message): &(&str, &str)| StatusCause {
            reason: String::new(),
            message: (*message).to_owned(),
            field: (*field).to_owned(),
        };
        let details = StatusDetails {
            name: String::new(),
            group: String::new(),
            kind: String::new(),
            uid: String::new(),
            causes: causes.iter().map(cause).collect(),
            retry_after_seconds: 0,
        };
        Status {
            message: message.to_owned(),
            code: 422,
            details: Some(details),
            ..Status::default()
        }
    }

    #[test]
    fn each_cause_is_a_line_that_splits_by_language() {
        let s = status(
            "long",
            &[("spec", "Invalid value: \"object\": nothing is asked | 未申请任何资源")],
        );
        let failure = Failure::from(kube::Error::Api(s.boxed()));
        assert_eq!(failure.in_words(Lang::En), "spec: nothing is asked");
        assert_eq!(failure.in_words(Lang::Zh), "spec：未申请任何资源");
        assert_eq!(failure.code(), 1);
    }

    #[test]
    fn a_policy_speaks_without_its_name() {
        let s = status(
            "x is forbidden: ValidatingAdmissionPolicy 'p' with binding 'b' denied request: no | 不",
            &[],
        );
        assert_eq!(refusals(&s), ["no | 不"]);
    }
}
