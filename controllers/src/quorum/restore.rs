//! After the arbiter's store was restored from a copy: everything is taken from everybody, and a new life begins in which
//! the centres are asked what they held.

use std::collections::{BTreeMap, BTreeSet};

use arbiter::operator::restored;
use arbiter::record::Record;
use arbiter::row::Incarnation;
use arbiter::txn::key;
use arbiter::view::View;
use jiff::Timestamp;
use serde_json::json;
use thiserror::Error;

use super::{Config, ConnectError, Unanswered};

/// People who answer together for a source that is missing.
const PERSONS: usize = 2;

/// What is known beside the copy itself.
#[derive(Debug, Default)]
pub struct Sources {
    /// Record of each centre that could be read.
    pub records: BTreeMap<String, Record>,
    /// Centres whose record cannot be had.
    pub without: BTreeSet<String>,
    /// Who answers for that.
    pub persons: BTreeSet<String>,
    /// Begin anew although nothing shows that the store is a copy.
    pub anew: bool,
}

/// What came of it.
#[derive(Debug, PartialEq, Eq)]
pub enum Restored {
    /// A new life, and how many scopes are asked for.
    Begun(Incarnation, usize),
    /// This life began in this very store.
    NoCopy(Incarnation),
}

/// Why nothing was begun.
#[derive(Debug, Error)]
pub enum RestoreError {
    /// The store.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// An answer.
    #[error(transparent)]
    Unanswered(#[from] Unanswered),
    /// The copy holds nothing of the arbiter.
    #[error(
        "this store holds nothing of the arbiter: the operator begins its first life by itself | 存储中没有仲裁数据，由 operator 自行初始化"
    )]
    Empty,
    /// A place says nothing.
    #[error(
        "no record of {0}: name its kubeconfig with --centre, or leave it out with --without and two people (--person) | 缺少 {0} 的记录：请以 --centre 指定，或以 --without 排除并由两人（--person）确认"
    )]
    Missing(String),
    /// Nobody answers for what is missing.
    #[error(
        "{0} of {PERSONS} people answer for what is missing: --person twice, two names | 缺失记录须由 {PERSONS} 人确认，现有 {0} 人"
    )]
    Persons(usize),
    /// Somebody else wrote meanwhile.
    #[error("somebody else began a life meanwhile; run it again | 期间有他人写入，请重新执行")]
    Changed,
}

/// The next life of a store: above every one that the copy or a centre names.
pub(super) fn life(number: u64, store: u64) -> Incarnation {
    let nonce = uuid::Uuid::new_v4().as_u64_pair().0;
    Incarnation { number, nonce, store }
}

/// Begins it. Nothing that anybody held before counts afterwards; killed in between, it is run again.
///
/// # Errors
/// A source is missing and nobody answers for it, or the store does not answer.
pub async fn restore(config: &Config, sources: &Sources, now: Timestamp) -> Result<Restored, RestoreError> {
    let store = config.connect().await?;
    let answer = store.ask(&View::look()).await?;
    let view = View::of(&answer.outcome);
    let before = answer.outcome.get(&key::incarnation());
    let (Some(before), Some(copied)) = (before, view.incarnation) else {
        return Err(RestoreError::Empty);
    };
    let places = config.endpoints.keys().map(String::as_str);
    check(places, sources)?;
    if copied.store == answer.store && !sources.anew && !is_behind(&view, &sources.records) {
        return Ok(Restored::NoCopy(copied));
    }
    let life = life(above(&view, copied, &sources.records), answer.store);
    let mut txns = restored(&view, before.revision, life);
    let said = json!({"at": now, "life": life, "copy": copied, "without": sources.without, "persons": sources.persons,
        "records": sources.records.iter().map(|(place, r)| (place, r.incarnation)).collect::<BTreeMap<_, _>>()});
    if let Some(last) = txns.pop() {
        txns.push(last.put(key::restore(life.number), &said));
    }
    for txn in &txns {
        if !store.ask(txn).await?.outcome.succeeded {
            return Err(RestoreError::Changed);
        }
    }
    Ok(Restored::Begun(life, view.rows.len()))
}

fn check<'a>(places: impl Iterator<Item = &'a str>, sources: &Sources) -> Result<(), RestoreError> {
    let missing = places.filter(|p| !sources.records.contains_key(*p) && !sources.without.contains(*p));
    let missing: Vec<&str> = missing.collect();
    if !missing.is_empty() {
        return Err(RestoreError::Missing(missing.join(", ")));
    }
    let people = sources.persons.iter().filter(|name| !name.trim().is_empty()).count();
    if !sources.without.is_empty() && people < PERSONS {
        return Err(RestoreError::Persons(people));
    }
    Ok(())
}

/// Whether a centre remembers what the store does not know any more.
fn is_behind(view: &View, records: &BTreeMap<String, Record>) -> bool {
    let number = view.incarnation.map_or(0, |life| life.number);
    records.values().any(|record| {
        let later = |(scope, kept): (&String, &arbiter::record::Kept)| {
            view.rows.get(scope).is_none_or(|(row, _)| kept.floor > row.epoch)
        };
        record.incarnation.is_some_and(|life| life.number > number) || record.scopes.iter().any(later)
    })
}

/// A number above every one that is known.
fn above(view: &View, copied: Incarnation, records: &BTreeMap<String, Record>) -> u64 {
    let recorded = records.values().filter_map(|record| record.incarnation);
    let floors = records.values().flat_map(|r| r.scopes.values()).map(|kept| kept.floor);
    // A restore that was killed may have written some of them.
    let rows = view.rows.values().map(|(row, _)| row.epoch);
    let numbers = recorded
        .map(|life| life.number)
        .chain(floors.chain(rows).map(|e| e.incarnation));
    numbers.fold(copied.number, u64::max).saturating_add(1)
}

#[cfg(test)]
mod tests {
    use arbiter::record::Kept;
    use arbiter::row::{Epoch, Row};

    use super::*;

    const SCOPE: &str = "dept-rsj/exam";

    fn epoch(incarnation: u64, counter: u64) -> Epoch {
        Epoch { incarnation, counter }
    }

    fn record(number: u64, floor: Epoch) -> Record {
        let kept = Kept {
            floor,
            ..Kept::default()
        };
        Record {
            incarnation: Some(life(number, 0)),
            scopes: [(SCOPE.to_owned(), kept)].into(),
            ..Record::default()
        }
    }

    fn view(number: u64, at: Epoch) -> View {
        View {
            incarnation: Some(life(number, 0)),
            rows: [(SCOPE.to_owned(), (Row::held(at, "jishi"), 5))].into(),
            ..View::default()
        }
    }

    fn of(place: &str, record: Record) -> BTreeMap<String, Record> {
        [(place.to_owned(), record)].into()
    }

    #[test]
    fn the_next_life_is_above_everything_that_is_known() {
        let view = view(2, epoch(2, 7));
        let copied = view.incarnation.unwrap();
        let next = |records| above(&view, copied, &records);
        assert_eq!(next(BTreeMap::new()), 3);
        assert_eq!(next(of("jishi", record(4, epoch(1, 1)))), 5);
        assert_eq!(next(of("jishi", record(1, epoch(6, 1)))), 7);
    }

    #[test]
    fn a_store_that_a_centre_is_ahead_of_went_back() {
        let view = view(2, epoch(2, 7));
        assert!(!is_behind(&view, &of("jishi", record(2, epoch(2, 7)))));
        assert!(is_behind(&view, &of("jishi", record(2, epoch(2, 8)))));
        assert!(is_behind(&view, &of("jishi", record(3, epoch(2, 7)))));
    }

    #[test]
    fn a_missing_source_takes_two_people() {
        let places = || ["jishi", "baicheng"].into_iter();
        let mut sources = Sources {
            records: of("jishi", Record::default()),
            ..Sources::default()
        };
        let said = check(places(), &sources).unwrap_err().to_string();
        assert!(said.contains("no record of baicheng"), "{said}");
        sources.without.insert("baicheng".to_owned());
        sources.persons.extend(["li".to_owned(), " ".to_owned()]);
        let said = check(places(), &sources).unwrap_err().to_string();
        assert!(said.contains("1 of 2 people"), "{said}");
        sources.persons.insert("zhao".to_owned());
        assert!(check(places(), &sources).is_ok());
    }
}
