//! Amounts as users write them, and as the ledger counts them.

use std::borrow::Cow;

use litemap::LiteMap;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// One Kubernetes quantity as it was written: `"64"`, `256Gi`, `500m`, or a bare integer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, PartialOrd, Ord)]
#[serde(transparent)]
pub struct Amount(pub String);

impl<'de> Deserialize<'de> for Amount {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum IntOrString {
            Int(i64),
            String(String),
        }
        Ok(match IntOrString::deserialize(deserializer)? {
            IntOrString::Int(i) => Self(i.to_string()),
            IntOrString::String(s) => Self(s),
        })
    }
}

impl JsonSchema for Amount {
    fn schema_name() -> Cow<'static, str> {
        "Amount".into()
    }
    fn inline_schema() -> bool {
        true
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "x-kubernetes-int-or-string": true,
            "anyOf": [{"type": "integer"}, {"type": "string"}],
            "maxLength": 24,
        })
    }
}

impl From<&str> for Amount {
    fn from(s: &str) -> Self {
        Self(s.to_owned())
    }
}

/// Why a quantity was not understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AmountError {
    /// Not a Kubernetes quantity.
    #[error("{0:?} is not a quantity; write for example 64, 500m or 256Gi | {0:?} 不是合法数量，例如 64、500m、256Gi")]
    Syntax(String),
    /// Smaller than the finest step of its resource.
    #[error("{value} is finer than the smallest step {step} of {resource} | {value} 小于 {resource} 的最小单位 {step}")]
    TooFine {
        /// What was written.
        value: String,
        /// Which resource.
        resource: &'static str,
        /// Its finest step.
        step: &'static str,
    },
    /// Below zero.
    #[error("{0} is negative | {0} 为负数")]
    Negative(String),
    /// Above the int64 of its unit.
    #[error("{0} is larger than any cloud | {0} 超出可表示范围")]
    TooLarge(String),
    /// A key that is no resource.
    #[error("unknown resource {0:?}; known: cpu, memory, storage, accelerators | 未知资源 {0:?}")]
    UnknownResource(String),
}

/// A map of amounts: `cpu` in vCPU, `memory` and `storage` in bytes, `accelerators` in whole cards.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Amounts(pub LiteMap<String, Amount>);

impl Serialize for Amounts {
    /// By itself the map would be a list where it is empty.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter())
    }
}

impl JsonSchema for Amounts {
    fn schema_name() -> Cow<'static, str> {
        "Amounts".into()
    }
    fn inline_schema() -> bool {
        true
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "object",
            "description": "cpu in vCPU, memory and storage in bytes, accelerators in whole cards | cpu 以 vCPU 计，memory 与 storage 以字节计，accelerators 以整卡计",
            "maxProperties": 4,
            "additionalProperties": generator.subschema_for::<Amount>(),
        })
    }
}

/// None is stated.
pub(crate) fn none(amounts: &Amounts) -> bool {
    amounts.0.is_empty()
}

/// The schema of amounts that people write: as [`Amounts`], with the rules that refuse an unknown resource and what is
/// finer, negative or larger than the unit allows. The API server's `isInteger` is false for binary units from 100Ti up,
/// hence a pattern. Amounts that only programs write carry no rules, because the API
/// server bounds the cost of all rules of a kind together.
pub(crate) fn written(generator: &mut SchemaGenerator) -> Schema {
    let mut schema = Amounts::json_schema(generator);
    schema.insert(
        "x-kubernetes-validations".to_owned(),
        serde_json::json!([
            {
                "rule": "self.all(k, k in ['cpu', 'memory', 'storage', 'accelerators'])",
                "message": "unknown resource; known: cpu, memory, storage, accelerators | 未知资源；可用：cpu、memory、storage、accelerators",
            },
            {
                "rule": "self.all(k, k == 'cpu' ? string(self[k]).matches('^[0-9]{1,15}([.][0-9]{1,3}|m|k)?$') : string(self[k]).matches('^[0-9]{1,19}(k|[MGTPE]|[KMGTPE]i)?$') && quantity(string(self[k])).isLessThan(quantity('8Ei')))",
                "message": "an amount is not negative and within 64 bits: cpu in steps of 1m, all others a whole number with a unit such as 1536Mi | 数量不得为负且不超过 64 位；cpu 最小 1m，其余为整数加单位，例如 1536Mi",
            },
        ]),
    );
    schema
}

/// Binary suffixes, as Kubernetes spells them.
const BINARY: [(&str, i128); 6] = [
    ("Ki", 1 << 10),
    ("Mi", 1 << 20),
    ("Gi", 1 << 30),
    ("Ti", 1 << 40),
    ("Pi", 1 << 50),
    ("Ei", 1 << 60),
];
/// Decimal suffixes, as a power of ten.
const DECIMAL: [(&str, i32); 9] = [
    ("n", -9),
    ("u", -6),
    ("m", -3),
    ("k", 3),
    ("M", 6),
    ("G", 9),
    ("T", 12),
    ("P", 15),
    ("E", 18),
];

impl Amount {
    /// Units of 10⁻ᵈⁱᵍⁱᵗˢ, exactly; `None` when it is no quantity or not a multiple of that unit.
    fn scaled(&self, digits: i32) -> Option<i128> {
        let s = self.0.trim();
        let (number, factor, mut exponent) =
            if let Some((n, f)) = BINARY.iter().find_map(|(x, f)| Some((s.strip_suffix(x)?, *f))) {
                (n, f, 0)
            } else if let Some((n, e)) = DECIMAL.iter().find_map(|(x, e)| Some((s.strip_suffix(x)?, *e))) {
                (n, 1, e)
            } else if let Some((n, e)) = s.split_once(['e', 'E']) {
                (n, 1, e.parse::<i32>().ok().filter(|e| e.abs() <= 30)?)
            } else {
                (s, 1, 0)
            };
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        let unsigned = whole.strip_prefix(['+', '-']).unwrap_or(whole);
        if unsigned.is_empty() && fraction.is_empty()
            || !(unsigned.chars().chain(fraction.chars())).all(|c| c.is_ascii_digit())
        {
            return None;
        }
        exponent += digits - i32::try_from(fraction.len()).ok()?;
        let mantissa: i128 = format!("{unsigned}{fraction}").parse().ok()?;
        let value = mantissa.checked_mul(factor)?;
        let power = 10i128.checked_pow(exponent.unsigned_abs())?;
        let value = if exponent >= 0 {
            value.checked_mul(power)?
        } else if value % power == 0 {
            value / power
        } else {
            return None;
        };
        Some(if whole.starts_with('-') { -value } else { value })
    }

    /// The amount as an exact integer: milli-vCPU for `cpu`, otherwise units (bytes, cards).
    ///
    /// # Errors
    /// What is wrong with it, in words for the user.
    pub fn parse(&self, resource: &'static str) -> Result<i128, AmountError> {
        let (digits, step) = if resource == "cpu" { (3, "1m") } else { (0, "1") };
        let value = match self.scaled(digits) {
            Some(v) => v,
            None if self.scaled(12).is_some() => {
                return Err(AmountError::TooFine {
                    value: self.0.clone(),
                    resource,
                    step,
                });
            }
            None if self
                .0
                .trim_start_matches(['+', '-'])
                .starts_with(|c: char| c.is_ascii_digit())
                && self.0.contains(['e', 'E']) =>
            {
                return Err(AmountError::TooLarge(self.0.clone()));
            }
            None => return Err(AmountError::Syntax(self.0.clone())),
        };
        if value < 0 {
            return Err(AmountError::Negative(self.0.clone()));
        }
        if value > i128::from(i64::MAX) {
            return Err(AmountError::TooLarge(self.0.clone()));
        }
        Ok(value)
    }

    /// Milli-vCPU in the shortest exact spelling.
    pub fn from_cpu(milli: i128) -> Self {
        Self(if milli % 1000 == 0 {
            (milli / 1000).to_string()
        } else {
            format!("{milli}m")
        })
    }

    /// Bytes in the shortest exact spelling, binary units first.
    pub fn from_bytes(bytes: i128) -> Self {
        let binary = BINARY
            .iter()
            .rev()
            .find(|(_, f)| bytes != 0 && bytes % f == 0)
            .map(|(s, f)| format!("{}{s}", bytes / f));
        let decimal = DECIMAL.iter().rev().filter(|(_, e)| *e > 0).find_map(|(s, e)| {
            let f = 10i128.pow(e.unsigned_abs());
            (bytes != 0 && bytes % f == 0).then(|| format!("{}{s}", bytes / f))
        });
        let plain = bytes.to_string();
        Self(
            [binary, decimal]
                .into_iter()
                .flatten()
                .fold(plain, |best, s| if s.len() < best.len() { s } else { best }),
        )
    }
}

#[cfg(test)]
mod tests;
