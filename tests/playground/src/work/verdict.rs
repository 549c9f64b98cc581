//! Whether two places ever wrote for one scope, from nothing but the writers' own logs and the sink's.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::record::{Landed, RightEpoch, Write};
use super::sink;
use super::writer::PATIENCE;

/// The writes of one scope, judged. Times are milliseconds on CLOCK_BOOTTIME.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Verdict {
    /// Records that landed.
    pub writes: usize,
    /// Who wrote, in order: place, epoch, from the first to the last record.
    pub turns: Vec<Turn>,
    /// What must never be.
    pub violations: Vec<Violation>,
    /// The longest time in which nothing landed; absent with fewer than two records.
    pub silence: Option<Silence>,
}

/// One place's writes under one epoch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Turn {
    /// Where.
    pub place: String,
    /// Under which epoch.
    pub epoch: RightEpoch,
    /// When the first record was sent.
    pub from: u64,
    /// When the last one landed, or was known to have landed.
    pub to: u64,
}

/// A time without a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Silence {
    /// After the record that landed then.
    pub from: u64,
    /// Until the one that landed then.
    pub to: u64,
}

impl Silence {
    /// Its length in milliseconds.
    pub fn ms(self) -> u64 {
        self.to - self.from
    }
}

/// What the logs prove that must never be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub enum Violation {
    /// Two places wrote in overlapping times.
    Interleaved(Turn, Turn),
    /// Two places wrote under one epoch.
    SameEpoch(Turn, Turn),
    /// A record landed after one of a higher epoch.
    Backwards {
        /// The record.
        late: Landed,
        /// What had landed before.
        after: RightEpoch,
    },
    /// The writer was told that it landed, and the sink does not have it.
    Lost(Write),
}

/// Reads what the writers and the sink of a cloud wrote down in its folder of writes. A line that was cut off by a kill is
/// left out.
pub fn read_writes(folder: &Path) -> Result<(Vec<Write>, Vec<Landed>)> {
    let mut writes = Vec::new();
    for entry in std::fs::read_dir(folder).with_context(|| format!("{}", folder.display()))? {
        let path = entry?.path();
        let name = path.file_name().and_then(|n| n.to_str()).unwrap_or_default();
        if name.starts_with("writer-") {
            writes.extend(lines::<Write>(&path)?);
        }
    }
    let landed = lines(&folder.join(sink::FILE))?;
    Ok((writes, landed))
}

fn lines<T: DeserializeOwned>(file: &Path) -> Result<Vec<T>> {
    let text = std::fs::read_to_string(file).with_context(|| format!("{}", file.display()))?;
    let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
    let read = whole.lines().filter(|line| !line.is_empty()).map(serde_json::from_str);
    read.collect::<Result<_, _>>()
        .with_context(|| format!("a line of {}", file.display()))
}

/// Judges every scope that anybody wrote for.
pub fn judge(writes: &[Write], landed: &[Landed]) -> BTreeMap<String, Verdict> {
    let mut scopes: BTreeMap<String, (Vec<&Write>, Vec<&Landed>)> = BTreeMap::new();
    for write in writes {
        scopes.entry(write.scope.clone()).or_default().0.push(write);
    }
    for record in landed {
        scopes.entry(record.write.scope.clone()).or_default().1.push(record);
    }
    let judged = scopes.into_iter().map(|(scope, (writes, mut landed))| {
        landed.sort_by_key(|record| record.landed);
        (scope, judge_one(&writes, &landed))
    });
    judged.collect()
}

/// A record by which no two are confused: restarts of a process count anew, but not at the same time.
fn key(write: &Write) -> (&str, u64, u64) {
    (&write.pod, write.n, write.sent)
}

fn judge_one(writes: &[&Write], landed: &[&Landed]) -> Verdict {
    let acked: BTreeMap<_, u64> = writes.iter().filter_map(|w| Some((key(w), w.acked?))).collect();
    let turns = turns(landed, &acked);
    let mut violations = Vec::new();
    for (index, one) in turns.iter().enumerate() {
        let others = turns.iter().skip(index + 1).filter(|other| other.place != one.place);
        for other in others {
            if other.epoch == one.epoch {
                violations.push(Violation::SameEpoch(one.clone(), other.clone()));
            }
            if one.from < other.to && other.from < one.to {
                violations.push(Violation::Interleaved(one.clone(), other.clone()));
            }
        }
    }
    let mut highest: Option<RightEpoch> = None;
    for record in landed {
        let epoch = record.write.epoch;
        match highest {
            Some(after) if epoch < after => violations.push(Violation::Backwards {
                late: (*record).clone(),
                after,
            }),
            _ => highest = Some(epoch),
        }
    }
    let known: std::collections::BTreeSet<_> = landed.iter().map(|record| key(&record.write)).collect();
    let lost = writes.iter().filter(|w| w.acked.is_some() && !known.contains(&key(w)));
    violations.extend(lost.map(|w| Violation::Lost((*w).clone())));
    let pairs = landed.iter().zip(landed.iter().skip(1));
    let silences = pairs.map(|(before, after)| Silence {
        from: before.landed,
        to: after.landed,
    });
    Verdict {
        writes: landed.len(),
        turns,
        violations,
        silence: silences.max_by_key(|silence| silence.ms()),
    }
}

/// When its writer heard of a record. It gives one up after [`PATIENCE`]: an answer that was read later had arrived before,
/// and waited with a writer that stood still.
fn heard(write: &Write, acked: u64) -> u64 {
    let patience = u64::try_from(PATIENCE.as_millis()).unwrap_or(u64::MAX);
    acked.min(write.sent.saturating_add(patience))
}

/// Who wrote, by place and epoch. A record counts from when it was sent to when its writer heard that it had landed.
fn turns(landed: &[&Landed], acked: &BTreeMap<(&str, u64, u64), u64>) -> Vec<Turn> {
    let mut turns: BTreeMap<(RightEpoch, &str), Turn> = BTreeMap::new();
    for record in landed {
        let write = &record.write;
        let heard = acked.get(&key(write)).map_or(0, |acked| heard(write, *acked));
        let until = heard.max(record.landed);
        let turn = turns.entry((write.epoch, &write.place)).or_insert_with(|| Turn {
            place: write.place.clone(),
            epoch: write.epoch,
            from: write.sent,
            to: until,
        });
        turn.from = turn.from.min(write.sent);
        turn.to = turn.to.max(until);
    }
    let mut turns: Vec<Turn> = turns.into_values().collect();
    turns.sort_by_key(|turn| (turn.from, turn.epoch));
    turns
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A record that took 10 ms to land, and 20 to be known.
    fn record(place: &str, counter: u64, n: u64, sent: u64) -> (Write, Landed) {
        let write = Write {
            scope: "dept-rsj/exam".into(),
            epoch: RightEpoch {
                incarnation: 1,
                counter,
            },
            place: place.into(),
            pod: format!("{place}-{counter}"),
            n,
            sent,
            acked: None,
        };
        let landed = Landed {
            write: write.clone(),
            landed: sent + 10,
        };
        let write = Write {
            acked: Some(sent + 20),
            ..write
        };
        (write, landed)
    }

    fn judged(all: Vec<(Write, Landed)>) -> Verdict {
        let (writes, landed): (Vec<Write>, Vec<Landed>) = all.into_iter().unzip();
        judge(&writes, &landed).remove("dept-rsj/exam").unwrap()
    }

    #[test]
    fn one_after_the_other_is_as_it_should_be() {
        let verdict = judged(vec![
            record("jishi", 7, 1, 100),
            record("jishi", 7, 2, 150),
            record("jiyidong", 8, 1, 16_000),
            record("jiyidong", 8, 2, 16_050),
            record("jishi", 9, 1, 60_000),
        ]);
        assert_eq!(verdict.violations, []);
        assert_eq!((verdict.writes, verdict.turns.len()), (5, 3));
        assert_eq!(verdict.silence.map(Silence::ms), Some(43_950));
        assert_eq!((verdict.turns[0].from, verdict.turns[0].to), (100, 170));
    }

    #[test]
    fn two_at_a_time_are_found() {
        let verdict = judged(vec![
            record("jishi", 7, 1, 100),
            record("jiyidong", 8, 1, 140),
            record("jishi", 7, 2, 150),
        ]);
        assert!(
            matches!(&verdict.violations[0], Violation::Interleaved(a, b) if a.place == "jishi" && b.place == "jiyidong")
        );
        assert!(matches!(verdict.violations[1], Violation::Backwards { .. }));
        // The last record of the one was answered after the first of the other was sent.
        let verdict = judged(vec![record("jishi", 7, 1, 100), record("jiyidong", 8, 1, 115)]);
        assert!(matches!(verdict.violations[..], [Violation::Interleaved(..)]));
        let verdict = judged(vec![record("jishi", 7, 1, 100), record("jiyidong", 8, 1, 120)]);
        assert_eq!(verdict.violations, []);
    }

    #[test]
    fn a_writer_that_stood_still_did_not_write_meanwhile() {
        let (mut write, landed) = record("jishi", 7, 1, 100);
        write.acked = Some(60_000);
        let other = record("jiyidong", 8, 1, 16_000);
        let (writes, all) = ([write, other.0], [landed, other.1]);
        assert_eq!(judge(&writes, &all)["dept-rsj/exam"].violations, []);
        // Another one that was sent when it woke up is found.
        let late = record("jishi", 7, 2, 60_001);
        let (writes, all) = ([&writes[..], &[late.0]].concat(), [&all[..], &[late.1]].concat());
        assert_eq!(judge(&writes, &all)["dept-rsj/exam"].violations.len(), 2);
    }

    #[test]
    fn an_epoch_is_one_place_s_and_never_goes_back() {
        let verdict = judged(vec![record("jishi", 7, 1, 100), record("jiyidong", 7, 1, 900)]);
        assert!(matches!(verdict.violations[..], [Violation::SameEpoch(..)]));
        let verdict = judged(vec![record("jiyidong", 8, 1, 100), record("jishi", 7, 1, 900)]);
        assert!(matches!(verdict.violations[..], [Violation::Backwards { .. }]));
    }

    #[test]
    fn what_landed_unheard_counts_and_what_was_promised_must_be_there() {
        let (mut write, landed) = record("jishi", 7, 1, 100);
        write.acked = None;
        let verdict = judge(std::slice::from_ref(&write), std::slice::from_ref(&landed));
        assert_eq!(verdict["dept-rsj/exam"].turns[0].to, 110);
        assert!(verdict["dept-rsj/exam"].silence.is_none());
        write.acked = Some(120);
        let verdict = judge(std::slice::from_ref(&write), &[]);
        assert_eq!(verdict["dept-rsj/exam"].violations, [Violation::Lost(write)]);
    }

    #[test]
    fn a_line_that_was_cut_off_is_left_out() {
        let folder = std::env::temp_dir().join(format!("xy-writes-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let (write, landed) = record("jishi", 7, 1, 100);
        let line = serde_json::to_string(&landed).unwrap();
        std::fs::write(folder.join(sink::FILE), format!("{line}\n{{\"scope\":\"de")).unwrap();
        let line = serde_json::to_string(&write).unwrap();
        std::fs::write(folder.join("writer-jishi.x.jsonl"), format!("{line}\n")).unwrap();
        let read = read_writes(&folder).unwrap();
        std::fs::remove_dir_all(&folder).unwrap();
        assert_eq!(read, (vec![write], vec![landed]));
    }
}
