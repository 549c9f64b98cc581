//! Pools that are gone, and rows that are not looked at any more.

use crds::{ResourceRequest, UsageReport, UsageRow};

use super::*;

impl World {
    /// With a second pool.
    fn of_two_pools() -> Self {
        let mut world = Self::new();
        let mut kylin = world.0.pools[0].clone();
        kylin.metadata.name = Some("kylin".to_owned());
        world.0.pools.push(kylin);
        world
    }

    /// From so many seconds after the start of November on, what it holds is of that pool.
    fn moves(&mut self, at: i64, pool: &str) {
        self.holds(at, "4");
        let status = Arc::make_mut(&mut self.0.requests[0]).status.as_mut().unwrap();
        status.history.last_mut().unwrap().pools[0].pool = pool.to_owned();
    }

    /// Deletes the pool; what it was.
    fn without(&mut self, pool: &str) -> crds::QuotaPool {
        let place = self
            .0
            .pools
            .iter()
            .position(|p| p.metadata.name.as_deref() == Some(pool));
        self.0.pools.remove(place.unwrap())
    }

    fn row(&mut self, pool: &str) -> UsageRow {
        let mut rows = self.november().rows.iter();
        rows.find(|r| r.pool == pool).unwrap().clone()
    }
}

#[test]
fn what_is_final_needs_no_pool() {
    let mut w = World::new();
    w.pass(100);
    w.holds(200, "0");
    assert_eq!(w.pass(201), 1);
    let row = w.row("x86");
    w.without("x86");
    assert_eq!(w.pass(7200), 0, "and nothing is unclear");
    w.leaves();
    assert_eq!(w.plan(7201).let_go, [0]);
    assert_eq!(w.pass(31 * 86_400), 1, "the month closes without it");
    assert!(w.november().complete);
    assert_eq!(w.row("x86"), row);
}

#[test]
fn a_pool_that_was_given_up_is_metered_at_once_and_may_go() {
    let mut w = World::of_two_pools();
    w.pass(100);
    w.moves(200, "kylin");
    assert_eq!(w.pass(201), 1, "not an hour later");
    let row = w.row("x86");
    assert_eq!((row.exact.cpu.as_str(), row.final_), ("800000", false));
    assert_eq!(w.pass(250), 0, "the other pool has its hour");
    w.without("x86");
    assert_eq!(w.pass(260), 0, "and nothing is unclear");
    w.november().as_of = time(NOVEMBER + 50);
    assert_eq!(w.pass(261), 1, "what it said by then is not known any more");
    assert_eq!(w.pass(261 + 3600), 1);
    assert_eq!(w.row("x86"), row, "price and all");
    assert_eq!(w.row("kylin").exact.cpu, (4000 * (61 + 3600)).to_string());
    assert_eq!(w.pass(31 * 86_400), 2);
    assert!(w.november().complete);
    assert_eq!(w.row("x86"), UsageRow { final_: true, ..row });
}

#[test]
fn more_than_the_report_knows_needs_the_pool_again() {
    let mut w = World::of_two_pools();
    w.pass(100);
    w.moves(200, "kylin");
    let pool = w.without("x86");
    let plan = w.plan(201);
    let reason = MeteringError::NoPrices("x86".to_owned());
    assert_eq!(plan.unclear, [("dept".to_owned(), reason)]);
    assert_eq!(plan.writes, []);
    w.0.pools.push(pool);
    assert_eq!(w.pass(202), 1);
    w.without("x86");
    assert_eq!(w.pass(203), 0);
    assert_eq!(w.row("x86").exact.cpu, "800000");
}

#[test]
fn a_pool_that_went_with_its_last_grant_has_its_price() {
    let mut w = World::new();
    let mut known = KnownPools::default();
    w.0.pools = known.with(w.0.pools.clone());
    w.pass(100);
    w.holds(200, "0");
    w.without("x86");
    w.0.pools = known.with(w.0.pools.clone());
    assert_eq!(w.pass(201), 1, "and nothing is unclear");
    assert_eq!((w.row("x86").exact.cpu.as_str(), w.row("x86").final_), ("800000", true));
    // Made anew it has its new price, and of one without a price that can be read nothing is kept.
    let mut pool = w.0.pools[0].clone();
    pool.spec.normalization.0 = "none".to_owned();
    assert_eq!(known.with(vec![pool.clone()]), [pool]);
    assert_eq!(known.with(Vec::new()), []);
}

#[test]
fn what_a_report_has_no_room_for_is_counted_and_said() {
    let mut w = World::new();
    let alone = Arc::clone(&w.0.requests[0]);
    for n in 1..1300 {
        let mut other = ResourceRequest::clone(&alone);
        other.metadata.uid = Some(format!("u{n:04}"));
        w.0.requests.push(Arc::new(other));
    }
    assert_eq!(w.pass(100), 1);
    let report = w.november().clone();
    assert_eq!((report.rows.len(), report.left_out), (1200, 100));
    // 1300 × 4 vCPU for 100 seconds.
    assert_eq!(report.totals.vcpu_hours, "144.444444");
    // The one that ends has its row, and may leave.
    let mut last = w.0.requests.pop().unwrap();
    w.0.requests.insert(0, Arc::clone(&last));
    w.holds(200, "0");
    w.leaves();
    last = Arc::clone(&w.0.requests[0]);
    assert_eq!(w.pass(201), 1);
    let of_it = |r: &&UsageRow| Some(&r.request_uid) == last.metadata.uid.as_ref();
    assert!(w.november().rows.iter().find(of_it).unwrap().final_);
    assert_eq!((w.november().rows.len(), w.plan(202).let_go), (1200, vec![0]));
    assert_eq!(w.pass(300), 0, "an hour for the others");
    let month = 31 * 86_400;
    assert_eq!(w.pass(month), 2);
    let report = w.november().clone();
    assert!(report.complete && report.rows.iter().all(|r| r.final_));
    assert_eq!((report.rows.len(), report.left_out), (1200, 100));
}

#[test]
fn a_change_to_come_is_written_when_it_came() {
    let mut w = World::of_two_pools();
    w.pass(100);
    // By a leader whose clock was ahead.
    w.moves(300, "kylin");
    assert_eq!((w.pass(200), w.pass(299), w.pass(301), w.pass(302)), (0, 0, 1, 0));
    assert_eq!(w.row("x86").exact.cpu, "1200000");
}

#[test]
fn nobody_looks_at_the_rows_of_closed_months() {
    let mut w = World::new();
    let month = 30 * 86_400;
    assert_eq!(w.pass(month + 86_400), 2);
    w.holds(month + 86_500, "0");
    w.leaves();
    assert_eq!(w.pass(month + 86_501), 1, "December");
    for report in &mut w.0.reports {
        *report = Arc::new(without_closed_rows(UsageReport::clone(report)));
    }
    let rows = |r: &Arc<UsageReport>| (r.spec.month.clone(), r.status.as_ref().unwrap().rows.len());
    let kept: Vec<_> = w.0.reports.iter().map(rows).collect();
    assert_eq!(kept, [("2026-11".to_owned(), 0), ("2026-12".to_owned(), 1)]);
    assert_eq!(w.november().totals.price, "120.00");
    for (at, writes) in [(86_502, 0), (40 * 86_400, 1)] {
        let plan = w.plan(month + at);
        assert_eq!((plan.writes.len(), plan.let_go), (writes, vec![0]));
        assert_eq!(plan.unclear, []);
    }
}
