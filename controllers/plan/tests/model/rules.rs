//! The rules of the protocol, each of which can be left out.

/// A rule of docs/decisions/0003-ledger-protocol.md.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rule {
    /// A swap lands only on the version that it was decided on.
    SwapOnItsVersion,
    /// OPEN looks at requests that were read after the ledger.
    OpenReadsLedgerFirst,
    /// SETTLE looks at requests that were read after the ledger.
    SettleReadsLedgerFirst,
    /// APPLY carries uid and version of the copy it was decided on.
    ApplyOnItsVersion,
    /// APPLY looks at a request that was read before the ledger that shows the record.
    ApplyReadsRequestFirst,
    /// A raise is void only when the request ended or is being deleted.
    VoidOnlyWhenIrrevocable,
    /// A record holds the larger of from and to.
    HoldTheLarger,
    /// A lowering is settled only when the centre confirmed it.
    LoweringWaitsForTheCentre,
    /// An allocation that ended never rises.
    EndedNeverRises,
    /// A request is kept by its finalizer while it holds anything or has a record.
    KeptWhileCharged,
    /// The finalizer goes on a request that was read before a ledger without a record of it.
    LetGoReadsRequestFirst,
    /// A new ledger is written into every request before it is counted.
    NewLedgerIsStamped,
    /// A new ledger sells nothing before it was counted.
    NewLedgerIsCounted,
    /// A new ledger takes over every lowering that a centre has not confirmed.
    NewLedgerRestoresLowerings,
    /// A lowering is cleared on a request that was read before a ledger without a record of it.
    ClearReadsRequestFirst,
    /// A recount looks at one snapshot that was made after the ledger was read.
    RecountListsAfterTheLedger,
}

impl Rule {
    pub(crate) const ALL: [Self; 16] = [
        Self::SwapOnItsVersion,
        Self::OpenReadsLedgerFirst,
        Self::SettleReadsLedgerFirst,
        Self::ApplyOnItsVersion,
        Self::ApplyReadsRequestFirst,
        Self::VoidOnlyWhenIrrevocable,
        Self::HoldTheLarger,
        Self::LoweringWaitsForTheCentre,
        Self::EndedNeverRises,
        Self::KeptWhileCharged,
        Self::LetGoReadsRequestFirst,
        Self::NewLedgerIsStamped,
        Self::NewLedgerIsCounted,
        Self::NewLedgerRestoresLowerings,
        Self::ClearReadsRequestFirst,
        Self::RecountListsAfterTheLedger,
    ];
}

/// The rules in force: all, or all but one.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Rules {
    pub(crate) without: Option<Rule>,
}

impl Rules {
    pub(crate) fn has(self, rule: Rule) -> bool {
        self.without != Some(rule)
    }
}
