//! Gauges whose rows are replaced as a whole: what is gone must not go on being shown.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use prometheus::{GaugeVec, Opts, Registry};

/// One gauge with a row for each value of its labels.
#[derive(Clone, Debug)]
pub struct Rows {
    gauge: GaugeVec,
    shown: Arc<Mutex<BTreeSet<Vec<String>>>>,
}

impl Rows {
    /// Registers it.
    ///
    /// # Errors
    /// A name that is registered already.
    pub fn new(registry: &Registry, name: &str, says: &str, labels: &[&str]) -> prometheus::Result<Self> {
        let gauge = GaugeVec::new(Opts::new(name, says), labels)?;
        registry.register(Box::new(gauge.clone()))?;
        Ok(Self {
            gauge,
            shown: Arc::default(),
        })
    }

    /// Shows these rows and no others. A row that stays is never absent in between.
    pub fn replace(&self, rows: impl IntoIterator<Item = (Vec<String>, f64)>) {
        let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        let mut next = BTreeSet::new();
        for (labels, value) in rows {
            self.gauge.with_label_values(&labels).set(value);
            next.insert(labels);
        }
        for gone in shown.difference(&next) {
            // It was shown, so it is there.
            drop(self.gauge.remove_label_values(gone));
        }
        *shown = next;
    }
}

/// A count as a gauge shows it.
#[allow(clippy::cast_precision_loss, reason = "no count of objects reaches 2^53")]
pub fn count(number: usize) -> f64 {
    number as f64
}

/// vCPU, bytes or cards. A gauge is a float; figures up to 2^53 are exact, which is 9 PB in bytes.
#[allow(clippy::cast_precision_loss, reason = "a gauge is a float by definition")]
pub fn in_unit(resource: &str, value: i128) -> f64 {
    let value = value as f64;
    if resource == "cpu" { value / 1000.0 } else { value }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_gone_is_not_shown() {
        let registry = Registry::new();
        let rows = Rows::new(&registry, "pools", "pools", &["pool"]).unwrap();
        let row = |name: &str, value| (vec![name.to_owned()], value);
        rows.replace([row("x86", 1.0), row("arm", 2.0)]);
        rows.replace([row("arm", 3.0)]);
        let families = registry.gather();
        let shown: Vec<f64> = families[0]
            .get_metric()
            .iter()
            .map(|m| m.get_gauge().get_value())
            .collect();
        assert_eq!(shown, [3.0]);
    }
}
