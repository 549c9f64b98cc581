//! The kinds of templates that can be placed: those that are built in, and those that a `PlaceableKind` names.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use kube::core::{ApiResource, GroupVersionKind};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// How objects of a kind are addressed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// Group; empty for the core.
    pub group: String,
    /// Version.
    pub version: String,
    /// Kind, as in a manifest.
    pub kind: String,
    /// Plural, as in paths.
    pub plural: String,
}

impl Address {
    /// As a client takes it.
    pub fn resource(&self) -> ApiResource {
        let named = GroupVersionKind::gvk(&self.group, &self.version, &self.kind);
        ApiResource::from_gvk_with_plural(&named, &self.plural)
    }
}

/// A custom kind as it is written, kind and group: `Widget.example.org`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CustomKind(Arc<str>);

/// A kind that can be placed; a custom one with its group, such as `Widget.example.org`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TemplateKind {
    /// Account of pods
    ServiceAccount,
    /// Settings
    ConfigMap,
    /// Secrets
    Secret,
    /// Volumes
    PersistentVolumeClaim,
    /// Addresses
    Service,
    /// Disruption budgets
    PodDisruptionBudget,
    /// Copies without identity
    Deployment,
    /// Copies with identity
    StatefulSet,
    /// A copy on each node
    DaemonSet,
    /// Work that ends
    Job,
    /// Work by the clock
    CronJob,
    /// Scaling by load
    HorizontalPodAutoscaler,
    /// Routes from outside
    Ingress,
    /// Of which a `PlaceableKind` says how it is addressed. The last, because custom resources refer to what is built in.
    Custom(CustomKind),
}

/// The text names no kind that could be placed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is neither a built-in kind nor a custom one with its group, such as Widget.example.org")]
pub struct NoTemplateKind(String);

impl TemplateKind {
    /// Those that are built in, in the order in which they are applied; they leave in the opposite order.
    pub const ALL: [Self; 13] = [
        Self::ServiceAccount,
        Self::ConfigMap,
        Self::Secret,
        Self::PersistentVolumeClaim,
        Self::Service,
        Self::PodDisruptionBudget,
        Self::Deployment,
        Self::StatefulSet,
        Self::DaemonSet,
        Self::Job,
        Self::CronJob,
        Self::HorizontalPodAutoscaler,
        Self::Ingress,
    ];

    /// Kinds that pods refer to.
    pub const REFERRED: [Self; 4] = [
        Self::ServiceAccount,
        Self::ConfigMap,
        Self::Secret,
        Self::PersistentVolumeClaim,
    ];

    /// The custom kind of that group.
    pub fn custom(kind: &str, group: &str) -> Self {
        Self::Custom(CustomKind(format!("{kind}.{group}").into()))
    }

    /// As it is written in placements: `Deployment`, `Widget.example.org`.
    pub fn name(&self) -> &str {
        match self {
            Self::Custom(CustomKind(name)) => name,
            built_in => built_in.label(),
        }
    }

    /// One of a closed set, for labels of metrics.
    pub const fn label(&self) -> &'static str {
        match self {
            Self::ServiceAccount => "ServiceAccount",
            Self::ConfigMap => "ConfigMap",
            Self::Secret => "Secret",
            Self::PersistentVolumeClaim => "PersistentVolumeClaim",
            Self::Service => "Service",
            Self::PodDisruptionBudget => "PodDisruptionBudget",
            Self::Deployment => "Deployment",
            Self::StatefulSet => "StatefulSet",
            Self::DaemonSet => "DaemonSet",
            Self::Job => "Job",
            Self::CronJob => "CronJob",
            Self::HorizontalPodAutoscaler => "HorizontalPodAutoscaler",
            Self::Ingress => "Ingress",
            Self::Custom(_) => "custom",
        }
    }

    /// How a built-in kind is addressed.
    pub fn address(&self) -> Option<Address> {
        let (group, version, plural) = match self {
            Self::ServiceAccount => ("", "v1", "serviceaccounts"),
            Self::ConfigMap => ("", "v1", "configmaps"),
            Self::Secret => ("", "v1", "secrets"),
            Self::PersistentVolumeClaim => ("", "v1", "persistentvolumeclaims"),
            Self::Service => ("", "v1", "services"),
            Self::PodDisruptionBudget => ("policy", "v1", "poddisruptionbudgets"),
            Self::Deployment => ("apps", "v1", "deployments"),
            Self::StatefulSet => ("apps", "v1", "statefulsets"),
            Self::DaemonSet => ("apps", "v1", "daemonsets"),
            Self::Job => ("batch", "v1", "jobs"),
            Self::CronJob => ("batch", "v1", "cronjobs"),
            Self::HorizontalPodAutoscaler => ("autoscaling", "v2", "horizontalpodautoscalers"),
            Self::Ingress => ("networking.k8s.io", "v1", "ingresses"),
            Self::Custom(_) => return None,
        };
        Some(Address {
            group: group.to_owned(),
            version: version.to_owned(),
            kind: self.name().to_owned(),
            plural: plural.to_owned(),
        })
    }

    /// Whether it is a custom kind.
    pub const fn is_custom(&self) -> bool {
        matches!(self, Self::Custom(_))
    }

    /// Whether copies of a built-in kind are divided.
    pub const fn has_copies(&self) -> bool {
        matches!(self, Self::Deployment | Self::StatefulSet)
    }

    /// Whether new versions of it replace pods step by step.
    pub const fn rolls(&self) -> bool {
        matches!(self, Self::Deployment | Self::StatefulSet | Self::DaemonSet)
    }

    /// Whether it runs to an end, and so in one centre only.
    pub const fn is_job(&self) -> bool {
        matches!(self, Self::Job | Self::CronJob)
    }
}

impl fmt::Debug for CustomKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The same that the schema's pattern says.
fn is_custom(text: &str) -> bool {
    let Some((kind, group)) = text.split_once('.') else {
        return false;
    };
    let part = |p: &str| {
        let mut chars = p.chars();
        chars
            .next()
            .is_some_and(|c| c.is_ascii_lowercase() || c.is_ascii_digit())
            && chars.all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
    };
    kind.starts_with(|c: char| c.is_ascii_uppercase())
        && kind.chars().all(|c| c.is_ascii_alphanumeric())
        && group.contains('.')
        && group.split('.').all(part)
}

impl FromStr for TemplateKind {
    type Err = NoTemplateKind;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let built_in = Self::ALL.into_iter().find(|k| k.name() == text);
        let custom = || is_custom(text).then(|| Self::Custom(CustomKind(text.into())));
        built_in.or_else(custom).ok_or_else(|| NoTemplateKind(text.to_owned()))
    }
}

impl Serialize for TemplateKind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for TemplateKind {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<str>::deserialize(deserializer)?;
        text.parse().map_err(D::Error::custom)
    }
}

impl JsonSchema for TemplateKind {
    fn schema_name() -> Cow<'static, str> {
        "TemplateKind".into()
    }
    fn inline_schema() -> bool {
        true
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let built_in = Self::ALL.map(|k| k.label()).join("|");
        let custom = "[A-Z][A-Za-z0-9]*([.][a-z0-9][-a-z0-9]*){2,}";
        json_schema!({
            "type": "string",
            "description": "A built-in kind, or a custom one with its group, such as Widget.example.org, of which there is a PlaceableKind | 内置类型，或带组名的自定义类型（须有对应 PlaceableKind）",
            "pattern": format!("^({built_in}|{custom})$"),
            "maxLength": 253,
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "an assumption that fails is a test that fails")]

    use super::*;

    #[test]
    fn it_is_written_as_one_word() {
        for kind in TemplateKind::ALL {
            assert_eq!(kind.name().parse(), Ok(kind.clone()));
            assert!(kind.address().is_some());
        }
        let widget: TemplateKind = serde_json::from_str(r#""Widget.example.org""#).unwrap();
        assert_eq!(widget, TemplateKind::custom("Widget", "example.org"));
        assert_eq!(serde_json::to_string(&widget).unwrap(), r#""Widget.example.org""#);
        assert_eq!((widget.label(), widget.address()), ("custom", None));
        assert!(widget > TemplateKind::Ingress);
        for wrong in [
            "",
            "Pod",
            "Widget.example",
            "widget.example.org",
            "Widget..org",
            "Widget.example.org ",
            "W.a.B",
        ] {
            assert!(wrong.parse::<TemplateKind>().is_err(), "{wrong}");
        }
    }
}
