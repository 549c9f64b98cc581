//! What is shown of moves.

use std::collections::BTreeMap;
use std::sync::Arc;

use crds::{
    Criticality, DualActivePlacement, Failover, FailoverPhase, FailoverStatus, FailoverType, WitnessState, condition,
    find_condition,
};
use plan::failover::begin::duration;
use plan::failover::facts::Known;
use prometheus::{HistogramOpts, HistogramVec, IntCounterVec, Opts, Registry};

use crate::rows::{Rows, count};

const TYPES: [FailoverType; 3] = [FailoverType::Unplanned, FailoverType::Planned, FailoverType::Failback];
const STATES: [WitnessState; 5] = [
    WitnessState::Granted,
    WitnessState::Lost,
    WitnessState::Returned,
    WitnessState::AgentDown,
    WitnessState::Degraded,
];
/// Seconds.
const BUCKETS: [f64; 12] = [1.0, 2.0, 5.0, 10.0, 15.0, 20.0, 30.0, 60.0, 120.0, 300.0, 600.0, 3600.0];

/// Figures of moves and of whether there would be any.
#[derive(Clone, Debug)]
pub struct Figures {
    moves: Rows,
    waiting: Rows,
    armed: Rows,
    witness: Rows,
    rto: HistogramVec,
    late: IntCounterVec,
}

impl Figures {
    /// Registers them.
    ///
    /// # Errors
    /// A name that is registered already.
    pub fn new(registry: &Registry) -> prometheus::Result<Self> {
        let moves = "Moves of placements by type and phase";
        let waiting = "Moves that are not over, by the reason of their condition Complete";
        let armed = "Placements by the reason of their condition FailoverArmed, and by criticality";
        let witness = "1 for the state in which the arbiter hears the centre, 0 for the others";
        let rto = "Time from the last sign of life, or from the decision of a planned move, to service again";
        let rto = HistogramOpts::new("xiangyun_failover_rto_seconds", rto).buckets(BUCKETS.to_vec());
        let rto = HistogramVec::new(rto, &["type"])?;
        registry.register(Box::new(rto.clone()))?;
        let late = "Moves that took longer than their placement declares";
        let late = IntCounterVec::new(Opts::new("xiangyun_failover_rto_exceeded_total", late), &["type"])?;
        registry.register(Box::new(late.clone()))?;
        for type_ in TYPES {
            // A rule about an increase needs a first value.
            late.with_label_values(&[word(type_)]).inc_by(0);
        }
        Ok(Self {
            moves: Rows::new(registry, "xiangyun_failovers", moves, &["type", "phase"])?,
            waiting: Rows::new(registry, "xiangyun_failovers_waiting", waiting, &["reason"])?,
            armed: Rows::new(registry, "xiangyun_failover_armed", armed, &["reason", "criticality"])?,
            witness: Rows::new(registry, "xiangyun_centre_witness", witness, &["centre", "state"])?,
            rto,
            late,
        })
    }

    pub(super) fn observe(&self, known: &Known, placements: &[Arc<DualActivePlacement>]) {
        let mut moves: BTreeMap<(FailoverType, FailoverPhase), usize> =
            TYPES.map(|type_| ((type_, FailoverPhase::Succeeded), 0)).into();
        let mut waiting: BTreeMap<String, usize> = BTreeMap::new();
        for failover in known.all_moves() {
            let phase = failover.phase();
            *moves.entry((failover.spec.type_, phase)).or_default() += 1;
            let conditions = failover.status.as_ref().map(|s| s.conditions.as_slice());
            let said = find_condition(conditions.unwrap_or_default(), condition::COMPLETE);
            if let Some(said) = said.filter(|_| !phase.is_over()) {
                *waiting.entry(said.reason.clone()).or_default() += 1;
            }
        }
        let moves = moves
            .into_iter()
            .map(|((type_, phase), n)| (vec![word(type_).to_owned(), format!("{phase:?}")], count(n)));
        self.moves.replace(moves);
        let none = waiting
            .is_empty()
            .then(|| (vec![crds::failover_reason::STARTING.to_owned()], 0.0));
        let waiting = waiting.into_iter().map(|(why, n)| (vec![why], count(n)));
        self.waiting.replace(waiting.chain(none));
        self.observe_armed(placements);
        let centres = known
            .places()
            .filter_map(|(name, c)| Some((name, c.witness.as_ref()?.state)));
        let witness = centres.flat_map(|(name, is)| {
            STATES.map(|state| {
                let labels = vec![name.to_owned(), format!("{state:?}")];
                (labels, f64::from(u8::from(state == is)))
            })
        });
        self.witness.replace(witness);
    }

    fn observe_armed(&self, placements: &[Arc<DualActivePlacement>]) {
        let key = |why: &str, criticality: Criticality| (why.to_owned(), format!("{criticality:?}"));
        // A rule about a figure that is not there would stay silent.
        let mut armed = BTreeMap::from([(key(crds::placement_reason::ARMED, Criticality::Key), 0)]);
        for placement in placements {
            if let Some(said) = placement.condition(condition::FAILOVER_ARMED) {
                *armed.entry(key(&said.reason, placement.spec.criticality)).or_default() += 1;
            }
        }
        self.armed
            .replace(armed.into_iter().map(|((why, who), n)| (vec![why, who], count(n))));
    }

    /// A move was verified.
    pub(super) fn succeeded(
        &self,
        failover: &Failover,
        placement: Option<&DualActivePlacement>,
        status: &FailoverStatus,
    ) {
        let took = status.rto_seconds.as_ref().and_then(|s| s.parse::<f64>().ok());
        let Some(took) = took else { return };
        let type_ = word(failover.spec.type_);
        self.rto.with_label_values(&[type_]).observe(took);
        let declared = placement.map(|p| p.spec.failover.clone().unwrap_or_default().rto);
        let declared = declared.and_then(|text| duration(&text));
        if declared.is_some_and(|declared| took > declared.as_secs_f64()) {
            self.late.with_label_values(&[type_]).inc();
        }
    }
}

const fn word(type_: FailoverType) -> &'static str {
    match type_ {
        FailoverType::Unplanned => "Unplanned",
        FailoverType::Planned => "Planned",
        FailoverType::Failback => "Failback",
    }
}
