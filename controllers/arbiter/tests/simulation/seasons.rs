//! What a run is about: some rules are only needed when certain faults meet, which would be rare among all of them. Runs
//! with every rule in force go through the same seasons.

use crate::faults::Kind;
use crate::rules::Rule;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Season {
    /// Anything at all.
    Anything,
    /// Cuts that meet.
    Cuts,
    /// Processes and places that sleep.
    Sleep,
    /// Answers that come late.
    Slow,
    /// Planned moves, and agents that die in the middle.
    Moves,
    /// One observer's clock runs away.
    Clock,
    /// Nodes have no gate.
    NoGate,
    /// Power goes.
    Power,
    /// The witness is lost.
    Witness,
    /// The arbiter is restored.
    Restore,
}

impl Season {
    pub(crate) const ALL: [Self; 10] = [
        Self::Anything,
        Self::Cuts,
        Self::Sleep,
        Self::Slow,
        Self::Moves,
        Self::Clock,
        Self::NoGate,
        Self::Power,
        Self::Witness,
        Self::Restore,
    ];

    /// Where the rule is needed most.
    pub(crate) fn of(rule: Rule) -> Self {
        match rule {
            Rule::TakeoverComparesTheBeat | Rule::SilenceIsWaitedFor => Self::Cuts,
            Rule::TwoObservers => Self::Clock,
            Rule::DeadlineFromSending => Self::Slow,
            Rule::TicketBeforePermit | Rule::PermitFromAsking => Self::Sleep,
            Rule::PromotionNeedsAProof | Rule::TerminatedIsAcknowledged => Self::NoGate,
            Rule::ReleaseRaisesTheFloor | Rule::CentreRefusesOldEpochs | Rule::PermitForTheEpoch => Self::Moves,
            Rule::ClosedAtBoot => Self::Power,
            Rule::WritesAreSignsOfLife | Rule::UnpinTellsGatesFirst | Rule::PinnedStays => Self::Witness,
            Rule::RestoreBeginsAnIncarnation | Rule::RestoreTakesAll | Rule::RegrantAsksAll => Self::Restore,
        }
    }

    pub(crate) fn kinds(self) -> &'static [Kind] {
        use Kind::{
            Agentless, Cut, Freeze, Isolate, Kill, Move, OneThenOther, Pause, PowerLoss, RestoreArbiter, RestoreCentre,
            Slow, Voters, WitnessThenPlace,
        };
        match self {
            Self::Anything => &[
                Isolate,
                Cut,
                Freeze,
                Pause,
                Pause,
                Kill,
                Agentless,
                PowerLoss,
                Voters,
                Slow,
                Move,
                WitnessThenPlace,
                OneThenOther,
                RestoreArbiter,
                RestoreCentre,
            ],
            Self::Cuts => &[Isolate, Cut, OneThenOther, OneThenOther, Slow],
            Self::Sleep => &[Pause, Pause, Pause, Freeze, Isolate, Slow, Move],
            Self::Slow => &[Slow, Slow, Slow, Isolate, Isolate, Cut],
            Self::Moves => &[Move, Move, Move, Kill, Agentless, Agentless, Pause, Isolate],
            Self::Clock => &[Isolate, Isolate, Cut, Slow],
            Self::NoGate => &[Isolate, Freeze, PowerLoss, Move, Agentless],
            Self::Power => &[PowerLoss, PowerLoss, Isolate, Move, Kill],
            Self::Witness => &[
                WitnessThenPlace,
                WitnessThenPlace,
                Kill,
                Agentless,
                RestoreCentre,
                Pause,
            ],
            Self::Restore => &[
                RestoreArbiter,
                RestoreArbiter,
                Isolate,
                Freeze,
                Pause,
                RestoreCentre,
                Move,
            ],
        }
    }

    /// Whether one observer's clock runs away. Not with restores: a regrant is waited for by one operator's clock.
    pub(crate) fn runaway(self) -> bool {
        self == Self::Clock
    }

    pub(crate) fn gated(self) -> bool {
        self != Self::NoGate
    }
}
