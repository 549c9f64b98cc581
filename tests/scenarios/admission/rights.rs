//! Who may write what, exactly: what the API server itself answers for every user of the cloud.

use std::collections::BTreeSet;

use k8s_openapi::api::authorization::v1::{SelfSubjectRulesReview, SelfSubjectRulesReviewSpec};
use kube::Api;
use kube::api::PostParams;
use playground::Cloud;

/// `verb resource`, of everything that the user may do in the namespace, what everybody may ask about oneself aside.
async fn rights(cloud: &Cloud, cluster: &str, user: &str, namespace: &str) -> BTreeSet<String> {
    let api: Api<SelfSubjectRulesReview> = Api::all(cloud.client(cluster, Some(user)).await.unwrap());
    let review = SelfSubjectRulesReview {
        spec: SelfSubjectRulesReviewSpec {
            namespace: Some(namespace.to_owned()),
        },
        ..SelfSubjectRulesReview::default()
    };
    let answer = api.create(&PostParams::default(), &review).await.unwrap();
    let status = answer.status.unwrap();
    assert!(!status.incomplete, "{user}: {:?}", status.evaluation_error);
    let mut all = BTreeSet::new();
    for rule in status.resource_rules {
        for resource in rule.resources.unwrap_or_default() {
            let limited = match &rule.resource_names {
                Some(names) if !names.is_empty() => format!("={}", names.join("|")),
                _ => String::new(),
            };
            all.extend(rule.verbs.iter().map(|verb| format!("{verb} {resource}{limited}")));
        }
    }
    all.retain(|right| !right.contains("selfsubject"));
    all
}

/// What changes something.
fn writes(rights: &BTreeSet<String>) -> Vec<&str> {
    let reads = ["get ", "list ", "watch "];
    let writing = rights
        .iter()
        .filter(|right| !reads.iter().any(|verb| right.starts_with(verb)));
    writing.map(String::as_str).collect()
}

/// What departments write in their own namespace as they like: placements and templates.
const TEMPLATES: &[&str] = &[
    "configmaps",
    "cronjobs",
    "daemonsets",
    "deployments",
    "dualactiveplacements",
    "horizontalpodautoscalers",
    "ingresses",
    "jobs",
    "persistentvolumeclaims",
    "poddisruptionbudgets",
    "secrets",
    "serviceaccounts",
    "services",
    "statefulsets",
];

fn department() -> BTreeSet<String> {
    let verbs = ["create", "update", "patch", "delete"];
    let templates = verbs
        .iter()
        .flat_map(|verb| TEMPLATES.iter().map(move |kind| format!("{verb} {kind}")));
    templates
        .chain(["create resourcerequests", "delete resourcerequests"].map(str::to_owned))
        .chain(["create failovers", "patch failovers"].map(str::to_owned))
        .collect()
}

const APPROVER: &[&str] = &["create failoverapprovals", "create requestapprovals"];
const PLATFORM: &[&str] = &[
    "create datacenters",
    "create expansionphases",
    "create failoverapprovals",
    "create failovers",
    "create placeablekinds",
    "create quotapools",
    "create reclaimpolicies",
    "create tenants",
    "delete datacenters",
    "delete expansionphases",
    "delete placeablekinds",
    "delete quotapools",
    "delete reclaimpolicies",
    "delete tenants",
    "patch datacenters",
    "patch expansionphases",
    "patch failovers",
    "patch placeablekinds",
    "patch quotapools",
    "patch reclaimpolicies",
    "patch tenants",
    "update datacenters",
    "update expansionphases",
    "update placeablekinds",
    "update quotapools",
    "update reclaimpolicies",
    "update tenants",
];
const AGENT: &[&str] = &[
    "patch datacenters/status",
    "patch dualactiveplacements/status",
    "patch resourcerequests/status",
];
const CONTROLLER: &[&str] = &[
    "bind clusterroles=xiangyun-requester",
    "create admissionlimits",
    "create controllerrevisions",
    "create dnsendpoints",
    "create endpointslices",
    "create events",
    "create failovers",
    "create httproutes",
    "create namespaces",
    "create poolqueues",
    "create quotaledgers",
    "create rolebindings",
    "create services",
    "create usagereports",
    "delete controllerrevisions",
    "delete dnsendpoints",
    "delete endpointslices",
    "delete httproutes",
    "delete requestapprovals",
    "delete resourcerequests",
    "delete services",
    "patch admissionlimits",
    "patch cronjobs/status",
    "patch daemonsets/status",
    "patch datacenters/status",
    "patch deployments/status",
    "patch dnsendpoints",
    "patch dualactiveplacements",
    "patch dualactiveplacements/status",
    "patch endpointslices",
    "patch events",
    "patch expansionphases/status",
    "patch failoverapprovals/status",
    "patch failovers",
    "patch failovers/status",
    "patch httproutes",
    "patch jobs/status",
    "patch placeablekinds/status",
    "patch poolqueues",
    "patch quotaledgers",
    "patch quotapools/status",
    "patch reclaimpolicies/status",
    "patch requestapprovals/status",
    "patch resourcerequests",
    "patch resourcerequests/status",
    "patch rolebindings",
    "patch services",
    "patch statefulsets/status",
    "patch tenants/status",
    "patch usagereports/status",
    "update admissionlimits",
    "update dualactiveplacements/finalizers",
    "update poolqueues",
    "update quotaledgers",
    "update resourcerequests/finalizers",
];

/// No role can do what another one is for, and no person writes a status.
pub async fn are_exact(cloud: &Cloud) {
    for (user, expected) in [
        ("zhang.wei", APPROVER),
        ("wang.fang", APPROVER),
        ("zhao.min", PLATFORM),
        ("sun.li", &[]),
        ("jin.shan", &["patch dualactiveplacements"]),
        ("xiangyun:centre:jishi", AGENT),
        ("xiangyun:controller", CONTROLLER),
    ] {
        let rights = rights(cloud, "hub", user, "dept-yibao").await;
        assert_eq!(writes(&rights), expected, "{user}");
        // Programs carry secrets to where they are placed; nobody else sees those of a department.
        let carries = ["xiangyun:centre:jishi", "xiangyun:controller"].contains(&user);
        assert!(
            !rights
                .iter()
                .any(|right| right.contains("secrets") && !carries || right.ends_with(" *") && user != "sun.li"),
            "{user}: {rights:?}"
        );
    }
    let own = rights(cloud, "hub", "li.na", "dept-yibao").await;
    let own: BTreeSet<String> = writes(&own).into_iter().map(str::to_owned).collect();
    assert_eq!(own, department());
    // Somebody else's namespace.
    let rights = rights(cloud, "hub", "li.na", "dept-jyt").await;
    assert_eq!(writes(&rights), [""; 0]);
    for kind in ["quotapools", "datacenters", "tenants", "poolqueues", "admissionlimits"] {
        assert!(rights.contains(&format!("get {kind}")), "`why` and `quote` need {kind}");
    }
    assert!(
        !rights
            .iter()
            .any(|right| right.contains("resourcerequests") || right.contains("quotaledgers"))
    );
}

/// An administrator of a tenant edits in its namespace, but not what bounds it.
pub async fn in_a_centre_are_bounded(cloud: &Cloud, namespace: &str) {
    let rights = rights(cloud, "jishi", "li.na", namespace).await;
    let writes = writes(&rights);
    assert!(writes.contains(&"create pods"), "{writes:?}");
    for bound in [
        "resourcequotas",
        "limitranges",
        "namespaces",
        "rolebindings",
        "nodes",
        "pods/binding",
        "bindings",
    ] {
        let found: Vec<_> = writes
            .iter()
            .filter(|right| right.split(' ').any(|word| word == bound))
            .collect();
        assert!(found.is_empty(), "{bound}: {found:?}");
    }
}
