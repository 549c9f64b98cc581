//! An expression that is taken never needs more of the stack than a thread has: one that overflows ends the process.

#![allow(clippy::unwrap_used, reason = "an assumption that fails is a test that fails")]

use plan::placement::readiness::Policy;
use serde_json::json;

/// Half of what a thread of the agent has.
const NARROW: usize = 1 << 20;

#[test]
fn the_deepest_that_is_taken_fits_the_stack() {
    let chain = |link: &str, times: usize| format!("self.a{}", link.repeat(times));
    let nested = |open: &str, close: &str| format!("{}true{}", open.repeat(15), close.repeat(15));
    let texts = [
        chain("+1", 59),
        chain(".b", 59),
        chain("||true", 29),
        chain("[0]", 59),
        chain("==1", 29),
        chain("+[1]", 29),
        format!("{}true", "!".repeat(60)),
        format!("{}1", "-".repeat(60)),
        format!("{}1", "true?1:".repeat(60)),
        nested("(", ")"),
        nested("!(", ")"),
        nested("[", "]"),
        nested("{'a':", "}"),
        nested("size(", ")"),
    ];
    let all = move || {
        let read = texts
            .iter()
            .filter_map(|text| Policy::read(Some(text), Some(text)).ok());
        // What it says of the object is another test's business.
        read.filter(|policy| policy.lacks(&json!({"a": 1})).is_some()).count()
    };
    let narrow = std::thread::Builder::new().stack_size(NARROW);
    let told = narrow.spawn(all).unwrap().join().unwrap();
    assert!(told > 0, "none of them was taken");
}
