//! Objects for the tests of this folder.

use std::collections::BTreeMap;

use crds::{Amount, QuotaPool, Resources};

use super::capacity::NodeFacts;
use super::catalogue::Catalogue;

pub(crate) fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
}

pub(crate) fn amounts(cpu: &str, memory: &str, storage: &str, accelerators: &str) -> Resources {
    let parse = |text: &str, resource| Amount::from(text).parse(resource).unwrap();
    Resources {
        cpu: parse(cpu, "cpu"),
        memory: parse(memory, "memory"),
        storage: parse(storage, "storage"),
        accelerators: parse(accelerators, "accelerators"),
    }
}

pub(crate) fn pools() -> Vec<QuotaPool> {
    let pool = |name: &str, rest: &str| {
        let spec = format!(
            r#"{{"displayName": "p", "zone": "GovExtranet", "centres": [{{"name": "jishi", "source": "Nodes"}}], {rest}}}"#
        );
        QuotaPool::new(name, serde_json::from_str(&spec).unwrap())
    };
    let gpu = |use_: &str| {
        format!(
            r#""architecture": "amd64", "separateNamespace": true, "accelerator": {{"vendor": "nvidia", "model": "L40S",
            "use": "{use_}", "resourceName": "nvidia.com/gpu", "perUnit": {{"cpu": "12", "memory": "96Gi"}}}}"#
        )
    };
    vec![
        pool("x86", r#""architecture": "amd64""#),
        pool("x86-internet", r#""architecture": "amd64""#),
        pool("arm", r#""architecture": "arm64", "separateNamespace": true"#),
        pool("gpu-inference", &gpu("Inference")),
        pool("gpu-training", &gpu("Training")),
        pool("gpu-video", &gpu("Video")),
        pool("hot", r#""storage": {"tier": "Hot", "storageClassName": "hot"}"#),
    ]
}

pub(crate) fn catalogue() -> Catalogue {
    Catalogue::read(&pools())
}

/// A ready node of 540 GB.
pub(crate) fn node(name: &str, pool: &str, cpu: u32, cards: u32) -> NodeFacts {
    let mut allocatable = map(&[("memory", "527343750Ki"), ("pods", "110")]);
    allocatable.insert("cpu".to_owned(), cpu.to_string());
    if cards > 0 {
        allocatable.insert("nvidia.com/gpu".to_owned(), cards.to_string());
    }
    NodeFacts {
        name: name.to_owned(),
        pool: Some(pool.to_owned()),
        phase: None,
        gate: false,
        ready: true,
        schedulable: true,
        allocatable,
    }
}
