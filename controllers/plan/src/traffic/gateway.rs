//! Weights for a Gateway of the hub: a Service for each centre, with slices of its own, and an HTTPRoute over them.

use std::collections::BTreeMap;

use crds::{DualActivePlacement, Gateway};
use serde_json::{Value, json};

use super::publish::{Kind, Owner, Published, Slice, families, is_ours, text};
use super::{Site, Weights};

/// Highest weight of a backend (Gateway API, `BackendRef.weight`).
const MAX_WEIGHT: i64 = 1_000_000;

/// The Service that stands for a centre; its slices have the centre's addresses.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Backend {
    /// Whose it is.
    pub owner: Owner,
    /// `<service>-<centre>`.
    pub name: String,
    /// The port that the centre is entered at.
    pub port: i64,
}

impl Published for Backend {
    const KIND: Kind = ("", "v1", "Service", "services");

    fn name(&self) -> String {
        self.name.clone()
    }

    fn owner(&self) -> &Owner {
        &self.owner
    }

    fn object(&self) -> Value {
        json!({
            "apiVersion": "v1", "kind": "Service",
            "metadata": self.owner.labelled(&self.name),
            "spec": {"ports": [{"port": self.port, "protocol": "TCP", "targetPort": self.port}]},
        })
    }

    fn read(found: &Value) -> Option<Self> {
        is_ours(found).then_some(())?;
        Some(Self {
            owner: Owner::read(found)?,
            name: text(found, "/metadata/name"),
            port: found.pointer("/spec/ports/0/port")?.as_i64()?,
        })
    }
}

/// The route of a placement's name to its centres.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Route {
    /// Whose it is.
    pub owner: Owner,
    /// Namespace and name of the Gateway.
    pub gateway: (String, String),
    /// The name that users ask for.
    pub host: String,
    /// Service, port and weight of each centre.
    pub backends: Vec<(String, i64, i64)>,
}

impl Published for Route {
    const KIND: Kind = ("gateway.networking.k8s.io", "v1", "HTTPRoute", "httproutes");

    fn owner(&self) -> &Owner {
        &self.owner
    }

    fn object(&self) -> Value {
        let backend = |(name, port, weight): &(String, i64, i64)| json!({"name": name, "port": port, "weight": weight});
        let backends: Vec<Value> = self.backends.iter().map(backend).collect();
        let (namespace, name) = &self.gateway;
        json!({
            "apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute",
            "metadata": self.owner.labelled(&self.owner.name),
            "spec": {"parentRefs": [{"namespace": namespace, "name": name}], "hostnames": [self.host],
                "rules": [{"backendRefs": backends}]},
        })
    }

    fn read(found: &Value) -> Option<Self> {
        is_ours(found).then_some(())?;
        let backends = found.pointer("/spec/rules/0/backendRefs")?.as_array()?.iter();
        let number = |backend: &Value, name: &str| backend.get(name).and_then(Value::as_i64).unwrap_or_default();
        Some(Self {
            owner: Owner::read(found)?,
            gateway: (
                text(found, "/spec/parentRefs/0/namespace"),
                text(found, "/spec/parentRefs/0/name"),
            ),
            host: text(found, "/spec/hostnames/0"),
            backends: backends
                .map(|b| (text(b, "/name"), number(b, "port"), number(b, "weight")))
                .collect(),
        })
    }
}

/// What a Gateway needs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Routed {
    /// The route.
    pub route: Route,
    /// A Service for each centre.
    pub backends: Vec<Backend>,
    /// Where those lead.
    pub slices: Vec<Slice>,
}

/// For a placement whose centres weigh that much; nothing where it names no Gateway. A centre that does not say where traffic
/// enters it is no backend.
pub fn routed(placement: &DualActivePlacement, weights: &Weights, sites: &BTreeMap<String, Site>) -> Option<Routed> {
    let traffic = placement.spec.traffic.as_ref()?;
    let Gateway {
        name,
        namespace,
        service,
        port,
    } = traffic.gateway.as_ref()?;
    let (owner, port) = (Owner::of(placement), i64::from(*port));
    let namespace = namespace.clone().unwrap_or_else(|| owner.namespace.clone());
    let mut all = Routed {
        route: Route {
            owner: owner.clone(),
            gateway: (namespace, name.clone()),
            host: traffic.hostname.clone(),
            backends: Vec::new(),
        },
        ..Routed::default()
    };
    for (centre, weight) in weights {
        let entered = families(sites.get(centre)).collect::<Vec<_>>();
        if entered.is_empty() {
            continue;
        }
        let name = format!("{service}-{centre}");
        all.slices.extend(entered.into_iter().map(|(family, addresses)| Slice {
            owner: owner.clone(),
            service: name.clone(),
            centre: centre.clone(),
            family: family.to_owned(),
            addresses,
            port: Some(port),
            weight: *weight,
            ready: *weight > 0,
        }));
        all.route.backends.push((name.clone(), port, (*weight).min(MAX_WEIGHT)));
        let owner = owner.clone();
        all.backends.push(Backend { owner, name, port });
    }
    Some(all)
}
