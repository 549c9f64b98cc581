//! The one ResourceQuota of a tenant's namespace: the sum of its grants as Kubernetes writes it, and its use read back.

use std::collections::BTreeMap;

use crds::{Amount, Resources};

use super::catalogue::Catalogue;

/// vCPU that a container gets which names none, so that it still counts in the quota: request, then limit.
pub const CPU: (&str, &str) = ("100m", "500m");
/// Memory, likewise.
pub const MEMORY: (&str, &str) = ("128Mi", "512Mi");

/// What a namespace may use: pool by pool.
pub type Granted = BTreeMap<String, Resources>;

/// Use of one tenant namespace, from the status of its ResourceQuota.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NamespaceUse {
    /// Compute pool of the namespace.
    pub pool: Option<String>,
    /// `status.used`, as it stands there.
    pub used: BTreeMap<String, String>,
}

/// Key of a StorageClass in a quota.
fn storage_key(class: &str) -> String {
    format!("{class}.storageclass.storage.k8s.io/requests.storage")
}

/// `spec.hard`. Whatever is not granted stands there as 0, so that nothing comes in by another name: cards of every
/// known kind, and every known StorageClass.
pub fn hard(granted: &Granted, catalogue: &Catalogue) -> BTreeMap<String, String> {
    let mut compute = Resources::ZERO;
    let mut cards: BTreeMap<&str, i128> = catalogue.cards().into_iter().map(|c| (c, 0)).collect();
    let mut classes: BTreeMap<&str, i128> = catalogue.storage_classes().into_iter().map(|c| (c, 0)).collect();
    for (pool, amounts) in granted {
        let Some(facts) = catalogue.get(pool) else { continue };
        match (&facts.storage_class, &facts.card) {
            (Some(class), _) => *classes.entry(class).or_default() += amounts.storage,
            (None, card) => {
                compute = compute.plus(*amounts);
                if let Some(card) = card {
                    *cards.entry(card).or_default() += amounts.accelerators;
                }
            }
        }
    }
    let text = |resource: &str, value: i128| Resources::amount(resource, value).0;
    let total: i128 = classes.values().sum();
    let mut hard: BTreeMap<String, String> = [
        ("requests.cpu", text("cpu", compute.cpu)),
        ("limits.cpu", text("cpu", compute.cpu)),
        ("requests.memory", text("memory", compute.memory)),
        ("limits.memory", text("memory", compute.memory)),
        ("requests.storage", text("storage", total)),
    ]
    .map(|(key, value)| (key.to_owned(), value))
    .into();
    hard.extend(
        cards
            .into_iter()
            .map(|(card, n)| (format!("requests.{card}"), text("accelerators", n))),
    );
    hard.extend(
        classes
            .into_iter()
            .map(|(class, n)| (storage_key(class), text("storage", n))),
    );
    hard
}

/// Whether two maps of quantities say the same, whatever their spelling.
pub fn same(a: &BTreeMap<String, String>, b: &BTreeMap<String, String>) -> bool {
    a.len() == b.len()
        && a.iter()
            .all(|(key, value)| b.get(key).is_some_and(|other| equal(key, value, other)))
}

fn equal(key: &str, a: &str, b: &str) -> bool {
    let unit = if matches!(key, "requests.cpu" | "limits.cpu") {
        "cpu"
    } else {
        "memory"
    };
    a == b || matches!((Amount::from(a).parse(unit), Amount::from(b).parse(unit)), (Ok(a), Ok(b)) if a == b)
}

/// What a namespace uses of one pool. A figure that cannot be read counts as nothing used; two storage pools with one
/// StorageClass both show its use, because a centre cannot tell them apart.
pub fn used_of(pool: &str, catalogue: &Catalogue, ns: &NamespaceUse) -> Resources {
    let Some(facts) = catalogue.get(pool) else {
        return Resources::ZERO;
    };
    let read = |key: &str, resource: &'static str| {
        ns.used
            .get(key)
            .and_then(|text| Amount(text.clone()).parse(resource).ok())
            .unwrap_or_default()
    };
    match &facts.storage_class {
        Some(class) => Resources {
            storage: read(&storage_key(class), "storage"),
            ..Resources::ZERO
        },
        None if ns.pool.as_deref() == Some(pool) => Resources {
            cpu: read("requests.cpu", "cpu"),
            memory: read("requests.memory", "memory"),
            storage: 0,
            accelerators: facts
                .card
                .as_ref()
                .map_or(0, |card| read(&format!("requests.{card}"), "accelerators")),
        },
        None => Resources::ZERO,
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{amounts, catalogue, map};
    use super::*;

    #[test]
    fn nothing_granted_is_zero_of_everything() {
        let hard = hard(&Granted::new(), &catalogue());
        let keys = [
            "hot.storageclass.storage.k8s.io/requests.storage",
            "limits.cpu",
            "limits.memory",
            "requests.cpu",
            "requests.memory",
            "requests.nvidia.com/gpu",
            "requests.storage",
        ];
        assert_eq!(hard, keys.map(|k| (k.to_owned(), "0".to_owned())).into());
    }

    #[test]
    fn cpu_cards_and_storage_go_to_their_own_keys() {
        let granted = Granted::from([
            ("gpu-inference".to_owned(), amounts("24", "192Gi", "0", "2")),
            ("hot".to_owned(), amounts("0", "0", "20Ti", "0")),
        ]);
        let hard = hard(&granted, &catalogue());
        let get = |k: &str| hard.get(k).map(String::as_str);
        assert_eq!(get("requests.nvidia.com/gpu"), Some("2"));
        assert_eq!(get("requests.cpu"), Some("24"));
        assert_eq!(get("limits.memory"), Some("192Gi"));
        assert_eq!(get("requests.storage"), Some("20Ti"));
        assert_eq!(get("hot.storageclass.storage.k8s.io/requests.storage"), Some("20Ti"));
    }

    #[test]
    fn spelling_is_no_difference() {
        assert!(same(
            &map(&[("requests.cpu", "1"), ("requests.memory", "1024Gi")]),
            &map(&[("requests.cpu", "1000m"), ("requests.memory", "1Ti")])
        ));
        assert!(same(
            &map(&[("requests.storage", "15P")]),
            &map(&[("requests.storage", "15000T")])
        ));
        assert!(!same(&map(&[("requests.cpu", "1")]), &map(&[("requests.cpu", "2")])));
        assert!(!same(
            &map(&[("requests.cpu", "1")]),
            &map(&[("requests.cpu", "1"), ("pods", "0")])
        ));
    }

    #[test]
    fn use_is_read_for_the_pool_of_the_namespace_only() {
        let ns = NamespaceUse {
            pool: Some("gpu-inference".to_owned()),
            used: map(&[
                ("requests.cpu", "1500m"),
                ("requests.memory", "1Gi"),
                ("requests.nvidia.com/gpu", "1"),
                ("hot.storageclass.storage.k8s.io/requests.storage", "5Gi"),
            ]),
        };
        assert_eq!(
            used_of("gpu-inference", &catalogue(), &ns),
            amounts("1500m", "1Gi", "0", "1")
        );
        assert_eq!(used_of("x86", &catalogue(), &ns), Resources::ZERO);
        assert_eq!(used_of("hot", &catalogue(), &ns), amounts("0", "0", "5Gi", "0"));
    }
}
