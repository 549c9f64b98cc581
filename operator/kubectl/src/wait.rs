//! Why a request does not get what it asks from one pool now: what is short, who is ahead, and what ends next.

use std::collections::BTreeMap;

use crds::{Amount, PoolQueue, Resources, request_reason as reason};
use plan::market::Choice;
use serde::Serialize;

use crate::amount::{noun_zh, short, unit, unit_zh};
use crate::floor::{Floor, Province, ahead, charges};
use crate::lang::both;

/// Most rows that a queue publishes.
const PUBLISHED: usize = 200;
/// Most of those ahead that are named.
const NAMED: usize = 3;

/// Waiting for one pool.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Wait {
    /// Pool.
    pub pool: String,
    /// What is short; empty where it fits now.
    pub lacks: Vec<Lack>,
    /// Centres whose capacity is not known.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unknown: Vec<String>,
    /// Place in the queue.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queue: Option<Place>,
    /// Who is ahead in it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ahead: Option<Ahead>,
    /// The day on which the end of a grant makes room enough, as far as ends are published.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub earliest: Option<String>,
    /// Whether the ends could be read.
    #[serde(skip)]
    pub ends_seen: bool,
}

/// One resource that is short.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Lack {
    /// Resource.
    pub resource: &'static str,
    /// What the request asks in all; for a change, what it adds.
    pub asked: Amount,
    /// What that adds to the charge in the centre.
    pub charge: Amount,
    /// The centre that has the least for it.
    pub centre: String,
    /// What is free there.
    pub free: Amount,
    /// What is missing there.
    pub short: Amount,
    #[serde(skip)]
    words: [String; 4],
}

/// Place in a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Place {
    /// From 1; `None` behind the published rows.
    pub position: Option<usize>,
    /// Rows that are published.
    pub total: usize,
}

/// Those ahead in a queue.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Ahead {
    /// How many.
    pub requests: usize,
    /// What they ask of what is short most, in the centre that is short of it.
    pub asked: Option<Amount>,
    /// Those that the reader may see, as `NAMESPACE/NAME`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<String>,
    #[serde(skip)]
    words: Option<(String, String)>,
}

/// Whether room is what a request waits for, so that figures and the queue say more than its message.
pub fn for_room(why: &str) -> bool {
    [reason::WAITING_FOR_QUOTA, reason::CAPACITY_UNKNOWN].contains(&why)
}

impl Wait {
    /// What stands between the choice and its grant. `uid` is that of the request, `None` for one that was not applied
    /// (it would be the last of the queue).
    pub fn new(choice: &Choice, floor: &Floor, province: &Province, uid: Option<&str>) -> Self {
        let mut queues = province.queues.iter().flatten();
        let queue = queues.find(|q| q.metadata.name.as_deref() == Some(&*choice.pool));
        let pool = floor.pools.get(&*choice.pool);
        let unknown = choice
            .grant
            .centres
            .keys()
            .filter(|c| !pool.is_some_and(|p| p.known_in(c)))
            .map(ToString::to_string)
            .collect();
        let mut lacks: Vec<Lack> = Resources::NAMES
            .into_iter()
            .filter_map(|r| lack(choice, floor, r))
            .collect();
        if lacks.iter().any(|l| l.resource == "accelerators") {
            // CPU and memory come with the cards; that they are short as well says nothing new.
            lacks.retain(|l| l.resource == "accelerators");
        }
        let place = queue.and_then(|q| place(q, uid));
        let uid = uid.unwrap_or_default();
        let ahead = queue.filter(|_| place.is_some());
        let ahead = ahead.and_then(|q| Ahead::new(q, uid, lacks.first(), &province.names));
        let earliest = queue
            .filter(|_| !lacks.is_empty())
            .and_then(|q| earliest(choice, floor, q, uid));
        Self {
            pool: choice.pool.to_string(),
            lacks,
            unknown,
            queue: place,
            ahead,
            earliest,
            ends_seen: queue.is_some(),
        }
    }

    /// In one sentence a fact, `English | 中文`.
    pub fn in_words(&self) -> String {
        let (mut en, mut zh) = (vec![self.figures(false)], vec![self.figures(true)]);
        if let Some(place) = self.queue {
            let total = if place.total >= PUBLISHED {
                format!("{}+", place.total)
            } else {
                place.total.to_string()
            };
            let (e, z) = match place.position {
                Some(position) => (
                    format!("Queue {position} of {total}"),
                    format!("排队第{position}，共{total}"),
                ),
                None => (format!("Queue behind {total}"), format!("排在{total}个之后")),
            };
            let (e_ahead, z_ahead) = self.ahead.as_ref().map(Ahead::in_words).unwrap_or_default();
            en.push(e + &e_ahead);
            zh.push(z + &z_ahead);
        }
        if let Some(date) = &self.earliest {
            en.push(format!("Earliest {date} (a grant ends)"));
            zh.push(format!("最早{date}（有配额到期）"));
        } else if self.ends_seen && !self.lacks.is_empty() {
            en.push("No known end of a grant frees enough".to_owned());
            zh.push("已知的到期配额不足以满足".to_owned());
        }
        both(en.join(". "), zh.join("；"))
    }

    fn figures(&self, zh: bool) -> String {
        let pool = &self.pool;
        if !self.unknown.is_empty() {
            let centres = self.unknown.join(", ");
            return if zh {
                format!("{pool}：{centres} 容量未知，暂停授予")
            } else {
                format!("{pool}: capacity of {centres} is not known, nothing is sold there")
            };
        }
        if self.lacks.is_empty() {
            return if zh {
                format!("{pool}：余量已足，等待下一轮")
            } else {
                format!("{pool}: fits now, the next cycle decides")
            };
        }
        let one = |lack: &Lack| {
            let [asked, charge, free, missing] = &lack.words;
            let (centre, unit, noun) = (&lack.centre, unit(lack.resource), noun_zh(lack.resource));
            match (zh, asked == charge) {
                (false, true) => format!("asked {asked}{unit}, free {free}, short {missing}"),
                (false, false) => {
                    format!("asked {asked}{unit}, {charge} of it in {centre}, free there {free}, short {missing}")
                }
                (true, true) => format!("{noun}需{asked}，可用{free}，缺{missing}"),
                (true, false) => format!("{noun}需{asked}，其中{centre}需{charge}，可用{free}，缺{missing}"),
            }
        };
        let parts: Vec<String> = self.lacks.iter().map(one).collect();
        if zh {
            format!("{pool}：{}", parts.join("；"))
        } else {
            format!("{pool}: {}", parts.join("; "))
        }
    }
}

/// The centre with the least left for it, if it is short of that resource.
fn lack(choice: &Choice, floor: &Floor, resource: &'static str) -> Option<Lack> {
    let rows = choice.grant.centres.keys().map(|centre| {
        let (charge, free) = (
            choice.added(centre)[resource],
            floor.market().free(&choice.pool, centre)[resource],
        );
        (charge - free, charge, free, centre)
    });
    let (missing, charge, free, centre) = rows
        .filter(|(missing, charge, ..)| *charge > 0 && *missing > 0)
        .max_by_key(|r| r.0)?;
    let asked = choice.grant.n[resource] - choice.base.n[resource];
    let amount = |v| Resources::amount(resource, v);
    Some(Lack {
        resource,
        asked: amount(asked),
        charge: amount(charge),
        centre: centre.to_string(),
        free: amount(free),
        short: amount(missing),
        words: [asked, charge, free, missing].map(|v| short(resource, v)),
    })
}

fn place(queue: &PoolQueue, uid: Option<&str>) -> Option<Place> {
    let waiting = &queue.spec.waiting;
    let Some(uid) = uid else {
        let total = waiting.len() + 1;
        return (total > 1).then_some(Place {
            position: Some(total),
            total,
        });
    };
    match waiting.iter().position(|w| w.uid == uid) {
        Some(index) => Some(Place {
            position: Some(index + 1),
            total: waiting.len(),
        }),
        None if waiting.len() >= PUBLISHED => Some(Place {
            position: None,
            total: waiting.len(),
        }),
        None => None,
    }
}

/// The first published end after which all that is ahead and this request fit.
fn earliest(choice: &Choice, floor: &Floor, queue: &PoolQueue, uid: &str) -> Option<String> {
    let waiting = sums(ahead(queue, uid).map(|w| charges(&w.centres)));
    let mut ends = queue.spec.ends.iter().enumerate();
    let found = ends.find(|(index, _)| {
        let freed = sums(queue.spec.ends.iter().take(index + 1).map(|e| charges(&e.centres)));
        choice.grant.centres.keys().all(|centre| {
            let of = |sums: &BTreeMap<&str, Resources>| sums.get(&**centre).copied().unwrap_or_default();
            let room = floor.ledger.free(&choice.pool, centre).plus(of(&freed));
            let before = of(&waiting);
            // Only what this request asks counts: a queue for CPU is no obstacle where cards are short.
            let wanted = choice.added(centre);
            wanted.iter().all(|(r, v)| v <= 0 || v + before[r] <= room[r])
        })
    });
    found.map(|(_, end)| end.date.clone())
}

/// By centre, of all rows.
fn sums<'a>(rows: impl Iterator<Item = BTreeMap<&'a str, Resources>>) -> BTreeMap<&'a str, Resources> {
    let mut sums: BTreeMap<&str, Resources> = BTreeMap::new();
    for (centre, amounts) in rows.flatten() {
        let sum = sums.entry(centre).or_default();
        *sum = sum.plus(amounts);
    }
    sums
}

impl Ahead {
    /// Those ahead of `uid`; nothing where nobody is.
    fn new(queue: &PoolQueue, uid: &str, lack: Option<&Lack>, names: &BTreeMap<String, String>) -> Option<Self> {
        let requests = ahead(queue, uid).count();
        let sums = sums(ahead(queue, uid).map(|w| charges(&w.centres)));
        let asked = lack.map(|lack| {
            let sum = sums.get(lack.centre.as_str()).copied().unwrap_or_default();
            (lack.resource, sum[lack.resource])
        });
        let names = ahead(queue, uid).filter_map(|w| names.get(&w.uid).cloned());
        (requests > 0).then(|| Self {
            requests,
            asked: asked.map(|(r, sum)| Resources::amount(r, sum)),
            names: names.collect(),
            words: asked.map(|(r, sum)| (short(r, sum) + &unit(r), short(r, sum) + unit_zh(r))),
        })
    }

    /// In brackets, English and 中文.
    fn in_words(&self) -> (String, String) {
        let Self { requests, names, .. } = self;
        let (ask, ask_zh) = match &self.words {
            Some((asked, asked_zh)) => (format!(" ask {asked}"), format!("需{asked_zh}")),
            None => Default::default(),
        };
        let named = names.iter().take(NAMED).cloned().collect::<Vec<_>>().join(", ");
        let (who, who_zh) = match requests - names.len().min(NAMED) {
            _ if named.is_empty() => Default::default(),
            0 => (format!(": {named}"), format!("：{named}")),
            more => (format!(": {named} and {more} more"), format!("：{named} 等")),
        };
        (
            format!(" ({requests} ahead{ask}{who})"),
            format!("（前有{requests}个{ask_zh}{who_zh}）"),
        )
    }
}
