//! The kinds of templates that can be placed.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A kind that can be placed | 可部署的类型
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum TemplateKind {
    /// Account of pods | 服务账号
    ServiceAccount,
    /// Settings | 配置
    ConfigMap,
    /// Secrets | 密钥
    Secret,
    /// Volumes | 存储卷声明
    PersistentVolumeClaim,
    /// Addresses | 服务
    Service,
    /// Disruption budgets | 中断预算
    PodDisruptionBudget,
    /// Copies without identity | 无状态负载
    Deployment,
    /// Copies with identity | 有状态负载
    StatefulSet,
    /// A copy on each node | 守护进程集
    DaemonSet,
    /// Work that ends | 任务
    Job,
    /// Work by the clock | 定时任务
    CronJob,
    /// Scaling by load | 弹性伸缩
    HorizontalPodAutoscaler,
    /// Routes from outside | 入口路由
    Ingress,
}

impl TemplateKind {
    /// All of them, in the order in which they are applied; they leave in the opposite order.
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

    /// As it stands in `kind`.
    pub const fn name(self) -> &'static str {
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
        }
    }

    /// Group and version.
    pub const fn group_version(self) -> (&'static str, &'static str) {
        match self {
            Self::ServiceAccount | Self::ConfigMap | Self::Secret | Self::PersistentVolumeClaim | Self::Service => {
                ("", "v1")
            }
            Self::PodDisruptionBudget => ("policy", "v1"),
            Self::Deployment | Self::StatefulSet | Self::DaemonSet => ("apps", "v1"),
            Self::Job | Self::CronJob => ("batch", "v1"),
            Self::HorizontalPodAutoscaler => ("autoscaling", "v2"),
            Self::Ingress => ("networking.k8s.io", "v1"),
        }
    }

    /// As it stands in paths.
    pub const fn plural(self) -> &'static str {
        match self {
            Self::ServiceAccount => "serviceaccounts",
            Self::ConfigMap => "configmaps",
            Self::Secret => "secrets",
            Self::PersistentVolumeClaim => "persistentvolumeclaims",
            Self::Service => "services",
            Self::PodDisruptionBudget => "poddisruptionbudgets",
            Self::Deployment => "deployments",
            Self::StatefulSet => "statefulsets",
            Self::DaemonSet => "daemonsets",
            Self::Job => "jobs",
            Self::CronJob => "cronjobs",
            Self::HorizontalPodAutoscaler => "horizontalpodautoscalers",
            Self::Ingress => "ingresses",
        }
    }

    /// Whether copies of it are divided.
    pub const fn has_copies(self) -> bool {
        matches!(self, Self::Deployment | Self::StatefulSet)
    }

    /// Whether new versions of it replace pods step by step.
    pub const fn rolls(self) -> bool {
        matches!(self, Self::Deployment | Self::StatefulSet | Self::DaemonSet)
    }

    /// Whether it runs to an end, and so in one centre only.
    pub const fn is_job(self) -> bool {
        matches!(self, Self::Job | Self::CronJob)
    }
}
