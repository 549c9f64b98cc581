//! What may happen next in a world, and what the world is afterwards.

use crate::scenarios::Setup;
use crate::state::{OPERATORS, Operator, World};
use crate::{lost, operator, outside};

/// One thing that happens. Numbers are an operator, then a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Create(usize),
    Change(usize),
    End(usize),
    Delete(usize),
    VanishByHand(usize),
    CentreApplies(usize),
    LedgerIsLost,
    ReadLedger(usize),
    List(usize),
    Swap(usize),
    SwapLate(usize),
    Apply(usize, usize),
    ApplyLate(usize, usize),
    Land,
    Clear(usize, usize),
    LetGo(usize, usize),
    CreateLedger(usize),
    Stamp(usize, usize),
    Recount(usize),
    Crash(usize),
}

/// Every step, whether or not it is possible now.
pub(crate) fn all(names: usize) -> Vec<Step> {
    let mut steps = vec![Step::LedgerIsLost, Step::Land];
    for name in 0..names {
        steps.extend([
            Step::Create(name),
            Step::Change(name),
            Step::End(name),
            Step::Delete(name),
            Step::VanishByHand(name),
            Step::CentreApplies(name),
        ]);
    }
    for o in 0..OPERATORS {
        steps.extend([
            Step::ReadLedger(o),
            Step::List(o),
            Step::Swap(o),
            Step::SwapLate(o),
            Step::CreateLedger(o),
            Step::Recount(o),
            Step::Crash(o),
        ]);
        for name in 0..names {
            steps.extend([
                Step::Apply(o, name),
                Step::ApplyLate(o, name),
                Step::Clear(o, name),
                Step::LetGo(o, name),
                Step::Stamp(o, name),
            ]);
        }
    }
    steps
}

/// The world after a step; `None` where it is not possible, or changes nothing.
pub(crate) fn take(world: &World, step: Step, setup: &Setup) -> Option<World> {
    let mut next = happens(world, step, setup)?;
    // It does not matter which operator is which.
    next.operators.sort_unstable();
    (next != *world).then_some(next)
}

/// The same with each operator in its place.
pub(crate) fn happens(world: &World, step: Step, setup: &Setup) -> Option<World> {
    let mut next = *world;
    let w = &mut next;
    match step {
        Step::Create(name) => outside::create(w, name, setup),
        Step::Change(name) => outside::change(w, name, setup),
        Step::End(name) => outside::end(w, name),
        Step::Delete(name) => outside::delete(w, name, setup),
        Step::VanishByHand(name) => outside::vanish_by_hand(w, name),
        Step::CentreApplies(name) => {
            outside::centre_applies(w, name);
            Some(())
        }
        Step::LedgerIsLost => spend(&mut w.budget.losses).map(|()| w.ledger = None),
        Step::ReadLedger(o) => operator::read_ledger(w, o),
        Step::List(o) => {
            operator::list(w, o, setup);
            Some(())
        }
        Step::Swap(o) => operator::swap(w, o, setup),
        Step::SwapLate(o) => operator::swap_late(w, o, setup),
        Step::Apply(o, name) => operator::apply(w, o, name, setup),
        Step::ApplyLate(o, name) => operator::apply_late(w, o, name, setup),
        Step::Land => operator::land(w, setup),
        Step::Clear(o, name) => operator::clear(w, o, name, setup),
        Step::LetGo(o, name) => operator::let_go(w, o, name, setup),
        Step::CreateLedger(o) => lost::create_ledger(w, o, setup),
        Step::Stamp(o, name) => lost::stamp(w, o, name),
        Step::Recount(o) => lost::recount(w, o, setup),
        Step::Crash(o) => spend(&mut w.budget.crashes).map(|()| w.operators[o] = Operator::default()),
    }?;
    Some(next)
}

pub(crate) fn spend(budget: &mut u8) -> Option<()> {
    *budget = budget.checked_sub(1)?;
    Some(())
}
