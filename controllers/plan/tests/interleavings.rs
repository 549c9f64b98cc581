//! Two operators, one store, any order: after every step no pool is oversold and the ledger is never too low; at rest
//! it equals what is held. The store refuses stale writes as an API server does; everything else may happen: a pause
//! between any two steps, a cache of any age, a crash, an answer that got lost, deletion, release.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::needless_pass_by_value,
    clippy::collapsible_if,
    reason = "an assumption that fails is a test that fails; one arm for each step of the world"
)]

#[path = "interleavings/world.rs"]
mod world;

use plan::check::recounted;
use plan::request::Request;
use proptest::prelude::*;
use world::World;

const REQUESTS: usize = 3;

#[derive(Clone, Debug)]
pub(crate) enum Step {
    Create(usize, u8),
    Delete(usize),
    Release(usize),
    Change(usize, u8),
    Renew(usize),
    CentresConfirm(usize),
    CentreDoubts(usize),
    Read(usize, u8),
    Swap(usize),
    Apply(usize, usize),
    End(usize),
    Unguard(usize),
    Crash(usize),
    Recount(usize),
}

fn step() -> impl Strategy<Value = Step> {
    let (request, operator) = (0..REQUESTS, 0usize..2);
    prop_oneof![
        4 => (request.clone(), 4u8..12).prop_map(|(i, n)| Step::Create(i, n)),
        1 => request.clone().prop_map(Step::Delete),
        1 => request.clone().prop_map(Step::Release),
        2 => (request.clone(), 1u8..14).prop_map(|(i, n)| Step::Change(i, n)),
        1 => request.clone().prop_map(Step::Renew),
        3 => request.clone().prop_map(Step::CentresConfirm),
        2 => request.clone().prop_map(Step::CentreDoubts),
        9 => (operator.clone(), 0u8..12).prop_map(|(o, age)| Step::Read(o, age)),
        9 => operator.clone().prop_map(Step::Swap),
        6 => (operator.clone(), request).prop_map(|(o, i)| Step::Apply(o, i)),
        3 => operator.clone().prop_map(Step::End),
        3 => operator.clone().prop_map(Step::Unguard),
        1 => operator.clone().prop_map(Step::Crash),
        1 => operator.prop_map(Step::Recount),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]
    #[test]
    fn never_oversold_and_exact_at_rest(steps in proptest::collection::vec(step(), 1..80)) {
        let mut world = World::new();
        for step in steps {
            world.run(step);
            world.check()?;
        }
        world.rest()?;
        let requests = world.read_all();
        let exact = recounted(&world.ledger, &requests);
        prop_assert_eq!(&exact.pools, &world.ledger.pools);
        prop_assert!(world.ledger.records.is_empty(), "open at rest: {:?}", world.ledger.records);
        prop_assert!(!requests.iter().any(Request::deleting), "a deleted request stays");
    }
}
