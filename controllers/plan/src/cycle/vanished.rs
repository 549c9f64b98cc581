//! Requests that vanished without being released: somebody took the finalizer away by hand.

use std::sync::Arc;

use crate::ledger::Ledger;
use crate::request::Request;

/// Whether one of those that were there `before` and held something is gone, while the ledger knows of no change to it. What
/// it held stays charged until the ledger is recounted. Both lists are in the order of tenant and name.
pub fn vanished(before: &[Arc<Request>], now: &[Arc<Request>], ledger: &Ledger) -> bool {
    let mut now = now.iter().peekable();
    before.iter().any(|old| {
        let place = (old.tenant(), old.name());
        while now.next_if(|r| (r.tenant(), r.name()) < place).is_some() {}
        // Another one of that name is not the same.
        let there = now.peek().is_some_and(|r| r.uid() == old.uid());
        !there && !old.holds.is_empty() && !ledger.records.contains_key(old.uid())
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::ledger::Record;

    fn request(name: &str, uid: &str, cpu: u32) -> Arc<Request> {
        let centres = json!([{"name": "jishi", "share": {"cpu": cpu}, "survival": {"cpu": cpu}}]);
        let pools = json!([{"name": "x86", "amounts": {"cpu": cpu}, "centres": centres}]);
        let object = json!({
            "apiVersion": "xiangyun.io/v1alpha1", "kind": "ResourceRequest",
            "metadata": {"name": name, "namespace": "dept", "uid": uid},
            "spec": {"displayName": "x", "type": "New"},
            "status": {"allocation": {"ledger": "l", "epoch": 1, "pools": if cpu > 0 { pools } else { json!([]) }}},
        });
        let object = serde_json::from_value(object).unwrap();
        Arc::new(Request::read(object, false).unwrap())
    }

    #[test]
    fn only_what_held_something_and_left_without_a_record_is_missed() {
        let (a, b, c) = (request("a", "1", 4), request("b", "2", 4), request("c", "3", 0));
        let all = [Arc::clone(&a), Arc::clone(&b), Arc::clone(&c)];
        let mut ledger = Ledger::default();
        assert!(!vanished(&all, &all, &ledger));
        assert!(!vanished(&[], &all, &ledger));
        // What held nothing is not missed.
        assert!(!vanished(&all, &[Arc::clone(&a), Arc::clone(&b)], &ledger));
        assert!(vanished(&all, &[Arc::clone(&a), Arc::clone(&c)], &ledger));
        assert!(vanished(&all, &[], &ledger));
        // Another one took its name.
        let again = [Arc::clone(&a), request("b", "4", 4), Arc::clone(&c)];
        assert!(vanished(&all, &again, &ledger));
        // It was let go: its record is settled as gone.
        ledger.records.insert("2".to_owned(), Record::default());
        assert!(!vanished(&all, &again, &ledger));
    }
}
