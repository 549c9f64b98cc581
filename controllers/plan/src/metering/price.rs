//! What usage costs and is worth, in exact fractions: a price counts ten-thousandths, a month its seconds.

use crds::{MonthlyPrice, Price, QuotaPoolSpec, Resources};

use super::{MeteringError, Month};

/// What a pool's amounts count for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rates {
    /// Prices, each of one unit over a whole month, in 1/10 000 of the currency.
    prices: Resources,
    /// Thousandths of a vCPU that one of its vCPU is worth.
    normalization: i128,
}

/// What one unit of a price is, in the units of the ledger: a vCPU, a GiB, a TB, a card.
const UNITS: Resources = Resources {
    cpu: 1000,
    memory: 1 << 30,
    storage: 1_000_000_000_000,
    accelerators: 1,
};
/// Prices count ten-thousandths, what is charged hundredths.
const FINER: i128 = 100;

impl Rates {
    /// Reads a pool's prices and normalization; what has no price costs nothing.
    ///
    /// # Errors
    /// A price or factor that is no number.
    pub fn read(pool: &QuotaPoolSpec) -> Result<Self, MeteringError> {
        let month = pool.unit_price.as_ref().map(|p| &p.per_month);
        let read = |of: fn(&MonthlyPrice) -> &Option<Price>| match month.and_then(|m| of(m).as_ref()) {
            Some(price) => number(&price.0, 4),
            None => Ok(0),
        };
        Ok(Self {
            prices: Resources {
                cpu: read(|m| &m.cpu)?,
                memory: read(|m| &m.memory)?,
                storage: read(|m| &m.storage)?,
                accelerators: read(|m| &m.accelerators)?,
            },
            normalization: number(&pool.normalization.0, 3)?,
        })
    }

    /// Milli-vCPU × seconds, times thousandths of the normalization.
    pub fn normalized(self, used: Resources) -> i128 {
        used.cpu * self.normalization
    }

    /// Price of amounts × seconds of that month, in hundredths: the fractions of all resources are added exactly, then
    /// rounded once, half up. Nothing overflows: prices are below 10¹¹, amounts below 2⁶³, a month below 2²² seconds.
    pub fn hundredths(self, used: Resources, month: Month) -> i128 {
        let seconds = i128::from(month.end() - month.start());
        // A multiple of every unit, so that the remainders have one denominator.
        let common = (1i128 << 30) * 5i128.pow(12);
        let (mut whole, mut rest) = (0i128, 0i128);
        for (name, used) in used.iter() {
            let per = seconds * UNITS[name] * FINER;
            let product = self.prices[name].saturating_mul(used);
            whole += product / per;
            rest += product % per * (common / UNITS[name]);
        }
        let per = seconds * common * FINER;
        whole + (2 * rest + per) / (2 * per)
    }
}

/// `12.5` in units of the last of so many decimals.
fn number(text: &str, decimals: usize) -> Result<i128, MeteringError> {
    let wrong = || MeteringError::Price(text.to_owned());
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |t: &str| t.chars().all(|c| c.is_ascii_digit());
    if whole.is_empty() || whole.len() > 7 || fraction.len() > decimals || !digits(whole) || !digits(fraction) {
        return Err(wrong());
    }
    format!("{whole}{fraction:0<decimals$}").parse().map_err(|_| wrong())
}

/// `value / per`, half up to so many decimals, without zeros at the end; for a value that is not negative.
pub fn rounded(value: i128, per: i128, decimals: u32) -> String {
    let scale = 10i128.pow(decimals);
    let scaled = value / per * scale + (2 * (value % per) * scale + per) / (2 * per);
    let (whole, fraction) = (scaled / scale, scaled % scale);
    let fraction = format!("{fraction:0width$}", width = decimals as usize);
    let fraction = fraction.trim_end_matches('0');
    if fraction.is_empty() {
        whole.to_string()
    } else {
        format!("{whole}.{fraction}")
    }
}
