//! Who exists in a cloud: one table, one client certificate each.

use crate::place::Place;

/// The administrator, member of `system:masters`. Its kubeconfigs carry no user in their names.
pub const ADMIN: &str = "admin";

/// The kubelets of the nodes whose pods are real processes.
pub(crate) const RUNNER: &str = "playground:runner";

/// Where a user's certificate is given a kubeconfig.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reach {
    /// The hub and every centre.
    Everywhere,
    /// The hub only.
    Hub,
    /// The hub and one centre.
    HubAnd(Place),
}

/// One user: the name and the groups of its certificate.
#[derive(Clone, Copy, Debug)]
pub struct User {
    /// Common name of the certificate.
    pub name: &'static str,
    /// Organisations of the certificate.
    pub groups: &'static [&'static str],
    /// Namespace that the kubeconfig's context starts in.
    pub namespace: Option<&'static str>,
    pub(crate) reach: Reach,
}

impl User {
    /// The name as it appears in file names.
    pub fn file_name(&self) -> String {
        self.name.replace(':', "-")
    }

    /// Whether the user gets a kubeconfig for the cluster of `centre`, or of the hub for `None`.
    pub(crate) fn reaches(&self, centre: Option<Place>) -> bool {
        match (self.reach, centre) {
            (Reach::Everywhere, _) | (Reach::Hub | Reach::HubAnd(_), None) => true,
            (Reach::HubAnd(own), Some(centre)) => own == centre,
            (Reach::Hub, Some(_)) => false,
        }
    }
}

const fn person(name: &'static str, groups: &'static [&'static str], namespace: Option<&'static str>) -> User {
    User {
        name,
        groups,
        namespace,
        reach: Reach::Everywhere,
    }
}

const fn process(name: &'static str, groups: &'static [&'static str], reach: Reach) -> User {
    User {
        name,
        groups,
        namespace: None,
        reach,
    }
}

const CENTRES: &[&str] = &["xiangyun:centres"];

/// Every user of a cloud.
pub const USERS: &[User] = &[
    person(ADMIN, &["system:masters"], None),
    person("li.na", &["yibao-admins", "org:yibao"], Some("dept-yibao")),
    person("wu.gang", &["jyt-admins", "org:jyt"], Some("dept-jyt")),
    person("chen.jie", &["changchun-admins", "org:changchun"], None),
    person(
        "zhang.wei",
        &["xiangyun:approvers", "xiangyun:approvers:l1", "org:zhengshuju"],
        None,
    ),
    person(
        "wang.fang",
        &["xiangyun:approvers", "xiangyun:approvers:l2", "org:caizheng"],
        None,
    ),
    person("zhao.min", &["xiangyun:platform", "org:zhengshuju"], None),
    person(
        "jin.shan",
        &["xiangyun:members", "xiangyun:member:baicheng", "org:baicheng"],
        None,
    ),
    person("sun.li", &["xiangyun:auditors", "org:shenji"], None),
    process("xiangyun:controller", &[], Reach::Hub),
    process("xiangyun:centre:jishi", CENTRES, Reach::HubAnd(Place::Jishi)),
    process("xiangyun:centre:jiyidong", CENTRES, Reach::HubAnd(Place::Jiyidong)),
    process("xiangyun:centre:baicheng", CENTRES, Reach::HubAnd(Place::Baicheng)),
    process("system:kube-controller-manager", &[], Reach::Everywhere),
    process("system:kube-scheduler", &[], Reach::Everywhere),
    // The group may read `/metrics` of an API server by the roles that each of them is born with.
    process("playground:prometheus", &["system:monitoring"], Reach::Everywhere),
    process("playground:kwok", &["system:masters"], Reach::Everywhere),
    process(RUNNER, &["system:masters"], Reach::Everywhere),
];

/// The user of that name, if there is one.
pub(crate) fn find(name: &str) -> Option<&'static User> {
    USERS.iter().find(|u| u.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_names_are_unique_and_plain() {
        let names: std::collections::BTreeSet<String> = USERS.iter().map(User::file_name).collect();
        assert_eq!(names.len(), USERS.len());
        assert!(
            names
                .iter()
                .all(|n| n.chars().all(|c| c.is_ascii_alphanumeric() || ".-".contains(c)))
        );
    }

    #[test]
    fn an_agent_reaches_the_hub_and_its_own_centre_only() {
        let agent = find("xiangyun:centre:jishi").unwrap();
        assert!(agent.reaches(None));
        assert!(agent.reaches(Some(Place::Jishi)));
        assert!(!agent.reaches(Some(Place::Jiyidong)));
        assert!(!find("xiangyun:controller").unwrap().reaches(Some(Place::Jishi)));
    }

    #[test]
    fn nobody_holds_two_roles_of_the_separation_of_duties() {
        for user in USERS {
            let roles = user
                .groups
                .iter()
                .filter(|g| ["xiangyun:platform", "xiangyun:auditors", "xiangyun:approvers"].contains(g));
            assert!(roles.count() <= 1, "{}", user.name);
        }
    }
}
