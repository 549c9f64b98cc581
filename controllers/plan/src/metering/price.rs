//! What usage costs, in exact fractions: a price counts ten-thousandths, a month its seconds.

use crds::{Price, Resources, UnitPrice};

use super::{MeteringError, Month};

/// Prices of a pool, each of one unit over a whole month, in 1/10 000 of the currency.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Prices(Resources);

/// What one unit of a price is, in the units of the ledger: a vCPU, a GiB, a TB, a card.
const UNITS: Resources = Resources {
    cpu: 1000,
    memory: 1 << 30,
    storage: 1_000_000_000_000,
    accelerators: 1,
};
/// Prices count ten-thousandths, what is charged hundredths.
const FINER: i128 = 100;

impl Prices {
    /// Reads a pool's prices; what is not listed costs nothing.
    ///
    /// # Errors
    /// A price that is no number.
    pub fn read(unit_price: Option<&UnitPrice>) -> Result<Self, MeteringError> {
        let Some(month) = unit_price.map(|p| &p.per_month) else {
            return Ok(Self::default());
        };
        let read = |p: Option<&Price>| p.map_or(Ok(0), number);
        Ok(Self(Resources {
            cpu: read(month.cpu.as_ref())?,
            memory: read(month.memory.as_ref())?,
            storage: read(month.storage.as_ref())?,
            accelerators: read(month.accelerators.as_ref())?,
        }))
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
            let product = self.0[name].saturating_mul(used);
            whole += product / per;
            rest += product % per * (common / UNITS[name]);
        }
        let per = seconds * common * FINER;
        whole + (2 * rest + per) / (2 * per)
    }
}

/// `12.5` in ten-thousandths.
fn number(price: &Price) -> Result<i128, MeteringError> {
    let wrong = || MeteringError::Price(price.0.clone());
    let (whole, fraction) = price.0.split_once('.').unwrap_or((&price.0, ""));
    let digits = |t: &str| t.chars().all(|c| c.is_ascii_digit());
    if whole.is_empty() || whole.len() > 7 || fraction.len() > 4 || !digits(whole) || !digits(fraction) {
        return Err(wrong());
    }
    format!("{whole}{fraction:0<4}").parse().map_err(|_| wrong())
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
