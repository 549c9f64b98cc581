//! What a month of an amount costs.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Currency | 币种
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Currency {
    /// Renminbi | 人民币
    #[default]
    #[serde(rename = "CNY")]
    Cny,
}

/// A price, four decimals at the most | 价格，最多四位小数
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Price(pub String);

impl JsonSchema for Price {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Price".into()
    }
    fn inline_schema() -> bool {
        true
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({"type": "string", "maxLength": 12, "pattern": "^[0-9]{1,7}([.][0-9]{1,4})?$"})
    }
}

/// What a vCPU of one pool is worth beside that of another, three decimals at the most, such as 0.85 | 算力折算系数，最多三位小数
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Normalization(pub String);

impl Default for Normalization {
    fn default() -> Self {
        Self("1".to_owned())
    }
}

impl Normalization {
    /// A vCPU is a vCPU.
    pub fn is_one(&self) -> bool {
        *self == Self::default()
    }
}

impl JsonSchema for Normalization {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Normalization".into()
    }
    fn inline_schema() -> bool {
        true
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({"type": "string", "maxLength": 6, "pattern": "^([1-9][0-9]?([.][0-9]{1,3})?|0[.][0-9]{0,2}[1-9])$"})
    }
}

/// Prices of a whole calendar month; what is not listed costs nothing | 月单价，未列出的不计费
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct MonthlyPrice {
    /// Of a vCPU | 每vCPU
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu: Option<Price>,
    /// Of a GiB of memory | 每GiB内存
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory: Option<Price>,
    /// Of a TB of storage, 10¹² bytes | 每TB存储
    #[serde(skip_serializing_if = "Option::is_none")]
    pub storage: Option<Price>,
    /// Of a card | 每卡
    #[serde(skip_serializing_if = "Option::is_none")]
    pub accelerators: Option<Price>,
}

/// What a grant costs; a change counts for what is not final yet | 单价，变更适用于尚未定稿的用量
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct UnitPrice {
    /// Currency | 币种
    pub currency: Currency,
    /// Prices of a month | 月单价
    pub per_month: MonthlyPrice,
}
