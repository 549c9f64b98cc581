//! A member cloud (成员云): somebody else's cluster that joins step by step, and may step back at any time.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Amounts;

/// What sort of cloud joins | 成员云类型
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum MemberType {
    /// The cloud of an industry | 行业云
    Industry,
    /// The cloud of a city | 市州政务云
    City,
    /// A data centre that is listed with its capacity, and stays `Observed` | 仅登记容量的数据中心
    DataCenter,
}

/// How far it has joined | 接入阶段
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum MemberStage {
    /// It is read and never written to | 只读，不作任何写入
    #[default]
    Observed,
    /// Each decision waits until one of its people confirms it | 每次分派须经成员云人员确认
    Advised,
    /// Decisions are carried out, within `lend` | 在出借额度内自动落实
    Scheduled,
}

/// What it lends of a pool | 一个资源池的出借额度
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[x_kube(validation = ("size(self.amounts) > 0", "name what is lent; to lend nothing leave the pool out | 须填写出借量，不出借则不列该资源池"))]
pub struct Lent {
    /// Pool | 资源池
    #[schemars(length(min = 1, max = 63))]
    pub pool: String,
    /// The most that may be used there; what is not named is not lent | 可用上限，未列出的不出借
    #[schemars(schema_with = "crate::amounts::written")]
    pub amounts: Amounts,
}

/// A cloud that joined | 接入的成员云
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = ("self.type != 'DataCenter' || self.stage == 'Observed'", "type DataCenter is listed with its capacity and stays Observed | DataCenter 类型仅登记容量，stage 须为 Observed"))]
pub struct Member {
    /// What sort of cloud it is | 类型
    #[serde(rename = "type")]
    pub type_: MemberType,
    /// How far it has joined; each step back is safe while workloads run | 接入阶段，可随时回退
    #[serde(default)]
    pub stage: MemberStage,
    /// What it lends, pool by pool; a pool that is not named is not lent | 各资源池出借额度，未列出的不出借
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["pool".into()]))]
    pub lend: Vec<Lent>,
}
