//! The objects of a tenant namespace, written out.

use std::collections::BTreeMap;

use crds::{AdministratorKind, label, object};
use k8s_openapi::api::core::v1::{
    LimitRange, LimitRangeItem, LimitRangeSpec, Namespace, ResourceQuota, ResourceQuotaSpec,
};
use k8s_openapi::api::networking::v1::{
    NetworkPolicy, NetworkPolicyEgressRule, NetworkPolicyIngressRule, NetworkPolicyPeer, NetworkPolicyPort,
    NetworkPolicySpec,
};
use k8s_openapi::api::rbac::v1::{RoleBinding, RoleRef, Subject};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use plan::centre::grant::Wanted;
use plan::centre::quota::{CPU, MEMORY};

/// Annotation on a quota: the grants it is the sum of, as a JSON object of request and record. It is the agent's own
/// memory, kept where it cannot be lost without the quota.
pub(super) const GRANTS: &str = "xiangyun.io/grants";

fn labels(wanted: &Wanted) -> BTreeMap<String, String> {
    [
        (label::MANAGED_BY, object::AGENT),
        (label::TENANT, wanted.tenant.as_str()),
    ]
    .map(|(k, v)| (k.to_owned(), v.to_owned()))
    .into()
}

fn metadata(ns: &str, wanted: &Wanted) -> ObjectMeta {
    ObjectMeta {
        name: Some(object::XIANGYUN.to_owned()),
        namespace: Some(ns.to_owned()),
        labels: Some(labels(wanted)),
        ..ObjectMeta::default()
    }
}

/// The namespace itself.
pub(super) fn namespace(ns: &str, wanted: &Wanted) -> Namespace {
    let mut labels = labels(wanted);
    labels.extend(wanted.pool.clone().map(|pool| (label::POOL.to_owned(), pool)));
    Namespace {
        metadata: ObjectMeta {
            name: Some(ns.to_owned()),
            labels: Some(labels),
            ..ObjectMeta::default()
        },
        ..Namespace::default()
    }
}

/// Its quota.
pub(super) fn quota(ns: &str, wanted: &Wanted) -> ResourceQuota {
    let mut metadata = metadata(ns, wanted);
    let grants = serde_json::json!(wanted.grants).to_string();
    let epoch = wanted.epoch.map(|e| (label::EPOCH, e.to_string()));
    let annotations = [(GRANTS, grants)].into_iter().chain(epoch);
    metadata.annotations = Some(annotations.map(|(k, v)| (k.to_owned(), v)).collect());
    let hard = wanted
        .hard
        .iter()
        .map(|(k, v)| (k.clone(), Quantity(v.clone())))
        .collect();
    ResourceQuota {
        metadata,
        spec: Some(ResourceQuotaSpec {
            hard: Some(hard),
            ..ResourceQuotaSpec::default()
        }),
        ..ResourceQuota::default()
    }
}

/// Its defaults for containers.
pub(super) fn limit_range(ns: &str, wanted: &Wanted) -> LimitRange {
    let amounts = |cpu: &str, memory: &str| {
        Some(
            [("cpu", cpu), ("memory", memory)]
                .map(|(k, v)| (k.to_owned(), Quantity(v.to_owned())))
                .into(),
        )
    };
    LimitRange {
        metadata: metadata(ns, wanted),
        spec: Some(LimitRangeSpec {
            limits: vec![LimitRangeItem {
                type_: "Container".to_owned(),
                default: amounts(CPU.1, MEMORY.1),
                default_request: amounts(CPU.0, MEMORY.0),
                ..LimitRangeItem::default()
            }],
        }),
    }
}

/// Its network: nothing in or out, except with the same tenant, and names.
pub(super) fn network_policy(ns: &str, wanted: &Wanted) -> NetworkPolicy {
    let select = |key: &str, value: &str| LabelSelector {
        match_labels: Some([(key.to_owned(), value.to_owned())].into()),
        ..LabelSelector::default()
    };
    let tenant = NetworkPolicyPeer {
        namespace_selector: Some(select(label::TENANT, &wanted.tenant)),
        ..NetworkPolicyPeer::default()
    };
    let dns = NetworkPolicyPeer {
        namespace_selector: Some(select("kubernetes.io/metadata.name", "kube-system")),
        pod_selector: Some(select("k8s-app", "kube-dns")),
        ..NetworkPolicyPeer::default()
    };
    let port = |protocol: &str| NetworkPolicyPort {
        port: Some(IntOrString::Int(53)),
        protocol: Some(protocol.to_owned()),
        ..NetworkPolicyPort::default()
    };
    NetworkPolicy {
        metadata: metadata(ns, wanted),
        spec: Some(NetworkPolicySpec {
            pod_selector: Some(LabelSelector::default()),
            policy_types: Some(vec!["Ingress".to_owned(), "Egress".to_owned()]),
            ingress: Some(vec![NetworkPolicyIngressRule {
                from: Some(vec![tenant.clone()]),
                ports: None,
            }]),
            egress: Some(vec![
                NetworkPolicyEgressRule {
                    to: Some(vec![tenant]),
                    ports: None,
                },
                NetworkPolicyEgressRule {
                    to: Some(vec![dns]),
                    ports: Some(vec![port("UDP"), port("TCP")]),
                },
            ]),
        }),
    }
}

/// Who may edit in it. A tenant without administrators has a binding without subjects.
pub(super) fn role_binding(ns: &str, wanted: &Wanted) -> RoleBinding {
    const GROUP: &str = "rbac.authorization.k8s.io";
    let subjects = wanted.administrators.iter().map(|a| Subject {
        api_group: Some(GROUP.to_owned()),
        kind: match a.kind {
            AdministratorKind::User => "User".to_owned(),
            AdministratorKind::Group => "Group".to_owned(),
        },
        name: a.name.clone(),
        namespace: None,
    });
    let subjects: Vec<Subject> = subjects.collect();
    RoleBinding {
        metadata: metadata(ns, wanted),
        role_ref: RoleRef {
            api_group: Some(GROUP.to_owned()),
            kind: "ClusterRole".to_owned(),
            name: "edit".to_owned(),
        },
        subjects: (!subjects.is_empty()).then_some(subjects),
    }
}

#[cfg(test)]
mod tests {
    use crds::Administrator;

    use super::*;

    fn wanted() -> Wanted {
        Wanted {
            tenant: "dept".to_owned(),
            pool: Some("x86".to_owned()),
            administrators: vec![Administrator {
                kind: AdministratorKind::Group,
                name: "admins".to_owned(),
            }],
            hard: [("requests.cpu".to_owned(), "4".to_owned())].into(),
            grants: [("a".to_owned(), "r1".to_owned())].into(),
            epoch: Some(7),
        }
    }

    #[test]
    fn everything_carries_the_tenant_and_the_agent() {
        let w = wanted();
        let all = [
            namespace("dept", &w).metadata,
            quota("dept", &w).metadata,
            limit_range("dept", &w).metadata,
            network_policy("dept", &w).metadata,
            role_binding("dept", &w).metadata,
        ];
        for metadata in all {
            let labels = metadata.labels.unwrap();
            assert_eq!(labels.get(label::TENANT).map(String::as_str), Some("dept"));
            assert_eq!(labels.get(label::MANAGED_BY).map(String::as_str), Some(object::AGENT));
        }
    }

    #[test]
    fn a_quota_remembers_its_grants() {
        let annotations = quota("dept", &wanted()).metadata.annotations.unwrap();
        assert_eq!(annotations.get(GRANTS).map(String::as_str), Some(r#"{"a":"r1"}"#));
        assert_eq!(annotations.get(label::EPOCH).map(String::as_str), Some("7"));
    }

    #[test]
    fn the_network_is_closed_but_for_the_tenant_and_names() {
        let spec = network_policy("dept", &wanted()).spec.unwrap();
        assert_eq!(spec.policy_types.unwrap(), ["Ingress", "Egress"]);
        assert_eq!((spec.ingress.unwrap().len(), spec.egress.unwrap().len()), (1, 2));
    }

    #[test]
    fn nobody_gets_in_without_administrators() {
        let nobody = Wanted {
            administrators: Vec::new(),
            ..wanted()
        };
        assert_eq!(role_binding("dept", &nobody).subjects, None);
        assert_eq!(role_binding("dept", &wanted()).role_ref.name, "edit");
    }
}
