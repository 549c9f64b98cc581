//! Amounts of a pool's resources as exact numbers: what is added up and compared.

use std::fmt;
use std::ops::{Index, IndexMut};

use crate::amounts::{Amount, AmountError, Amounts};

/// What the ledger counts with: exact integers, cpu in milli-vCPU, memory and storage in bytes, cards as cards.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Resources {
    /// Milli-vCPU.
    pub cpu: i128,
    /// Bytes.
    pub memory: i128,
    /// Bytes.
    pub storage: i128,
    /// Whole cards.
    pub accelerators: i128,
}

impl Resources {
    /// Names in the order in which they are printed.
    pub const NAMES: [&'static str; 4] = ["cpu", "memory", "storage", "accelerators"];

    /// More of everything than there can be, and little enough to be added up.
    pub const BOUNDLESS: Self = Self {
        cpu: i64::MAX as i128,
        memory: i64::MAX as i128,
        storage: i64::MAX as i128,
        accelerators: i64::MAX as i128,
    };

    /// Nothing of anything.
    pub const ZERO: Self = Self {
        cpu: 0,
        memory: 0,
        storage: 0,
        accelerators: 0,
    };

    /// Applies `f` to each resource of both.
    #[must_use]
    pub fn zip(self, other: Self, f: impl Fn(i128, i128) -> i128) -> Self {
        Self {
            cpu: f(self.cpu, other.cpu),
            memory: f(self.memory, other.memory),
            storage: f(self.storage, other.storage),
            accelerators: f(self.accelerators, other.accelerators),
        }
    }

    /// The sum, saturating: amounts are 64-bit, so a saturated sum is larger than any pool and is refused as such.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        self.zip(other, i128::saturating_add)
    }

    /// The difference; may be negative where more is charged than there is.
    #[must_use]
    pub fn minus(self, other: Self) -> Self {
        self.zip(other, i128::saturating_sub)
    }

    /// The larger of both, resource by resource.
    #[must_use]
    pub fn each_max(self, other: Self) -> Self {
        self.zip(other, i128::max)
    }

    /// The smaller of both, resource by resource.
    #[must_use]
    pub fn each_min(self, other: Self) -> Self {
        self.zip(other, i128::min)
    }

    /// Whether every resource of `self` fits in `room`; a resource that is not asked always fits.
    pub fn fits(self, room: Self) -> bool {
        self.zip(room, |asked, room| (asked > 0 && asked > room).into())
            .is_zero()
    }

    /// Whether nothing is asked.
    pub fn is_zero(self) -> bool {
        self == Self::ZERO
    }

    /// Name and value of each.
    pub fn iter(self) -> impl Iterator<Item = (&'static str, i128)> {
        let values = [self.cpu, self.memory, self.storage, self.accelerators];
        Self::NAMES.into_iter().zip(values)
    }

    /// In the form that is stored, zero amounts left out.
    pub fn to_amounts(self) -> Amounts {
        Amounts(
            self.iter()
                .filter(|(_, v)| *v != 0)
                .map(|(n, v)| (n.to_owned(), Self::amount(n, v)))
                .collect(),
        )
    }

    /// One amount of the resource `name` in its own spelling.
    pub fn amount(name: &str, value: i128) -> Amount {
        match name {
            "cpu" => Amount::from_cpu(value),
            "accelerators" => Amount(value.to_string()),
            _ => Amount::from_bytes(value),
        }
    }
}

impl Index<&str> for Resources {
    type Output = i128;
    /// `accelerators` for any name that is none of the first three; callers take names from [`Resources::NAMES`].
    fn index(&self, name: &str) -> &i128 {
        match name {
            "cpu" => &self.cpu,
            "memory" => &self.memory,
            "storage" => &self.storage,
            _ => &self.accelerators,
        }
    }
}

impl IndexMut<&str> for Resources {
    fn index_mut(&mut self, name: &str) -> &mut i128 {
        match name {
            "cpu" => &mut self.cpu,
            "memory" => &mut self.memory,
            "storage" => &mut self.storage,
            _ => &mut self.accelerators,
        }
    }
}

impl TryFrom<&Amounts> for Resources {
    type Error = AmountError;
    fn try_from(amounts: &Amounts) -> Result<Self, AmountError> {
        let mut out = Self::ZERO;
        for (key, amount) in &amounts.0 {
            let name = Self::NAMES
                .into_iter()
                .find(|n| n == key)
                .ok_or_else(|| AmountError::UnknownResource(key.clone()))?;
            out[name] = amount.parse(name)?;
        }
        Ok(out)
    }
}

impl fmt::Display for Resources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts: Vec<_> = self
            .iter()
            .filter(|(_, v)| *v != 0)
            .map(|(n, v)| format!("{n} {}", Self::amount(n, v).0))
            .collect();
        f.write_str(if parts.is_empty() { "0" } else { "" })?;
        f.write_str(&parts.join(", "))
    }
}
