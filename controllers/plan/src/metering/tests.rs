use crds::{Allocation, AllocationPool, MonthlyPrice, Price, QuotaPoolSpec, UsageReportStatus};
use jiff::SignedDuration;
use proptest::prelude::*;
use serde_json::json;

use std::sync::Arc;

use super::*;

mod gone;

/// 2026-11-01 00:00 in the province.
const NOVEMBER: i64 = 1_793_462_400;

fn cpu(milli: i128) -> Resources {
    Resources {
        cpu: milli,
        ..Resources::ZERO
    }
}

fn change(at: i64, milli: i128) -> Change {
    let pools = if milli == 0 {
        Usage::new()
    } else {
        Usage::from([("x86".to_owned(), cpu(milli))])
    };
    Change { at, pools }
}

/// A pool with these prices and that normalization.
fn pool(per_month: &MonthlyPrice, normalization: &str) -> QuotaPoolSpec {
    let pool = json!({"displayName": "x", "architecture": "amd64", "zone": "GovExtranet",
        "centres": [{"name": "jishi", "source": "Nodes"}], "normalization": normalization,
        "unitPrice": {"currency": "CNY", "perMonth": per_month}});
    serde_json::from_value(pool).unwrap()
}

fn price(per_month: &MonthlyPrice) -> Rates {
    Rates::read(&pool(per_month, "1")).unwrap()
}

fn of(text: &str) -> Price {
    Price(text.to_owned())
}

#[test]
fn a_month_is_the_provinces() {
    let november = Month::parse("2026-11").unwrap();
    assert_eq!(
        (november.start(), november.end() - november.start()),
        (NOVEMBER, 30 * 86_400)
    );
    assert_eq!(Month::at(NOVEMBER - 1).to_string(), "2026-10");
    assert_eq!(Month::at(NOVEMBER), november);
    assert_eq!(november.next().and_then(Month::next), Month::parse("2027-01"));
    for wrong in ["2026-13", "2026-1", "26-11", "2026", "2026-00", "+026-11"] {
        assert_eq!(Month::parse(wrong), None, "{wrong}");
    }
}

#[test]
fn a_whole_month_costs_the_monthly_price() {
    let month = Month::parse("2026-11").unwrap();
    let prices = price(&MonthlyPrice {
        cpu: Some(of("30")),
        memory: Some(of("0.0125")),
        storage: Some(of("100")),
        accelerators: Some(of("3000")),
    });
    let seconds = 30 * 86_400;
    let all = Resources {
        cpu: 64_000 * seconds,
        memory: (256i128 << 30) * seconds,
        storage: 20_000_000_000_000 * seconds,
        accelerators: 2 * seconds,
    };
    assert_eq!(
        prices.hundredths(all, month),
        64 * 3000 + 320 + 20 * 10_000 + 2 * 300_000
    );
    // A day of December is cheaper than one of November.
    let day = cpu(31_000 * 86_400);
    assert_eq!(prices.hundredths(day, Month::parse("2026-12").unwrap()), 3000);
    assert_eq!(prices.hundredths(day, month), 3100);
}

#[test]
fn the_price_is_rounded_once_and_half_up() {
    let month = Month::parse("2026-11").unwrap();
    let prices = price(&MonthlyPrice {
        cpu: Some(of("0.0025")),
        memory: Some(of("0.0025")),
        ..MonthlyPrice::default()
    });
    let seconds = 30 * 86_400;
    let both = Resources {
        cpu: 1000 * seconds,
        memory: (1 << 30) * seconds,
        ..Resources::ZERO
    };
    assert_eq!(prices.hundredths(both, month), 1, "0.25 + 0.25 hundredths");
    assert_eq!(prices.hundredths(cpu(1000 * seconds), month), 0);
    assert_eq!(prices.hundredths(both.minus(cpu(1)), month), 0);
    assert_eq!(rounded(1, 3, 6), "0.333333");
    assert_eq!(rounded(2, 3, 6), "0.666667");
    assert_eq!(rounded(1, 2_000_000, 6), "0.000001");
    assert_eq!(rounded(7200, 3600, 6), "2");
}

#[test]
fn only_numbers_are_prices() {
    for wrong in ["", ".5", "-1", "1e3", "0.00001", "12345678", "1,5", "+1"] {
        let price = MonthlyPrice {
            cpu: Some(of(wrong)),
            ..MonthlyPrice::default()
        };
        assert!(Rates::read(&pool(&price, "1")).is_err(), "{wrong:?}");
        assert!(
            Rates::read(&pool(&MonthlyPrice::default(), wrong)).is_err(),
            "{wrong:?}"
        );
    }
}

#[test]
fn a_vcpu_is_worth_what_its_pool_says() {
    let rates = |factor| Rates::read(&pool(&MonthlyPrice::default(), factor)).unwrap();
    let hour = cpu(2000 * 3600);
    assert_eq!(rates("1").normalized(hour), 2000 * 3600 * 1000);
    assert_eq!(rates("0.85").normalized(hour), 2000 * 3600 * 850);
    assert_eq!(rates("12.5").normalized(hour), 2000 * 3600 * 12_500);
}

#[test]
fn the_history_follows_the_allocation() {
    let pool = |cpu: &str| AllocationPool {
        name: "x86".to_owned(),
        amounts: crds::Amounts([("cpu".to_owned(), cpu.into())].into_iter().collect()),
        centres: Vec::new(),
    };
    let mut status = ResourceRequestStatus::default();
    let now: Timestamp = "2026-11-05T08:00:00.75Z".parse().unwrap();
    record(&mut status, now);
    assert!(status.history.is_empty(), "nothing was granted");
    let mut write = |pools: Vec<AllocationPool>, record_id: &str, now: Timestamp| {
        status.allocation = Some(Allocation {
            record: record_id.to_owned(),
            pools,
            ..Allocation::default()
        });
        record(&mut status, now);
        status.history.clone()
    };
    assert_eq!(write(vec![pool("64")], "r1", now).len(), 1);
    assert_eq!(
        write(vec![pool("64")], "r1", now + SignedDuration::from_hours(1)).len(),
        1,
        "a confirmation"
    );
    let history = write(Vec::new(), "r2", now - SignedDuration::from_hours(1));
    assert_eq!(history.len(), 2);
    assert_eq!(history[0].at, "2026-11-05T08:00:00Z");
    assert_eq!(history[1].at, "2026-11-05T08:00:00Z", "never earlier than the last");
    assert_eq!(write(Vec::new(), "r2", now).len(), 2);
}

/// A small world: one tenant, one request, one pool.
struct World(Snapshot);

impl World {
    fn new() -> Self {
        let pool = json!({"metadata": {"name": "x86"}, "spec": {"displayName": "x", "architecture": "amd64",
            "zone": "GovExtranet", "centres": [{"name": "jishi", "source": "Nodes"}],
            "unitPrice": {"currency": "CNY", "perMonth": {"cpu": "30"}}}});
        let request = json!({"metadata": {"namespace": "dept", "name": "r", "uid": "u",
            "finalizers": ["xiangyun.io/charged", "xiangyun.io/metered"]},
            "spec": {"displayName": "r", "type": "New"}, "status": {"history": []}});
        let mut world = Self(Snapshot {
            pools: vec![serde_json::from_value(pool).unwrap()],
            requests: vec![Arc::new(serde_json::from_value(request).unwrap())],
            ..Snapshot::default()
        });
        world.holds(0, "4");
        world
    }

    /// From so many seconds after the start of November on.
    fn holds(&mut self, at: i64, cpu: &str) {
        let pools = if cpu == "0" {
            json!([])
        } else {
            json!([{"pool": "x86", "amounts": {"cpu": cpu}}])
        };
        let entry = json!({"at": time(NOVEMBER + at), "record": format!("r{at}"), "pools": pools});
        let status = Arc::make_mut(&mut self.0.requests[0]).status.as_mut().unwrap();
        status.history.push(serde_json::from_value(entry).unwrap());
    }

    fn plan(&mut self, at: i64) -> MeteringPlan {
        self.0.now = Timestamp::from_second(NOVEMBER + at).unwrap();
        plan(&self.0)
    }

    /// Carries out what is planned; how many reports were written.
    fn pass(&mut self, at: i64) -> usize {
        let plan = self.plan(at);
        assert_eq!(plan.unclear, []);
        let writes = plan.writes.len();
        for write in plan.writes {
            let report = json!({"metadata": {"namespace": write.tenant, "name": write.month.to_string()},
                "spec": {"tenant": "dept", "month": write.month.to_string()}, "status": write.status});
            let report = Arc::new(serde_json::from_value(report).unwrap());
            match write.stored {
                Some(index) => self.0.reports[index] = report,
                None => self.0.reports.push(report),
            }
        }
        assert_eq!(self.plan(at).writes, [], "a second pass writes nothing");
        writes
    }

    fn november(&mut self) -> &mut UsageReportStatus {
        let report = self.0.reports.iter_mut().find(|r| r.spec.month == "2026-11");
        Arc::make_mut(report.unwrap()).status.as_mut().unwrap()
    }

    fn leaves(&mut self) {
        let metadata = &mut Arc::make_mut(&mut self.0.requests[0]).metadata;
        metadata.deletion_timestamp = Some(k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(
            Timestamp::UNIX_EPOCH,
        ));
        metadata.finalizers = Some(vec!["xiangyun.io/metered".to_owned()]);
    }
}

#[test]
fn an_open_month_is_written_once_an_hour_and_at_an_end() {
    let mut w = World::new();
    assert_eq!(w.pass(0), 0, "nothing was held yet");
    assert_eq!(w.pass(1), 1);
    assert_eq!(w.pass(3599), 0);
    assert_eq!(w.pass(3601), 1);
    assert_eq!(w.november().totals.vcpu_hours, "4.001111");
    assert_eq!(w.november().rows[0].exact.cpu, "14404000");
    w.holds(3700, "0");
    assert_eq!(w.pass(3701), 1, "an end is written at once");
    assert!(w.november().rows[0].final_ && !w.november().complete);
    assert_eq!(w.pass(100_000), 0, "idle costs nothing");
}

#[test]
fn a_closed_month_is_written_once_and_stays() {
    let mut w = World::new();
    let month = 30 * 86_400;
    assert_eq!(w.pass(month), 2 - 1, "December has not begun to count");
    assert_eq!(w.november().totals.price, "120.00");
    assert!(!w.november().complete);
    assert_eq!(w.pass(month + 86_400), 2);
    assert!(w.november().complete && w.november().rows[0].final_);
    let before = w.november().clone();
    w.0.pools[0].spec.unit_price = None;
    w.pass(month + 90_000);
    assert_eq!(*w.november(), before, "a new price is for what is not final");
}

#[test]
fn what_is_wrong_is_corrected_at_once() {
    let mut w = World::new();
    w.pass(100);
    w.november().totals.price = "1.00".to_owned();
    assert_eq!(w.pass(101), 1);
    w.november().rows.clear();
    assert_eq!(w.pass(102), 1);
    w.november().as_of = "never".to_owned();
    assert_eq!(w.pass(103), 1);
    assert_eq!(w.november().rows[0].exact.cpu, "412000");
    // The clock was ahead and came back.
    w.pass(7200);
    assert_eq!(w.pass(200), 1);
    w.0.pools[0].spec.unit_price = None;
    assert_eq!(w.pass(201), 1, "a new price");
    assert_eq!(w.november().totals.price, "0.00");
}

#[test]
fn a_request_leaves_when_its_rows_are_final_and_they_stay() {
    let mut w = World::new();
    w.pass(100);
    w.holds(200, "0");
    w.leaves();
    let plan = w.plan(201);
    assert_eq!((plan.let_go.len(), plan.waiting.len()), (0, 1));
    w.pass(201);
    assert_eq!(w.plan(202).let_go, [0]);
    let rows = w.november().rows.clone();
    w.0.requests.clear();
    assert_eq!(w.pass(203), 0);
    assert_eq!(w.pass(31 * 86_400), 1, "the month closes without it");
    assert!(w.november().complete);
    assert_eq!(w.november().rows, rows);
}

#[test]
fn what_is_not_known_is_not_zero() {
    let mut w = World::new();
    w.pass(100);
    w.0.pools.clear();
    let plan = w.plan(200);
    assert_eq!(
        plan.unclear,
        [("dept".to_owned(), MeteringError::NoPrices("x86".to_owned()))]
    );
    assert_eq!(plan.writes, []);
    let mut w = World::new();
    w.pass(100);
    let status = Arc::make_mut(&mut w.0.requests[0]).status.as_mut();
    status.unwrap().history[0].at = "yesterday".to_owned();
    let plan = w.plan(7200);
    assert_eq!((plan.writes.len(), plan.unclear.len()), (0, 1));
}

/// What is held at each moment, added up in the plainest way: a sum over every second.
fn naive(changes: &[Change], from: i64, to: i64) -> i128 {
    let held = |second: i64| {
        let last = changes.iter().rev().find(|c| c.at <= second);
        last.and_then(|c| c.pools.get("x86")).map_or(0, |r| r.cpu)
    };
    (from..to).map(held).sum()
}

fn sum(changes: &[Change], from: i64, to: i64) -> i128 {
    used(changes, from, to).get("x86").map_or(0, |r| r.cpu)
}

/// A history of up to eight changes, `step` seconds apart at the most; zero apart as well.
fn history(step: i64) -> impl Strategy<Value = Vec<Change>> {
    prop::collection::vec((0..step, 0i128..5), 1..8).prop_map(|steps| {
        let mut at = NOVEMBER;
        let mut all = Vec::new();
        for (later, vcpu) in steps {
            at += later;
            all.push(change(at, vcpu * 500));
        }
        all
    })
}

proptest! {
    #[test]
    fn the_sum_is_the_sum_over_every_second(h in history(600), from in -100i64..3000, length in 0i64..3000) {
        let from = NOVEMBER + from;
        prop_assert_eq!(sum(&h, from, from + length), naive(&h, from, from + length));
    }

    #[test]
    fn months_add_up_to_the_whole(h in history(40 * 86_400)) {
        let last = h.last().unwrap().at + 50 * 86_400;
        let months = std::iter::successors(Some(Month::at(NOVEMBER)), |m| m.next()).take_while(|m| m.start() < last);
        let by_month: i128 = months.map(|m| sum(&h, m.start(), m.end().min(last))).sum();
        prop_assert_eq!(by_month, sum(&h, NOVEMBER, last));
    }

    #[test]
    fn a_split_anywhere_changes_nothing(h in history(600), cut in 0i64..5000) {
        let (from, to, cut) = (NOVEMBER, NOVEMBER + 5000, NOVEMBER + cut);
        prop_assert_eq!(sum(&h, from, cut) + sum(&h, cut, to), sum(&h, from, to));
        // The same amount written again is no change.
        let mut longer = h.clone();
        if let Some(i) = h.iter().rposition(|c| c.at <= cut) {
            longer.insert(i + 1, Change { at: cut, pools: h[i].pools.clone() });
        }
        prop_assert_eq!(sum(&longer, from, to), sum(&h, from, to));
    }

    #[test]
    fn the_largest_amounts_do_not_overflow(amount in 0i128..=i64::MAX.into(), fen in 0u64..10_000_000) {
        let month = Month::parse("2026-12").unwrap();
        let seconds = i128::from(month.end() - month.start());
        let prices = price(&MonthlyPrice {
            cpu: Some(of(&fen.to_string())), memory: Some(of(&fen.to_string())), storage: Some(of("9999999.9999")),
            accelerators: Some(of(&fen.to_string())),
        });
        let held = Resources { cpu: amount, memory: amount, storage: amount, accelerators: amount };
        let used = held.zip(Resources::ZERO, |a, _| a * seconds);
        let storage = 99_999_999_999i128 * amount;
        let rest = i128::from(fen) * 100 * amount;
        // A whole month: amount × price, within the one rounding and what each division leaves.
        let whole = rest / 1000 + rest / (1 << 30) + rest + storage / 100_000_000_000_000;
        prop_assert!((prices.hundredths(used, month) - whole).abs() <= 4);
    }
}
