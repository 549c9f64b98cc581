//! Whether requests reach every centre that could answer them.

use std::fmt;

use crds::ServiceRow;

use crate::centre::requests::thousandths;

/// Thousandths of a request a second from which on a Service is busy enough to ask why another centre gets none: half a
/// request a second, 150 in the five minutes of the default window. Of so many, a centre with a tenth of the weight expects
/// more than fifteen, and gets none by chance less than once in a million windows (e⁻¹⁵).
const BUSY: i128 = 500;

/// What is known of the requests of a placement's Services.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Traffic<'a> {
    /// A centre that does not say how many there are.
    NotMeasured(&'a str),
    /// Too few to say anything.
    Quiet,
    /// Every centre gets some.
    Everywhere,
    /// One centre gets some and another none.
    OneSided(OneSided<'a>),
}

/// A Service, and how its requests are divided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct OneSided<'a> {
    pub(super) service: &'a str,
    /// The centre with the most, and its requests a second as they are spelled.
    pub(super) busy: (&'a str, &'a str),
    /// The centre without any.
    pub(super) idle: &'a str,
}

impl fmt::Display for OneSided<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { service, busy, idle } = self;
        let (name, rate) = busy;
        write!(
            f,
            "Service {service} gets {rate} requests a second in {name} and none in {idle}, where its endpoints are ready; see what leads users to {idle}: its Ingress or route, spec.ingress of its DataCenter, the weights of the names | Service {service} 在 {name} 每秒 {rate} 次请求，在 {idle} 为 0，而其端点就绪；请检查 {idle} 的 Ingress 或路由、DataCenter 的 spec.ingress 与域名权重"
        )
    }
}

/// Thousandths of a request a second that a centre's rows tell of a Service, and their spelling.
fn rate<'a>(rows: &'a [ServiceRow], service: &str) -> Option<(i128, &'a str)> {
    let row = rows.iter().find(|s| s.name == service)?;
    let rate = row.requests_per_second.as_ref()?;
    Some((thousandths(rate)?, &rate.0))
}

/// Looks at each Service by itself: the first one-sided one counts, then the first centre that does not say, then whether
/// any Service has requests everywhere.
pub(super) fn traffic<'a>(
    services: impl IntoIterator<Item = &'a String>,
    centres: &[(&'a str, &'a [ServiceRow])],
) -> Traffic<'a> {
    let (mut silent, mut everywhere) = (None, false);
    for service in services {
        let all = centres.iter().map(|(name, rows)| (*name, rate(rows, service)));
        let all: Vec<_> = all.collect();
        if let Some((name, _)) = all.iter().find(|(_, rate)| rate.is_none()) {
            silent = silent.or(Some(*name));
            continue;
        }
        let known = all.into_iter().filter_map(|(name, rate)| Some((name, rate?)));
        let known: Vec<_> = known.collect();
        let idle = known.iter().find(|(_, (rate, _))| *rate == 0);
        let busy = known.iter().max_by_key(|(_, (rate, _))| *rate);
        match (busy, idle) {
            (Some((name, (rate, spelled))), Some((idle, _))) if *rate >= BUSY => {
                let busy = (*name, *spelled);
                return Traffic::OneSided(OneSided { service, busy, idle });
            }
            (_, idle) => everywhere |= idle.is_none(),
        }
    }
    match silent {
        Some(centre) => Traffic::NotMeasured(centre),
        None if everywhere => Traffic::Everywhere,
        None => Traffic::Quiet,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(rates: &[(&str, Option<&str>)]) -> Vec<ServiceRow> {
        let row = |(name, rate): &(&str, Option<&str>)| ServiceRow {
            name: (*name).to_owned(),
            ready: 2,
            requests_per_second: rate.map(crds::Amount::from),
        };
        rates.iter().map(row).collect()
    }

    fn of_web(a: Option<&str>, b: Option<&str>) -> String {
        let (a, b) = (rows(&[("web", a)]), rows(&[("web", b)]));
        let services = vec!["web".to_owned()];
        format!("{:?}", traffic(&services, &[("a", &a), ("b", &b)]))
    }

    #[test]
    fn one_side_with_requests_and_one_without() {
        let one_sided = r#"OneSided(OneSided { service: "web", busy: ("a", "12.4"), idle: "b" })"#;
        assert_eq!(of_web(Some("12.4"), Some("0")), one_sided);
        assert!(
            of_web(Some("0"), Some("0.5")).starts_with("OneSided"),
            "the bound itself"
        );
        assert_eq!(of_web(Some("0"), Some("0.499")), "Quiet");
        assert_eq!(of_web(Some("0"), Some("0")), "Quiet");
        assert_eq!(of_web(Some("1000"), Some("0.001")), "Everywhere", "few are not none");
    }

    #[test]
    fn what_is_not_known_is_not_nothing() {
        assert_eq!(of_web(Some("12.4"), None), r#"NotMeasured("b")"#);
        assert_eq!(of_web(None, Some("0")), r#"NotMeasured("a")"#);
        assert_eq!(
            of_web(Some("12.4"), Some("none")),
            r#"NotMeasured("b")"#,
            "nor is garbage"
        );
        let services = vec!["web".to_owned()];
        let a = rows(&[("web", Some("12.4"))]);
        assert_eq!(traffic(&services, &[("a", &a), ("b", &[])]), Traffic::NotMeasured("b"));
    }

    #[test]
    fn each_service_counts_by_itself() {
        let services: Vec<String> = ["api", "unseen", "web"].map(str::to_owned).into();
        let a = rows(&[("api", Some("3")), ("unseen", None), ("web", Some("0"))]);
        let b = rows(&[("api", Some("3")), ("unseen", None), ("web", Some("9"))]);
        let found = traffic(&services, &[("a", &a), ("b", &b)]);
        assert!(
            matches!(
                found,
                Traffic::OneSided(OneSided {
                    service: "web",
                    idle: "a",
                    ..
                })
            ),
            "{found:?}"
        );
        let (a, b) = (
            rows(&[("api", Some("3")), ("web", Some("0"))]),
            rows(&[("api", Some("3")), ("web", Some("0"))]),
        );
        let services: Vec<String> = ["api", "web"].map(str::to_owned).into();
        assert_eq!(
            traffic(&services, &[("a", &a), ("b", &b)]),
            Traffic::Everywhere,
            "one that nobody uses says nothing"
        );
    }

    #[test]
    fn one_of_three_centres() {
        let services = vec!["web".to_owned()];
        let all = ["2", "0", "7"].map(|rate| rows(&[("web", Some(rate))]));
        let centres = [("a", all[0].as_slice()), ("b", &all[1]), ("c", &all[2])];
        let one = OneSided {
            service: "web",
            busy: ("c", "7"),
            idle: "b",
        };
        assert_eq!(traffic(&services, &centres), Traffic::OneSided(one));
    }
}
