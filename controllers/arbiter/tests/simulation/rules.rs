//! The rules of the arbiter and its fence, each of which can be left out.
//!
//! Not among them are three that guard what others guard as well, so that nothing happens without one of them alone: a
//! right ends with the process's lease in its centre (the gates refuse an older record too), a regrant waits for T(1+2ρ)
//! (it also waits for every place to live in the new incarnation), and a beat lands only in its own session.

/// A rule of docs/decisions/0012-the-arbiter.md.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rule {
    /// A takeover compares the beat after which the holder was silent.
    TakeoverComparesTheBeat,
    /// An observer waits for T(1+2ρ).
    SilenceIsWaitedFor,
    /// Two observers name the same beat.
    TwoObservers,
    /// A deadline counts from before the beat was sent.
    DeadlineFromSending,
    /// Nobody is promoted without a proof.
    PromotionNeedsAProof,
    /// An acknowledgement means terminated by the kubelet, not "write accepted".
    TerminatedIsAcknowledged,
    /// A release raises the floor first, so that no other process of the centre starts it again.
    ReleaseRaisesTheFloor,
    /// A centre refuses an object's epoch below the stored one.
    CentreRefusesOldEpochs,
    /// A gate is closed at boot.
    ClosedAtBoot,
    /// A permit is set only in exchange for a live ticket or permit.
    TicketBeforePermit,
    /// A permit counts from before the agent was asked.
    PermitFromAsking,
    /// A permit is for pods of the current epoch.
    PermitForTheEpoch,
    /// Whatever a place writes is a sign of its life.
    WritesAreSignsOfLife,
    /// An unpinned right is stored, and known to the gates, before the arbiter hears of it.
    UnpinTellsGatesFirst,
    /// A pinned scope is not taken over.
    PinnedStays,
    /// A restore begins a new incarnation.
    RestoreBeginsAnIncarnation,
    /// A restore takes every scope from everybody.
    RestoreTakesAll,
    /// A regrant asks every place what it held.
    RegrantAsksAll,
}

impl Rule {
    pub(crate) const ALL: [Self; 18] = [
        Self::TakeoverComparesTheBeat,
        Self::SilenceIsWaitedFor,
        Self::TwoObservers,
        Self::DeadlineFromSending,
        Self::PromotionNeedsAProof,
        Self::TerminatedIsAcknowledged,
        Self::ReleaseRaisesTheFloor,
        Self::CentreRefusesOldEpochs,
        Self::ClosedAtBoot,
        Self::TicketBeforePermit,
        Self::PermitFromAsking,
        Self::PermitForTheEpoch,
        Self::WritesAreSignsOfLife,
        Self::UnpinTellsGatesFirst,
        Self::PinnedStays,
        Self::RestoreBeginsAnIncarnation,
        Self::RestoreTakesAll,
        Self::RegrantAsksAll,
    ];
}

impl Rule {
    /// Where the search begins: a seed that found it. After a change of the simulation another one may be the first.
    pub(crate) fn seed(self) -> u64 {
        match self {
            Self::TakeoverComparesTheBeat
            | Self::PromotionNeedsAProof
            | Self::RestoreBeginsAnIncarnation
            | Self::RegrantAsksAll => 0,
            Self::TerminatedIsAcknowledged | Self::ClosedAtBoot => 1,
            Self::RestoreTakesAll => 13,
            Self::CentreRefusesOldEpochs => 27,
            Self::TicketBeforePermit => 38,
            Self::TwoObservers => 109,
            Self::UnpinTellsGatesFirst => 157,
            Self::SilenceIsWaitedFor => 209,
            Self::PinnedStays => 288,
            Self::ReleaseRaisesTheFloor => 311,
            Self::PermitFromAsking => 796,
            Self::WritesAreSignsOfLife => 802,
            Self::PermitForTheEpoch => 944,
            Self::DeadlineFromSending => 2353,
        }
    }
}
