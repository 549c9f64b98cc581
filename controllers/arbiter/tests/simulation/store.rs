//! The arbiter's store: linearizable, with revisions, as etcd's transactions are.

use std::collections::BTreeMap;

use arbiter::operator::restored;
use arbiter::row::Incarnation;
use arbiter::txn::{Compare, Kv, Op, Outcome, Txn, key};
use arbiter::view::View;

#[derive(Clone, Default)]
pub(crate) struct Store {
    revision: u64,
    keys: BTreeMap<String, (String, u64)>,
}

impl Store {
    /// Begins a life above `known`, before anybody else is answered.
    pub(crate) fn begin(&mut self, view: &View, known: u64, nonce: u64) {
        let revision = self.keys.get(&key::incarnation()).map_or(0, |(_, revision)| *revision);
        let life = Incarnation {
            number: known + 1,
            nonce,
            store: 0,
        };
        for txn in restored(view, revision, life) {
            assert!(self.commit(&txn).succeeded, "the first transactions of a store");
        }
    }

    pub(crate) fn commit(&mut self, txn: &Txn) -> Outcome {
        let succeeded = txn.compares.iter().all(|compare| self.holds(compare));
        let steps = if succeeded { &txn.then } else { &txn.otherwise };
        if steps.iter().any(|op| matches!(op, Op::Put { .. })) {
            self.revision += 1;
        }
        let mut read = Vec::new();
        for op in steps {
            match op {
                Op::Put { key, value } => {
                    self.keys.insert(key.clone(), (value.clone(), self.revision));
                }
                Op::Range { prefix } => read.extend(self.range(prefix)),
            }
        }
        Outcome { succeeded, read }
    }

    fn range(&self, prefix: &str) -> impl Iterator<Item = Kv> {
        let from = self.keys.range(prefix.to_owned()..);
        from.take_while(move |(key, _)| key.starts_with(prefix))
            .map(|(key, (value, revision))| Kv {
                key: key.clone(),
                value: value.clone(),
                revision: *revision,
            })
    }

    /// The value of a key, outside every transaction.
    pub(crate) fn peek(&self, key: &str) -> Option<&str> {
        self.keys.get(key).map(|(value, _)| value.as_str())
    }

    fn holds(&self, compare: &Compare) -> bool {
        match compare {
            Compare::Unchanged { key, revision } => self.keys.get(key).map_or(0, |(_, r)| *r) == *revision,
            Compare::Value { key, value } => self.keys.get(key).is_some_and(|(v, _)| v == value),
        }
    }
}
