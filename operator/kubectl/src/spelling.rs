//! How objects are spelled on the command line.

/// What `why` is asked about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum About {
    /// A request.
    Request(String),
    /// A placement.
    Placement(String),
}

/// A centre, and how it is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CentreContext {
    /// Its name.
    pub name: String,
    /// Context of the kubeconfig.
    pub context: String,
}

/// A kind as it is spelled before a name.
struct Kind {
    name: &'static str,
    short: &'static str,
    plural: &'static str,
}

const REQUEST: Kind = Kind {
    name: "ResourceRequest",
    short: "rreq",
    plural: "resourcerequests",
};
const PLACEMENT: Kind = Kind {
    name: "DualActivePlacement",
    short: "dap",
    plural: "dualactiveplacements",
};

const FAILOVER: Kind = Kind {
    name: "Failover",
    short: "fo",
    plural: "failovers",
};

impl Kind {
    fn is(&self, spelling: &str) -> bool {
        let spelling = spelling.to_ascii_lowercase();
        let bare = spelling.strip_suffix(".xiangyun.io").unwrap_or(&spelling);
        spelling == self.short || bare == self.plural || bare == self.name.to_ascii_lowercase()
    }

    /// `SHORT/NAME`, any other spelling of the kind, or the bare name.
    fn named(&self, text: &str) -> Result<String, String> {
        let Self { name: kind, short, .. } = self;
        let name = match text.split_once('/') {
            Some((spelling, name)) if self.is(spelling) => name,
            Some((other, _)) => return Err(format!("{other} is no {kind}; write {short}/NAME | 请写 {short}/名称")),
            None => text,
        };
        if name.is_empty() || name.contains('/') {
            return Err(format!("the name is missing; write {short}/NAME | 请写 {short}/名称"));
        }
        Ok(name.to_owned())
    }
}

/// The name of a request.
pub(crate) fn request_name(text: &str) -> Result<String, String> {
    REQUEST.named(text)
}

/// The name of a placement.
pub(crate) fn placement_name(text: &str) -> Result<String, String> {
    PLACEMENT.named(text)
}

/// The name of a move.
pub(crate) fn failover_name(text: &str) -> Result<String, String> {
    FAILOVER.named(text)
}

/// A bare name is a request's.
pub(crate) fn about(text: &str) -> Result<About, String> {
    match text.split_once('/') {
        Some((spelling, _)) if PLACEMENT.is(spelling) => placement_name(text).map(About::Placement),
        _ => request_name(text).map(About::Request),
    }
}

/// `jishi=CONTEXT`.
pub(crate) fn centre_context(text: &str) -> Result<CentreContext, String> {
    match text.split_once('=') {
        Some((name, context)) if !name.is_empty() && !context.is_empty() => Ok(CentreContext {
            name: name.to_owned(),
            context: context.to_owned(),
        }),
        _ => Err("write CENTRE=CONTEXT, such as jishi=jishi-admin | 请写 中心=上下文".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_a_request() {
        assert_eq!(request_name("rreq/a").unwrap(), "a");
        assert_eq!(request_name("resourcerequests.xiangyun.io/a").unwrap(), "a");
        assert_eq!(request_name("a").unwrap(), "a");
        assert!(request_name("pod/a").is_err() && request_name("rreq/").is_err());
    }

    #[test]
    fn spellings_of_a_placement() {
        assert_eq!(placement_name("dap/a").unwrap(), "a");
        assert_eq!(about("dualactiveplacement/a").unwrap(), About::Placement("a".into()));
        assert_eq!(about("a").unwrap(), About::Request("a".into()));
        assert!(placement_name("rreq/a").is_err() && about("pod/a").is_err());
        assert!(centre_context("jishi=").is_err() && centre_context("jishi=c").is_ok());
    }
}
