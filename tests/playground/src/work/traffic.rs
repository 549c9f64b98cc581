//! Where a client from outside goes: what is published of a placement, as shares of its requests.

use std::collections::BTreeMap;

use serde_json::Value;

/// Share of each centre, by its name; those that get nothing are not in it.
pub(crate) type Weights = BTreeMap<String, u64>;

/// The weights that the EndpointSlices of a placement publish; `None` where it publishes none.
pub(crate) fn published(slices: &[Value]) -> Option<Weights> {
    let mut all = Weights::new();
    for slice in slices {
        let centre = text(slice, "/metadata/labels/xiangyun.io~1centre")?;
        let weight: u64 = text(slice, "/metadata/annotations/xiangyun.io~1weight")?.parse().ok()?;
        *all.entry(centre.to_owned()).or_default() += weight;
    }
    all.retain(|_, weight| *weight > 0);
    (!slices.is_empty()).then_some(all)
}

/// The weights of a placement that publishes none: its ready copies in each centre that is not lost.
pub(crate) fn weights(placement: &Value, centres: &[Value]) -> Weights {
    let lost = |name: &str| {
        let of = centres
            .iter()
            .find(|centre| text(centre, "/metadata/name") == Some(name));
        of.and_then(|centre| text(centre, "/status/witness/state")) == Some("Lost")
    };
    let rows = placement.pointer("/status/centres").and_then(Value::as_array);
    let rows = rows.into_iter().flatten().filter_map(|row| {
        let name = text(row, "/name")?;
        let ready = row.get("ready")?.as_u64()?;
        (ready > 0 && !lost(name)).then(|| (name.to_owned(), ready))
    });
    rows.collect()
}

fn text<'a>(object: &'a Value, pointer: &str) -> Option<&'a str> {
    object.pointer(pointer)?.as_str()
}

/// Spreads requests over centres by weight, as evenly as they come.
#[derive(Debug, Default)]
pub(crate) struct Turns(BTreeMap<String, i128>);

impl Turns {
    /// The next one; `None` where nothing is published.
    pub(crate) fn next(&mut self, weights: &Weights) -> Option<String> {
        self.0.retain(|name, _| weights.contains_key(name));
        for (name, weight) in weights {
            *self.0.entry(name.clone()).or_default() += i128::from(*weight);
        }
        let total: i128 = weights.values().map(|weight| i128::from(*weight)).sum();
        let (name, credit) = self.0.iter_mut().max_by_key(|(_, credit)| **credit)?;
        *credit -= total;
        Some(name.clone())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_published_counts() {
        let slice = |centre: &str, weight: &str| json!({"metadata": {"labels": {"xiangyun.io/centre": centre}, "annotations": {"xiangyun.io/weight": weight}}});
        let all = [slice("jishi", "0"), slice("jiyidong", "3")];
        assert_eq!(published(&all), Some(Weights::from([("jiyidong".into(), 3)])));
        assert_eq!(published(&all[..1]), Some(Weights::new()));
        assert_eq!(published(&[]), None);
    }

    #[test]
    fn a_lost_centre_gets_nothing_and_the_rest_by_ready_copies() {
        let placement = json!({"status": {"centres": [{"name": "jishi", "ready": 3}, {"name": "jiyidong", "ready": 1},
            {"name": "baicheng", "ready": 0}]}});
        let centre =
            |name: &str, state: &str| json!({"metadata": {"name": name}, "status": {"witness": {"state": state}}});
        let both = weights(
            &placement,
            &[centre("jishi", "Granted"), json!({"metadata": {"name": "jiyidong"}})],
        );
        assert_eq!(both, Weights::from([("jishi".into(), 3), ("jiyidong".into(), 1)]));
        let one = weights(&placement, &[centre("jishi", "Lost")]);
        assert_eq!(one, Weights::from([("jiyidong".into(), 1)]));
        assert_eq!(weights(&json!({}), &[]), Weights::new());

        let mut turns = Turns::default();
        let taken: Vec<String> = (0..8).filter_map(|_| turns.next(&both)).collect();
        assert_eq!(taken.iter().filter(|name| *name == "jishi").count(), 6);
        assert_eq!(turns.next(&one).as_deref(), Some("jiyidong"));
        assert_eq!(turns.next(&Weights::new()), None);
    }
}
