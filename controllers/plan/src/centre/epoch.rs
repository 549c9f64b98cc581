//! The highest epoch seen, for each ledger. A decision of an older one is not carried out: whoever made it may have been
//! replaced since.

use std::collections::BTreeMap;

/// Highest epoch seen by ledger uid. A new ledger counts from the start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Floors(pub BTreeMap<String, i64>);

impl Floors {
    /// The highest epoch seen of this ledger; 0 before the first.
    pub fn of(&self, ledger: &str) -> i64 {
        self.0.get(&key(ledger)).copied().unwrap_or_default()
    }

    /// Remembers an epoch; never lowers.
    pub fn raise(&mut self, ledger: &str, epoch: i64) {
        let floor = self.0.entry(key(ledger)).or_default();
        *floor = epoch.max(*floor);
    }

    /// Takes the higher of both, ledger by ledger.
    pub fn merge(&mut self, other: &Self) {
        for (ledger, epoch) in &other.0 {
            self.raise(ledger, *epoch);
        }
    }

    /// The highest of all.
    pub fn highest(&self) -> i64 {
        self.0.values().copied().max().unwrap_or_default()
    }

    /// As the data of a ConfigMap.
    pub fn to_data(&self) -> BTreeMap<String, String> {
        self.0
            .iter()
            .map(|(ledger, epoch)| (ledger.clone(), epoch.to_string()))
            .collect()
    }

    /// From the data of a ConfigMap. A value that is no number is left out: it protects nothing, and the next write
    /// replaces it.
    pub fn from_data(data: &BTreeMap<String, String>) -> Self {
        Self(
            data.iter()
                .filter_map(|(ledger, epoch)| Some((key(ledger), epoch.parse().ok()?)))
                .collect(),
        )
    }
}

/// A ledger uid as a key of a ConfigMap.
fn key(ledger: &str) -> String {
    let valid = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if ledger.is_empty() || ledger.len() > 253 || !ledger.chars().all(valid) {
        "unnamed".to_owned()
    } else {
        ledger.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_floor_never_falls() {
        let mut floors = Floors::default();
        floors.raise("l1", 7);
        floors.raise("l1", 5);
        assert_eq!((floors.of("l1"), floors.of("l2"), floors.highest()), (7, 0, 7));
        floors.merge(&Floors([("l1".to_owned(), 6), ("l2".to_owned(), 1)].into()));
        assert_eq!((floors.of("l1"), floors.of("l2")), (7, 1));
    }

    #[test]
    fn it_survives_a_config_map() {
        let mut floors = Floors::default();
        floors.raise("9c1e-uid", 7);
        floors.raise("not a key", 3);
        assert_eq!(Floors::from_data(&floors.to_data()), floors);
        assert_eq!(
            Floors::from_data(&[("l".to_owned(), "many".to_owned())].into()),
            Floors::default()
        );
    }
}
