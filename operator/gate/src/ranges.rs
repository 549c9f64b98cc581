//! Which addresses of a node are governed: the ranges from which pods of exclusive scopes, and only they, get theirs.

use core::net::IpAddr;
use std::str::FromStr;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use thiserror::Error;

/// No node has more pods than these prefixes hold; a shorter one is a slip that would shut the node itself.
const SHORTEST_PREFIX: (u8, u8) = (8, 32);

/// Why ranges cannot be used.
#[derive(Debug, Error)]
pub enum Unusable {
    /// Not a range.
    #[error("{0:?} is no range of addresses such as 198.18.3.0/24 | {0:?} 不是地址段")]
    Unreadable(String),
    /// It holds addresses that no pod has.
    #[error("{0} holds addresses that no pod has, or more than a node has pods | {0} 含非容器组地址，或范围过大")]
    TooWide(IpNet),
    /// There is none.
    #[error("no range of exclusive pods is given | 未指定独占容器组地址段")]
    None,
}

/// The ranges of a node in their shortest form: sorted, without overlaps, neighbours joined.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ranges {
    v4: Vec<Ipv4Net>,
    v6: Vec<Ipv6Net>,
}

impl Ranges {
    /// The ranges.
    ///
    /// # Errors
    /// One of them is unreadable or too wide, or there are none.
    pub fn new<'a>(texts: impl IntoIterator<Item = &'a str>) -> Result<Self, Unusable> {
        let (mut v4, mut v6) = (Vec::new(), Vec::new());
        for text in texts {
            let range = IpNet::from_str(text).map_err(|_| Unusable::Unreadable(text.to_owned()))?;
            let special = |ip: IpAddr| match ip {
                IpAddr::V4(ip) => ip.is_loopback() || ip.is_link_local() || ip.is_multicast() || ip.is_unspecified(),
                IpAddr::V6(ip) => ip.is_loopback() || ip.is_unicast_link_local() || ip.is_multicast(),
            };
            let shortest = if range.addr().is_ipv4() {
                SHORTEST_PREFIX.0
            } else {
                SHORTEST_PREFIX.1
            };
            if range.prefix_len() < shortest || special(range.network()) || special(range.broadcast()) {
                return Err(Unusable::TooWide(range));
            }
            match range {
                IpNet::V4(range) => v4.push(range.trunc()),
                IpNet::V6(range) => v6.push(range.trunc()),
            }
        }
        let ranges = Self {
            v4: Ipv4Net::aggregate(&v4),
            v6: Ipv6Net::aggregate(&v6),
        };
        if ranges.v4.is_empty() && ranges.v6.is_empty() {
            return Err(Unusable::None);
        }
        Ok(ranges)
    }

    /// The lines of a file of ranges: one a line, empty lines and those that begin with `#` left out.
    pub fn lines(text: &str) -> impl Iterator<Item = &str> {
        let lines = text.lines().map(str::trim);
        lines.filter(|line| !line.is_empty() && !line.starts_with('#'))
    }

    /// Whether the address is governed.
    pub fn contain(&self, address: IpAddr) -> bool {
        match address {
            IpAddr::V4(ip) => self.v4.iter().any(|range| range.contains(&ip)),
            IpAddr::V6(ip) => self.v6.iter().any(|range| range.contains(&ip)),
        }
    }

    /// Those of IPv4.
    pub fn v4(&self) -> &[Ipv4Net] {
        &self.v4
    }

    /// Those of IPv6.
    pub fn v6(&self) -> &[Ipv6Net] {
        &self.v6
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_are_joined_and_the_rest_of_an_address_is_cut() {
        let ranges = Ranges::new(["198.18.3.129/25", "198.18.3.0/25", "198.18.3.7/32", "fd00:19:2::10/124"]).unwrap();
        assert_eq!(ranges.v4(), ["198.18.3.0/24".parse().unwrap()]);
        assert_eq!(ranges.v6(), ["fd00:19:2::10/124".parse().unwrap()]);
        assert!(ranges.contain("198.18.3.255".parse().unwrap()));
        assert!(!ranges.contain("198.18.4.0".parse().unwrap()));
        assert!(ranges.contain("fd00:19:2::1f".parse().unwrap()));
    }

    #[test]
    fn what_would_shut_the_node_itself_is_refused() {
        for range in [
            "0.0.0.0/0",
            "127.0.0.0/8",
            "169.254.0.0/16",
            "224.0.0.0/8",
            "::/0",
            "fe80::/64",
            "8.0.0.0/5",
        ] {
            assert!(matches!(Ranges::new([range]), Err(Unusable::TooWide(_))), "{range}");
        }
        assert!(matches!(Ranges::new(["198.18.3.0"]), Err(Unusable::Unreadable(_))));
        assert!(matches!(Ranges::new([]), Err(Unusable::None)));
    }

    #[test]
    fn a_file_has_one_a_line() {
        let lines: Vec<_> = Ranges::lines("# pods of exclusive scopes\n\n 198.18.3.0/24 \nfd00::/64\n").collect();
        assert_eq!(lines, ["198.18.3.0/24", "fd00::/64"]);
    }
}
