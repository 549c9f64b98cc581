use super::super::testing::catalogue;
use super::*;

fn window(name: &str) -> Window {
    let policy = |name: &str| -> ReclaimPolicy {
        serde_json::from_value(
            serde_json::json!({"metadata": {"name": "p"}, "spec": {"displayName": "p", "window": name,
            "cpuP95Below": "10%", "memP95Below": "30%"}}),
        )
        .unwrap()
    };
    windows(&[policy(name)]).remove(0)
}

fn answer(rows: &[(&str, &str)]) -> Vec<u8> {
    let series = |(ns, v): &(&str, &str)| serde_json::json!({"metric": {"namespace": ns}, "value": [1.5, v]});
    let rows: Vec<_> = rows.iter().map(series).collect();
    serde_json::to_vec(&serde_json::json!({"status": "success", "data": {"resultType": "vector", "result": rows}}))
        .unwrap()
}

fn place(pool: &str) -> Place {
    Place {
        pool: pool.to_owned(),
        namespace: "dept".to_owned(),
    }
}

#[test]
fn a_long_window_is_looked_at_less_finely() {
    let month = window("30d");
    assert_eq!((month.seconds, month.step, month.rate), (2_592_000, 3600, 300));
    assert_eq!(month.pause(), SignedDuration::from_hours(1));
    let minute = window("60s");
    assert_eq!((minute.step, minute.rate, minute.pause().as_secs()), (5, 60, 5));
}

#[test]
fn one_question_is_about_all_namespaces() {
    let source = MetricSource {
        match_labels: [("place".to_owned(), crds::MetricLabel("jishi".to_owned()))].into(),
        ..MetricSource::default()
    };
    let questions = window("1h").questions(&source);
    assert_eq!(
        questions.cpu,
        "quantile_over_time(0.95,(sum by (namespace) (max by (namespace,pod,container) \
         (rate(container_cpu_usage_seconds_total{place=\"jishi\",namespace!=\"\",container!=\"\",container!=\"POD\"}[300s]))))[3600s:5s])"
    );
    assert!(questions.samples.starts_with("count_over_time((count("));
}

#[test]
fn a_window_that_is_not_covered_says_nothing() {
    let (cpu, memory) = (answer(&[("dept", "2.5601")]), answer(&[("dept", "1024")]));
    let read = |samples: &str| Measured::read(&window("60s"), &cpu, &memory, &answer(&[("", samples)])).unwrap();
    assert_eq!(read("9"), None);
    let used = read("11").unwrap().of("dept").unwrap();
    assert_eq!((used.cpu, used.memory), (2561, 1024));
}

#[test]
fn what_is_no_number_is_unknown_and_what_is_not_there_is_nothing() {
    let (cpu, memory) = (answer(&[("nan", "NaN"), ("half", "1")]), answer(&[("nan", "1")]));
    let measured = Measured::read(&window("60s"), &cpu, &memory, &answer(&[("", "12")]))
        .unwrap()
        .unwrap();
    assert_eq!(measured.of("nan"), None);
    assert_eq!(measured.of("half"), None);
    assert_eq!(measured.of("empty"), Some(Resources::ZERO));
}

#[test]
fn an_empty_prometheus_does_not_know_that_nothing_runs() {
    let none = answer(&[]);
    assert_eq!(Measured::read(&window("60s"), &none, &none, &none).unwrap(), None);
}

#[test]
fn a_failure_is_no_answer() {
    let failed = br#"{"status":"error","errorType":"execution","error":"too many samples"}"#;
    assert_eq!(
        values(failed, 1.0),
        Err(AnswerError::Refused("too many samples".to_owned()))
    );
    assert!(values(b"<html>", 1.0).is_err());
}

#[test]
fn only_pools_whose_pods_are_measured_are_in_a_row() {
    let measured = Measured::default();
    let usage: Usage = [("60s".to_owned(), measured)].into();
    assert_eq!(of_place(&usage, &place("x86"), Some("x86"), &catalogue()).len(), 1);
    assert!(of_place(&usage, &place("x86"), Some("arm"), &catalogue()).is_empty());
    assert!(of_place(&usage, &place("unknown"), Some("unknown"), &catalogue()).is_empty());
}

#[test]
fn a_little_more_is_no_news() {
    let used = |cpu: i128| {
        vec![PoolUse {
            pool: "x86".to_owned(),
            window: "60s".to_owned(),
            p95: Resources { cpu, ..Resources::ZERO }.to_amounts(),
        }]
    };
    assert!(!differs(&used(1000), &used(1090)));
    assert!(differs(&used(1000), &used(1200)));
    assert!(differs(&used(1000), &[]) && differs(&[], &used(0)));
}
