//! The objects that publish weights: EndpointSlices, one for each service and centre, and a DNSEndpoint of ExternalDNS.
//! Each is compared as what it says, so that nothing is written that stands there already.

use std::collections::BTreeMap;

use crds::{DualActivePlacement, Traffic, label, object};
use serde_json::{Value, json};

use super::{Site, Weights, services};

/// Label of a slice that names its service.
pub const SERVICE: &str = "kubernetes.io/service-name";
/// Label of a slice that names who writes it, so that the cluster's own controllers leave it alone.
pub const WRITER: &str = "endpointslice.kubernetes.io/managed-by";
/// Group, version, kind and plural.
pub type Kind = (&'static str, &'static str, &'static str, &'static str);

/// An object that publishes traffic. It is compared by what it says.
pub trait Published: Sized {
    /// How it is addressed.
    const KIND: Kind;
    /// Whose it is.
    fn owner(&self) -> &Owner;
    /// Its name; that of the placement, where there is one for each.
    fn name(&self) -> String {
        self.owner().name.clone()
    }
    /// As it is applied.
    fn object(&self) -> Value;
    /// What a stored one says; `None` where it is none of ours.
    fn read(found: &Value) -> Option<Self>;
}

/// Whether we wrote it.
pub(super) fn is_ours(found: &Value) -> bool {
    let labels = found.pointer("/metadata/labels");
    let by = labels.and_then(|labels| labels.get(label::MANAGED_BY)?.as_str());
    by == Some(object::CONTROLLER)
}

/// The placement that an object is of. It goes with it.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Owner {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its uid.
    pub uid: String,
}

impl Owner {
    /// Of that placement.
    pub fn of(placement: &DualActivePlacement) -> Self {
        let metadata = &placement.metadata;
        Self {
            namespace: metadata.namespace.clone().unwrap_or_default(),
            name: metadata.name.clone().unwrap_or_default(),
            uid: metadata.uid.clone().unwrap_or_default(),
        }
    }

    pub(super) fn read(found: &Value) -> Option<Self> {
        let owner = found.pointer("/metadata/ownerReferences/0")?;
        Some(Self {
            namespace: text(found, "/metadata/namespace"),
            name: owner.get("name")?.as_str()?.to_owned(),
            uid: owner.get("uid")?.as_str()?.to_owned(),
        })
    }

    /// Metadata of an object that is known by its labels alone.
    pub(super) fn labelled(&self, name: &str) -> Value {
        let labels = json!({label::MANAGED_BY: object::CONTROLLER, label::PLACEMENT: self.name});
        self.metadata(name, &labels, &json!({}))
    }

    fn metadata(&self, name: &str, labels: &Value, annotations: &Value) -> Value {
        json!({
            "name": name, "namespace": self.namespace, "labels": labels, "annotations": annotations,
            "ownerReferences": [{"apiVersion": "xiangyun.io/v1alpha1", "kind": "DualActivePlacement", "name": self.name,
                "uid": self.uid, "controller": true, "blockOwnerDeletion": true}],
        })
    }
}

pub(super) fn text(found: &Value, pointer: &str) -> String {
    let found = found.pointer(pointer).and_then(Value::as_str);
    found.unwrap_or_default().to_owned()
}

/// One service in one centre, with addresses of one family.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Slice {
    /// Whose it is.
    pub owner: Owner,
    /// The service.
    pub service: String,
    /// The centre.
    pub centre: String,
    /// `IPv4` or `IPv6`.
    pub family: String,
    /// The centre's addresses of that family.
    pub addresses: Vec<String>,
    /// The port behind them; without it every port is taken as there: which of them are open is the centre's to know.
    pub port: Option<i64>,
    /// Weight of the centre.
    pub weight: i64,
    /// Whether each address may be used.
    pub ready: bool,
}

impl Published for Slice {
    const KIND: Kind = ("discovery.k8s.io", "v1", "EndpointSlice", "endpointslices");

    /// `<service>-<centre>`; addresses of IPv6 stand in one of their own.
    fn name(&self) -> String {
        let family = if self.family == "IPv6" { "-ipv6" } else { "" };
        format!("{}-{}{family}", self.service, self.centre)
    }

    fn owner(&self) -> &Owner {
        &self.owner
    }

    fn object(&self) -> Value {
        let labels = json!({
            SERVICE: self.service, WRITER: object::CONTROLLER, label::MANAGED_BY: object::CONTROLLER,
            label::PLACEMENT: self.owner.name, label::CENTRE: self.centre,
        });
        let endpoint = |address| json!({"addresses": [address], "conditions": {"ready": self.ready}});
        let mut port = json!({"name": "", "protocol": "TCP"});
        if let (Some(number), Some(port)) = (self.port, port.as_object_mut()) {
            port.insert("port".to_owned(), json!(number));
        }
        json!({
            "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": self.family,
            "metadata": self.owner.metadata(&self.name(), &labels, &json!({label::WEIGHT: self.weight.to_string()})),
            "endpoints": self.addresses.iter().map(endpoint).collect::<Vec<_>>(),
            "ports": [port],
        })
    }

    fn read(found: &Value) -> Option<Self> {
        let of = |name: &str| {
            found
                .pointer("/metadata/labels")?
                .get(name)?
                .as_str()
                .map(str::to_owned)
        };
        let endpoints = found.get("endpoints").and_then(Value::as_array);
        let endpoints = || endpoints.into_iter().flatten();
        let weight = found.pointer("/metadata/annotations")?.get(label::WEIGHT)?.as_str()?;
        Some(Self {
            owner: Owner::read(found)?,
            service: of(SERVICE)?,
            centre: of(label::CENTRE)?,
            family: text(found, "/addressType"),
            addresses: endpoints().map(|e| text(e, "/addresses/0")).collect(),
            port: found.pointer("/ports/0/port").and_then(Value::as_i64),
            weight: weight.parse().ok()?,
            ready: endpoints().all(|e| e.pointer("/conditions/ready").and_then(Value::as_bool) == Some(true)),
        })
    }
}

/// The slices of a placement whose centres weigh that much.
pub fn slices(placement: &DualActivePlacement, weights: &Weights, sites: &BTreeMap<String, Site>) -> Vec<Slice> {
    let owner = Owner::of(placement);
    let names: Vec<&str> = placement
        .assignment()
        .map(|a| services(a).collect())
        .unwrap_or_default();
    let mut all = Vec::new();
    for (centre, weight) in weights {
        for (family, addresses) in families(sites.get(centre)) {
            all.extend(names.iter().map(|service| Slice {
                owner: owner.clone(),
                service: (*service).to_owned(),
                centre: centre.clone(),
                family: family.to_owned(),
                addresses: addresses.clone(),
                port: None,
                weight: *weight,
                ready: *weight > 0,
            }));
        }
    }
    all
}

/// Addresses of a centre by family; a family without any is left out.
pub(super) fn families(site: Option<&Site>) -> impl Iterator<Item = (&'static str, Vec<String>)> {
    let all = site.map(|s| s.ingress.clone()).unwrap_or_default();
    let of = move |(family, fourth): (&'static str, bool)| {
        let found = all.iter().filter(|a| a.is_ipv4() == fourth).map(ToString::to_string);
        (family, found.collect::<Vec<_>>())
    };
    let both = [("IPv4", true), ("IPv6", false)].into_iter();
    both.map(of).filter(|(_, found)| !found.is_empty())
}

/// One weighted record of a name.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Record {
    /// The name.
    pub host: String,
    /// `A` or `AAAA`.
    pub kind: String,
    /// The centre.
    pub centre: String,
    /// Its addresses.
    pub targets: Vec<String>,
    /// How long resolvers may remember it, in seconds.
    pub ttl: i64,
    /// Its weight among the records of that name.
    pub weight: i64,
}

/// The records of a placement's name.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Names {
    /// Whose they are.
    pub owner: Owner,
    /// One for each centre that is given traffic, and each family.
    pub records: Vec<Record>,
}

/// The property that carries a weight. Without a prefix, it is handed on to every provider; those with a prefix reach one.
const PROPERTY: &str = "weight";

impl Names {
    /// What should be published. A centre that is given none is left out: a provider that knows no weights would use it
    /// otherwise. Where none is left, what was published stays: that a name is gone is remembered longer than where it leads.
    pub fn of(
        placement: &DualActivePlacement,
        traffic: &Traffic,
        weights: &Weights,
        sites: &BTreeMap<String, Site>,
        before: Option<&Self>,
    ) -> Self {
        let given = weights.iter().filter(|(_, weight)| **weight > 0);
        let records = given.flat_map(|(centre, weight)| {
            families(sites.get(centre)).map(move |(family, targets)| Record {
                host: traffic.hostname.clone(),
                kind: if family == "IPv4" { "A" } else { "AAAA" }.to_owned(),
                centre: centre.clone(),
                targets,
                ttl: i64::from(traffic.ttl_seconds),
                weight: *weight,
            })
        });
        let mut records: Vec<Record> = records.collect();
        if records.is_empty() {
            records = before.map(|b| b.records.clone()).unwrap_or_default();
            records.retain(|r| r.host == traffic.hostname);
        }
        let owner = Owner::of(placement);
        Self { owner, records }
    }
}

impl Published for Names {
    const KIND: Kind = ("externaldns.k8s.io", "v1alpha1", "DNSEndpoint", "dnsendpoints");

    fn owner(&self) -> &Owner {
        &self.owner
    }

    fn object(&self) -> Value {
        let (group, version, kind, _) = Self::KIND;
        let endpoint = |r: &Record| {
            json!({
                "dnsName": r.host, "recordType": r.kind, "targets": r.targets, "recordTTL": r.ttl,
                "setIdentifier": r.centre, "providerSpecific": [{"name": PROPERTY, "value": r.weight.to_string()}],
            })
        };
        json!({
            "apiVersion": format!("{group}/{version}"), "kind": kind,
            "metadata": self.owner.labelled(&self.owner.name),
            "spec": {"endpoints": self.records.iter().map(endpoint).collect::<Vec<_>>()},
        })
    }

    fn read(found: &Value) -> Option<Self> {
        is_ours(found).then_some(())?;
        let endpoints = found.pointer("/spec/endpoints").and_then(Value::as_array);
        let record = |e: &Value| Record {
            host: text(e, "/dnsName"),
            kind: text(e, "/recordType"),
            centre: text(e, "/setIdentifier"),
            targets: e.get("targets").and_then(Value::as_array).map_or_else(Vec::new, |all| {
                all.iter().filter_map(Value::as_str).map(str::to_owned).collect()
            }),
            ttl: e.get("recordTTL").and_then(Value::as_i64).unwrap_or_default(),
            weight: weight(e).unwrap_or_default(),
        };
        Some(Self {
            owner: Owner::read(found)?,
            records: endpoints.into_iter().flatten().map(record).collect(),
        })
    }
}

fn weight(endpoint: &Value) -> Option<i64> {
    let all = endpoint.get("providerSpecific")?.as_array()?;
    let found = all.iter().find(|p| text(p, "/name") == PROPERTY)?;
    text(found, "/value").parse().ok()
}

/// What was published last: as the slices have it, or the names where there is no service. It is what stays while nobody
/// knows better, also after a restart.
pub fn published<'a>(owner: &Owner, slices: impl Iterator<Item = &'a Slice>, records: Option<&Names>) -> Weights {
    let named = records.into_iter().flat_map(|n| &n.records);
    let mut all: Weights = named.map(|r| (r.centre.clone(), r.weight)).collect();
    let own = slices.filter(|s| s.owner == *owner);
    all.extend(own.map(|s| (s.centre.clone(), s.weight)));
    all
}
