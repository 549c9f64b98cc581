//! What is done to the cloud in a run, chosen by its number alone.

use std::time::Duration;

use anyhow::Result;
use playground::{Cut, Place};

use crate::world::World;

/// A fault of one run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// A whole centre stands still.
    Frozen,
    /// All of its processes are killed.
    Killed,
    /// It hears neither of the others; its pods still reach whom they write to.
    Isolated,
    /// The two metro centres do not hear each other.
    Cut,
    /// One of them is not heard by the other.
    OneWay,
    /// The agents of a centre stand still.
    AgentsFrozen,
    /// They are killed.
    AgentsKilled,
    /// Nobody hears the witness.
    WitnessOff,
    /// The API server of a centre stands still.
    ApiFrozen,
    /// A centre stands still for less than a verdict takes.
    Flap,
    /// An operator is killed.
    OperatorKilled,
}

const ALL: [Fault; 11] = [
    Fault::Frozen,
    Fault::Killed,
    Fault::Isolated,
    Fault::Cut,
    Fault::OneWay,
    Fault::AgentsFrozen,
    Fault::AgentsKilled,
    Fault::WitnessOff,
    Fault::ApiFrozen,
    Fault::Flap,
    Fault::OperatorKilled,
];

/// Mixes a number well (splitmix64), so that neighbouring runs have nothing in common.
pub(crate) fn mix(number: usize) -> usize {
    let mut z = (number as u64).wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    usize::try_from((z ^ (z >> 31)) >> 8).unwrap_or_default()
}

impl Fault {
    /// The fault of a run, and how long it lasts: at scaled times about half as long.
    pub(crate) fn of(number: usize, scaled: bool) -> (Self, Duration) {
        let random = mix(number);
        // Every kind as often as any other.
        let fault = ALL.get(number % ALL.len()).copied().unwrap_or(Self::Frozen);
        let seconds = match fault {
            Self::Flap => 2 + random % 4,
            _ => 3 + random % 28,
        };
        (fault, Duration::from_secs(seconds as u64) / if scaled { 2 } else { 1 })
    }

    /// Does it.
    pub(crate) async fn begin(self, w: &World) -> Result<()> {
        let cut = |cut: Cut| w.cloud.cut(cut);
        match self {
            Self::Frozen | Self::Flap => w.freeze_place(Place::Jishi).await,
            Self::Killed => {
                for process in w.running(Place::Jishi)? {
                    w.cloud.kill(&process).await?;
                }
                Ok(())
            }
            Self::Isolated => {
                cut(Cut::pair(Place::Jishi, Place::Jiyidong)).await?;
                cut(Cut::pair(Place::Jishi, Place::Baicheng)).await
            }
            Self::Cut => cut(Cut::pair(Place::Jishi, Place::Jiyidong)).await,
            Self::OneWay => {
                let one_way = Cut::pair(Place::Jishi, Place::Jiyidong);
                cut(Cut {
                    one_way: true,
                    ..one_way
                })
                .await
            }
            Self::AgentsFrozen => {
                w.cloud.freeze("agent-1@jishi").await?;
                w.cloud.freeze("agent-2@jishi").await
            }
            Self::AgentsKilled => {
                w.cloud.kill("agent-1@jishi").await?;
                w.cloud.kill("agent-2@jishi").await
            }
            Self::WitnessOff => cut(Cut::off(Place::Baicheng)).await,
            Self::ApiFrozen => w.cloud.freeze("apiserver@jishi").await,
            Self::OperatorKilled => w.cloud.kill("operator@jishi").await,
        }
    }
}
