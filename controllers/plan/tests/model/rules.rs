//! The rules of the protocol, each of which can be left out.

/// A rule of docs/decisions/0003-ledger-protocol.md.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rule {
    SwapOnItsVersion,
    OpenReadsLedgerFirst,
    SettleReadsLedgerFirst,
    AllOrNothing,
    ApplyOnItsVersion,
    ApplyReadsRequestFirst,
    VoidOnlyWhenIrrevocable,
    HoldTheLarger,
    LoweringWaitsForTheCentre,
    EndedNeverRises,
    KeptWhileCharged,
    LetGoReadsRequestFirst,
    NewLedgerIsStamped,
    NewLedgerIsCounted,
    NewLedgerRestoresLowerings,
    ClearReadsRequestFirst,
    RecountListsAfterTheLedger,
}

impl Rule {
    pub(crate) const ALL: [Self; 17] = [
        Self::SwapOnItsVersion,
        Self::OpenReadsLedgerFirst,
        Self::SettleReadsLedgerFirst,
        Self::AllOrNothing,
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

    /// What it says.
    pub(crate) fn in_words(self) -> &'static str {
        match self {
            Self::SwapOnItsVersion => "A swap lands only on the version that it was decided on",
            Self::OpenReadsLedgerFirst => "OPEN looks at requests that were read after the ledger",
            Self::SettleReadsLedgerFirst => "SETTLE looks at requests that were read after the ledger",
            Self::AllOrNothing => "OPEN takes from all pools that a request asks for, or from none",
            Self::ApplyOnItsVersion => "APPLY carries uid and version of the copy it was decided on",
            Self::ApplyReadsRequestFirst => {
                "APPLY looks at a request that was read before the ledger that shows the record"
            }
            Self::VoidOnlyWhenIrrevocable => "A raise is void only when the request ended or is being deleted",
            Self::HoldTheLarger => "A record holds the larger of from and to",
            Self::LoweringWaitsForTheCentre => "A lowering is settled only when the centre confirmed it",
            Self::EndedNeverRises => "An allocation that ended never rises",
            Self::KeptWhileCharged => "A request is kept by its finalizer while it holds anything or has a record",
            Self::LetGoReadsRequestFirst => {
                "The finalizer goes on a request that was read before a ledger without a record of it"
            }
            Self::NewLedgerIsStamped => "A new ledger is written into every request before it is counted",
            Self::NewLedgerIsCounted => "A new ledger sells nothing before it was counted",
            Self::NewLedgerRestoresLowerings => {
                "A new ledger takes over every lowering that a centre has not confirmed"
            }
            Self::ClearReadsRequestFirst => {
                "A lowering is cleared on a request that was read before a ledger without a record of it"
            }
            Self::RecountListsAfterTheLedger => {
                "A recount looks at one snapshot that was made after the ledger was read"
            }
        }
    }

    /// Where it is left out: the first scenario in which that is seen. Without a rule a search may not end elsewhere.
    pub(crate) fn scenario(self) -> &'static str {
        match self {
            Self::SwapOnItsVersion
            | Self::OpenReadsLedgerFirst
            | Self::SettleReadsLedgerFirst
            | Self::ApplyOnItsVersion
            | Self::HoldTheLarger
            | Self::RecountListsAfterTheLedger => "a recount",
            Self::VoidOnlyWhenIrrevocable | Self::LoweringWaitsForTheCentre => "two requests, one ends",
            Self::EndedNeverRises | Self::KeptWhileCharged | Self::LetGoReadsRequestFirst => {
                "deletion and the same name again"
            }
            Self::ApplyReadsRequestFirst | Self::NewLedgerIsStamped | Self::NewLedgerIsCounted => "a lost ledger",
            Self::NewLedgerRestoresLowerings | Self::ClearReadsRequestFirst => "a lost ledger, and somebody who waits",
            Self::AllOrNothing => "all or nothing",
        }
    }
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
