//! The pure decision about five thousand placements of one tenant, each of a Deployment with a volume: how long it thinks
//! while nothing changes, and how that grows.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use anyhow::{Context as _, Result};
use crds::{
    CentreRole, DualActivePlacement, DualActivePlacementStatus, Ownership, PlacedObject, QuotaPool, Resources,
    TemplateKind,
};
use jiff::Timestamp;
use plan::centre::catalogue::Catalogue;
use plan::failover::facts::Known;
use plan::placement::decide::{Centre, World, decide};
use plan::placement::fit::{Granted, Room, Scope};
use plan::placement::kinds::{Blind, Kinds};
use plan::placement::template::{self, Key, Template};
use serde_json::{Map, Value, json};
use tests::repository;

use super::growth::growth;
use crate::place_burst::{TENANT, placement};

const PLACEMENTS: usize = 5_000;
const METRO: [&str; 2] = ["jishi", "jiyidong"];

pub(crate) fn run() -> Result<Map<String, Value>> {
    let mut figures = Map::new();
    growth(&mut figures, ("settled", PLACEMENTS), settled, |stage| {
        stage.decide().len()
    })?;
    Ok(figures)
}

/// One tenant that holds enough for all of it.
struct Stage {
    placements: Vec<Arc<DualActivePlacement>>,
    templates: BTreeMap<Key, Arc<Template>>,
    grants: BTreeMap<Scope, Granted>,
    catalogue: Catalogue,
    centres: BTreeMap<String, Centre>,
}

impl Stage {
    fn decide(&self) -> BTreeMap<(String, String), plan::placement::decide::Decision> {
        decide(&World {
            placements: &self.placements,
            templates: &self.templates,
            grants: &self.grants,
            catalogue: &self.catalogue,
            tenants: &[(TENANT.to_owned(), 0)].into(),
            centres: &self.centres,
            kinds: &Kinds::default(),
            blind: &Blind::new(),
            texts: &BTreeMap::new(),
            failover: &Known::default(),
            now: Timestamp::UNIX_EPOCH,
            gone: &BTreeSet::new(),
            ledger: "l",
            epoch: 1,
        })
    }
}

/// So many placements, decided and stored.
fn settled(number: usize) -> Result<Stage> {
    let plenty = Resources {
        cpu: 1 << 40,
        memory: 1 << 60,
        storage: 1 << 60,
        accelerators: 0,
    };
    let room = Room {
        in_force: plenty,
        survival: plenty,
    };
    let granted = Granted {
        amounts: plenty,
        centres: METRO.map(|c| (c.to_owned(), room)).into(),
        level: 0,
    };
    let centre = Centre {
        reports: true,
        role: CentreRole::Primary,
        ownership: Ownership::Government,
        lends: None,
        nodes: BTreeMap::new(),
    };
    let scope = |pool: &str| (TENANT.to_owned(), pool.to_owned());
    let mut stage = Stage {
        placements: Vec::new(),
        templates: BTreeMap::new(),
        grants: [(scope("x86"), granted.clone()), (scope("storage-hot"), granted)].into(),
        catalogue: Catalogue::read(&pools()?),
        centres: METRO.map(|c| (c.to_owned(), centre.clone())).into(),
    };
    for i in 0..number {
        let (name, claim) = (format!("plan-{i:04}"), format!("plan-{i:04}-data"));
        let amounts = json!({"cpu": "1", "memory": "1Gi"});
        let pod = json!({"containers": [{"name": "c", "resources": {"requests": amounts, "limits": amounts}}],
            "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": claim}}]});
        let workload = json!({"metadata": {"name": name, "labels": {"app": name}},
            "spec": {"replicas": 2, "template": {"spec": pod}}});
        stage.put(TemplateKind::Deployment, &workload)?;
        let volume = json!({"metadata": {"name": claim},
            "spec": {"resources": {"requests": {"storage": "1Gi"}}}});
        stage.put(TemplateKind::PersistentVolumeClaim, &volume)?;
        stage.placements.push(Arc::new(placement("plan", i)?));
    }
    let decided = stage.decide();
    for placement in &mut stage.placements {
        let key = plan::placement::decide::key(placement);
        let assignment = decided.get(&key).and_then(|d| d.assignment.clone());
        let status = DualActivePlacementStatus {
            assignment: Some(assignment.with_context(|| format!("{key:?} is not placed: {:?}", decided.get(&key)))?),
            ..DualActivePlacementStatus::default()
        };
        Arc::make_mut(placement).status = Some(status);
    }
    Ok(stage)
}

impl Stage {
    fn put(&mut self, kind: TemplateKind, value: &Value) -> Result<()> {
        let name = value.pointer("/metadata/name").and_then(Value::as_str);
        let name = name.context("a name")?.to_owned();
        let facts = template::read(&kind, value);
        self.templates
            .insert((TENANT.to_owned(), PlacedObject { kind, name }), Arc::new(facts));
        Ok(())
    }
}

/// The pools of the examples.
fn pools() -> Result<Vec<QuotaPool>> {
    let text = std::fs::read_to_string(repository().join("examples/10-pools.yaml"))?;
    let all = serde_saphyr::from_multiple::<Value>(&text)?;
    let pools = all
        .into_iter()
        .filter(|o| o.get("kind").is_some_and(|kind| kind == "QuotaPool"));
    Ok(pools.map(serde_json::from_value).collect::<Result<_, _>>()?)
}
