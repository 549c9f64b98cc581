//! What differs in one centre of a placement.

use std::collections::BTreeMap;

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::TemplateKind;

/// Which templates an override is about | 覆盖的对象
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OverrideTarget {
    /// Kind | 类型
    pub kind: TemplateKind,
    /// Its name; every template of the kind without one | 名称，缺省为该类全部
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub name: Option<String>,
}

/// Another image of a container | 镜像
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ImageOverride {
    /// Container; every one without a name | 容器，缺省为全部
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63))]
    pub container: Option<String>,
    /// The whole image | 完整镜像名
    #[schemars(length(min = 1, max = 512))]
    pub image: String,
}

/// A variable of a container | 环境变量
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct EnvOverride {
    /// Container; every one without a name | 容器，缺省为全部
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63))]
    pub container: Option<String>,
    /// Its name; one that is there is replaced | 变量名
    #[schemars(length(min = 1, max = 256))]
    pub name: String,
    /// Its value | 值
    #[schemars(length(max = 4096))]
    pub value: String,
}

/// Other arguments of a container | 启动参数
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ArgsOverride {
    /// Container; every one without a name | 容器，缺省为全部
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63))]
    pub container: Option<String>,
    /// All of its arguments | 全部参数
    #[schemars(length(max = 64), inner(length(max = 4096)))]
    pub args: Vec<String>,
}

/// What a step of a patch does | 补丁操作
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum PatchOp {
    /// Adds, or sets a field | 新增
    Add,
    /// Replaces what is there | 替换
    Replace,
    /// Takes away what is there | 删除
    Remove,
}

/// One step of a JSON patch, RFC 6902 | JSON Patch 操作
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PatchStep {
    /// What it does | 操作
    pub op: PatchOp,
    /// Where, as an RFC 6901 pointer | 路径
    #[schemars(length(min = 2, max = 512), regex(pattern = r"^/"))]
    pub path: String,
    /// What is put there | 值
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "anything")]
    pub value: Option<Value>,
}

fn anything(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({"description": "What is put there | 值", "x-kubernetes-preserve-unknown-fields": true})
}

/// What differs in one centre | 单中心差异
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Override {
    /// Centre | 中心
    #[schemars(length(min = 1, max = 63))]
    pub centre: String,
    /// Which templates | 对象
    pub target: OverrideTarget,
    /// Images | 镜像
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    pub images: Vec<ImageOverride>,
    /// Variables | 环境变量
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    pub env: Vec<EnvOverride>,
    /// Arguments | 启动参数
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    pub args: Vec<ArgsOverride>,
    /// Labels of the object; those of its pods by jsonPatch | 对象标签
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 16))]
    pub labels: BTreeMap<String, String>,
    /// Annotations of the object | 对象注解
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 16))]
    pub annotations: BTreeMap<String, String>,
    /// Copies there, whatever the split says; the other centres share the rest | 固定副本数
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 10000))]
    pub replicas: Option<i32>,
    /// Storage class of a claim, or of a StatefulSet's claims | 存储类
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub storage_class: Option<String>,
    /// Anything else; applied last, in this order | 其他差异，最后按序执行
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    pub json_patch: Vec<PatchStep>,
}

impl Override {
    /// Whether it is about that object in that centre.
    pub fn concerns(&self, centre: &str, kind: &TemplateKind, name: &str) -> bool {
        let target = &self.target;
        self.centre == centre && target.kind == *kind && target.name.as_deref().is_none_or(|n| n == name)
    }
}
