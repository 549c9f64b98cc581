//! What one answer allows. Pure: times and facts come in, permits and refusals go out.

use core::net::IpAddr;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::answer::{Answer, Epoch, PodPermit};
use crate::bounds::{PERMIT_MS, SHORTEST_MS, usable_ms};
use crate::clock::BootTime;
use crate::held::Held;
use crate::ranges::Ranges;

/// What is known on the node when an answer is judged.
#[derive(Clone, Copy, Debug)]
pub struct Known<'a> {
    /// Epochs that were permitted before.
    pub held: &'a Held,
    /// Addresses whose tickets were written before the question was sent.
    pub tickets: &'a BTreeSet<IpAddr>,
    /// Addresses whose permits stood before the question was sent.
    pub permits: &'a BTreeSet<IpAddr>,
    /// Addresses that are governed.
    pub ranges: &'a Ranges,
    /// When the question was about to be sent.
    pub asked: BootTime,
    /// The earliest that a permit can stand.
    pub now: BootTime,
}

/// A permit to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opening {
    /// Of the pod.
    pub address: IpAddr,
    /// The pod's scope.
    pub scope: String,
    /// The scope's epoch.
    pub epoch: Epoch,
    /// Whether a permit stood, which must then still stand when this one is written.
    pub extends: bool,
    /// `t_ask + left(1 − 2ρ)`: no permit may last longer.
    pub until: BootTime,
}

impl Opening {
    /// The timeout of a permit that is written at `now`, in milliseconds: at most G, never past `until`, and none if it
    /// would be too short to be counted.
    pub fn timeout_ms(&self, now: BootTime) -> Option<u64> {
        let ms = self.until.since(now).min(PERMIT_MS);
        (ms >= SHORTEST_MS).then_some(ms)
    }
}

/// Why a pod gets no permit from this answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Refusal {
    /// The answer goes by an older record of the centre than one before it: the centre was restored from a copy.
    CentreRestored {
        /// Number of its record.
        named: u64,
        /// The highest before.
        held: u64,
    },
    /// The answer's epoch of the scope is older than one that was permitted on this node.
    StaleEpoch {
        /// What the answer names.
        named: Epoch,
        /// What was permitted.
        held: Epoch,
    },
    /// The pod was not created under the scope's current epoch.
    NotCurrent {
        /// The pod's.
        pod: Epoch,
        /// The scope's, if the answer names one.
        current: Option<Epoch>,
    },
    /// Its address is not governed, so that a permit would mean nothing.
    OutsideRange,
    /// Another pod has the same address.
    TwoPods,
    /// The agent gives it no time.
    NoTimeLeft,
    /// Its address was not known before the question; the next round has a ticket for it.
    NoTicket,
}

impl Refusal {
    /// A word for metrics and logs.
    pub const fn word(self) -> &'static str {
        match self {
            Self::CentreRestored { .. } => "CentreRestored",
            Self::StaleEpoch { .. } => "StaleEpoch",
            Self::NotCurrent { .. } => "NotCurrent",
            Self::OutsideRange => "OutsideRange",
            Self::TwoPods => "TwoPods",
            Self::NoTimeLeft => "NoTimeLeft",
            Self::NoTicket => "NoTicket",
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())?;
        match self {
            Self::CentreRestored { named, held } => write!(f, " {named} < {held}"),
            Self::StaleEpoch { named, held } => {
                let (named, held) = named.against(*held);
                write!(f, " {named} < {held}")
            }
            Self::NotCurrent {
                pod,
                current: Some(current),
            } => {
                let (pod, current) = pod.against(*current);
                write!(f, " {pod}, not {current}")
            }
            _ => Ok(()),
        }
    }
}

/// A pod that gets no permit from this answer.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Refused {
    /// Its address.
    pub address: IpAddr,
    /// Its scope.
    pub scope: String,
    /// Why.
    pub why: Refusal,
}

/// What one answer allows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pass {
    /// Permits to be written, by address; each address once.
    pub openings: Vec<Opening>,
    /// Pods without a permit.
    pub refused: Vec<Refused>,
    /// What must be on disk before the first permit is written.
    pub held: Held,
    /// Addresses that the next question needs tickets for.
    pub wanted: BTreeSet<IpAddr>,
}

/// Judges an answer.
pub fn plan(answer: &Answer, known: Known<'_>) -> Pass {
    let mut epochs: BTreeMap<&str, Epoch> = BTreeMap::new();
    for row in &answer.epochs {
        let epoch = epochs.entry(&row.scope).or_insert(row.epoch);
        *epoch = row.epoch.max(*epoch);
    }
    let mut owners: BTreeMap<IpAddr, BTreeSet<&str>> = BTreeMap::new();
    for pod in &answer.pods {
        owners.entry(pod.address).or_default().insert(&pod.uid);
    }
    let mut pass = Pass {
        held: known.held.clone(),
        ..Pass::default()
    };
    let mut openings: BTreeMap<IpAddr, Opening> = BTreeMap::new();
    for pod in &answer.pods {
        let alone = owners.get(&pod.address).is_some_and(|uids| uids.len() == 1);
        let judged = if answer.record < known.held.record() {
            let (named, held) = (answer.record, known.held.record());
            Err(Refusal::CentreRestored { named, held })
        } else if alone {
            judge(pod, epochs.get(pod.scope.as_str()).copied(), known)
        } else {
            Err(Refusal::TwoPods)
        };
        if matches!(judged, Ok(_) | Err(Refusal::NoTicket)) {
            pass.wanted.insert(pod.address);
        }
        match judged {
            Ok(opening) => {
                // The same row twice: the shorter one counts.
                let until = opening.until;
                let kept = openings.entry(pod.address).or_insert(opening);
                kept.until = kept.until.min(until);
            }
            Err(why) => pass.refused.push(Refused {
                address: pod.address,
                scope: pod.scope.clone(),
                why,
            }),
        }
    }
    // Whatever else is said of an address, a refusal closes it.
    for refused in &pass.refused {
        openings.remove(&refused.address);
    }
    pass.held.recorded(answer.record);
    for opening in openings.values() {
        pass.held.raise(&opening.scope, opening.epoch);
    }
    pass.openings = openings.into_values().collect();
    pass
}

fn judge(pod: &PodPermit, current: Option<Epoch>, known: Known<'_>) -> Result<Opening, Refusal> {
    if let (Some(named), Some(held)) = (current, known.held.of(&pod.scope))
        && named < held
    {
        return Err(Refusal::StaleEpoch { named, held });
    }
    if current != Some(pod.epoch) {
        let pod = pod.epoch;
        return Err(Refusal::NotCurrent { pod, current });
    }
    if !known.ranges.contain(pod.address) {
        return Err(Refusal::OutsideRange);
    }
    let opening = Opening {
        address: pod.address,
        scope: pod.scope.clone(),
        epoch: pod.epoch,
        extends: known.permits.contains(&pod.address),
        until: known.asked.plus(usable_ms(pod.left_ms.unwrap_or(0))),
    };
    if opening.timeout_ms(known.now).is_none() {
        return Err(Refusal::NoTimeLeft);
    }
    if !known.tickets.contains(&pod.address) {
        return Err(Refusal::NoTicket);
    }
    Ok(opening)
}
