use crds::{MetricLabel, RequestCounter};
use serde_json::{Value, json};

use super::*;

fn question() -> Question {
    Question::new(&MetricSource {
        match_labels: [("place".to_owned(), MetricLabel("jishi".to_owned()))].into(),
        ..MetricSource::default()
    })
    .unwrap()
}

fn answer(rows: &[(Value, &str)]) -> Vec<u8> {
    let series = |(labels, value): &(Value, &str)| json!({"metric": labels, "value": [1.5, value]});
    let rows: Vec<_> = rows.iter().map(series).collect();
    let answer = json!({"status": "success", "data": {"resultType": "vector", "result": rows}});
    serde_json::to_vec(&answer).unwrap()
}

fn web(value: &str) -> (Value, &str) {
    (json!({"namespace": "dept", "service": "web"}), value)
}

/// Of 60 samples, in five minutes, 54 are enough.
fn samples(number: &str) -> Vec<u8> {
    answer(&[(json!({}), number)])
}

fn read_all(rows: &[(Value, &str)]) -> Option<Requests> {
    Requests::read(&question(), &answer(rows), &samples("60")).unwrap()
}

fn of(requests: &Requests, service: &str) -> Option<i128> {
    requests.of(&("dept".to_owned(), service.to_owned()))
}

#[test]
fn one_question_is_about_every_service() {
    let question = question();
    assert_eq!(
        question.rates,
        "sum by (namespace,service,exported_namespace,exported_service) \
         (rate(nginx_ingress_controller_requests{place=\"jishi\",}[300s]))"
    );
    assert_eq!(
        question.samples,
        "count_over_time((count(nginx_ingress_controller_build_info{place=\"jishi\",}))[300s:5s])"
    );
    assert_eq!((question.pause().as_secs(), question.oldest().as_secs()), (30, 300));
    let counter = json!({"series": "istio_requests_total", "namespaceLabel": "destination_service_namespace",
        "serviceLabel": "destination_service_name", "window": "20s"});
    let requests: RequestCounter = serde_json::from_value(counter).unwrap();
    let mut source = MetricSource {
        requests,
        ..MetricSource::default()
    };
    let question = Question::new(&source).unwrap();
    assert!(
        question
            .samples
            .starts_with("count_over_time((count(istio_requests_total{}))")
    );
    assert_eq!((question.pause().as_secs(), question.oldest().as_secs()), (5, 20));
    source.requests.window = "soon".to_owned();
    assert_eq!(Question::new(&source), None);
}

#[test]
fn what_is_no_figure_is_unknown() {
    for odd in ["NaN", "+Inf", "-1", "1e300", "many", ""] {
        let found = read_all(&[web(odd)]).unwrap();
        assert_eq!(of(&found, "web"), None, "{odd}");
        assert_eq!(
            of(&found, "other"),
            Some(0),
            "{odd}: of another Service nothing is wrong"
        );
    }
    let found = read_all(&[web("12.4004"), web("0.0001")]).unwrap();
    assert_eq!(
        of(&found, "web"),
        Some(12_402),
        "rounded up, and two series of one Service are added"
    );
    assert_eq!(of(&read_all(&[web("3"), web("NaN")]).unwrap(), "web"), None);
    assert_eq!(of(&read_all(&[web("0")]).unwrap(), "web"), Some(0));
}

#[test]
fn garbage_is_no_answer() {
    let (rates, question) = (answer(&[web("1")]), question());
    for garbage in [
        "",
        "<html>",
        "[]",
        r#"{"status":"success","data":{"result":[{"metric":{}}]}}"#,
    ] {
        let read = |rates: &[u8], samples: &[u8]| Requests::read(&question, rates, samples);
        assert!(read(garbage.as_bytes(), &samples("60")).is_err(), "{garbage}");
        assert!(read(&rates, garbage.as_bytes()).is_err(), "{garbage}");
    }
    let refused = br#"{"status":"error","errorType":"execution","error":"too many samples"}"#;
    let refused = Requests::read(&question, refused, &samples("60"));
    assert_eq!(refused, Err(AnswerError::Refused("too many samples".to_owned())));
}

#[test]
fn labels_are_those_of_whoever_counts() {
    let scraped = json!({"namespace": "ingress-nginx", "service": "metrics",
        "exported_namespace": "dept", "exported_service": "web"});
    let half = json!({"namespace": "ingress-nginx", "exported_namespace": "dept", "service": "api"});
    let found = read_all(&[(scraped, "2"), (half, "3")]).unwrap();
    assert_eq!((of(&found, "web"), of(&found, "api")), (Some(2000), Some(3000)));
    let nobody = [(json!({}), "5"), (json!({"namespace": "dept", "service": ""}), "5")];
    assert_eq!(
        read_all(&nobody),
        None,
        "requests of which none names a Service are not understood"
    );
    let none = read_all(&[(json!({}), "0")]).unwrap();
    assert_eq!(of(&none, "web"), Some(0), "nothing is hidden in none");
    let found = read_all(&[web("1"), nobody[0].clone()]).unwrap();
    assert_eq!(of(&found, "web"), Some(1000), "what names none is of nobody");
}

#[test]
fn without_a_series_there_were_none_only_where_counting_was_seen_all_along() {
    let read = |samples: &[u8]| Requests::read(&question(), &answer(&[]), samples).unwrap();
    assert_eq!(of(&read(&samples("54")).unwrap(), "web"), Some(0));
    assert_eq!(read(&samples("53")), None);
    assert_eq!(read(&answer(&[])), None, "nothing counts there");
    assert_eq!(read(&samples("NaN")), None);
}

#[test]
fn a_row_says_what_moved() {
    let service = ("dept".to_owned(), "web".to_owned());
    let told = |value: &str, before: Option<&str>| {
        let known = Known::Of(read_all(&[web(value)]).unwrap());
        let before = before.map(Amount::from);
        known.told(&service, before.as_ref()).map(|a| a.0)
    };
    let some = |text: &str| Some(text.to_owned());
    assert_eq!(told("12.4", None), some("12.4"));
    assert_eq!(told("1550", None), some("1550"));
    assert_eq!(told("12.4", Some("12")), some("12"), "less than a tenth");
    assert_eq!(told("13.5", Some("12")), some("13.5"));
    assert_eq!(told("0.09", Some("0.01")), some("0.01"), "next to nothing");
    assert_eq!(told("0", Some("0.01")), some("0"));
    assert_eq!(told("0.001", Some("0")), some("0.001"));
    assert_eq!(told("3", Some("a lot")), some("3"));
    assert_eq!(told("NaN", Some("12")), None);
    let before = Amount::from("12");
    assert_eq!(Known::Nothing.told(&service, Some(&before)), None);
    assert_eq!(Known::NotAsked.told(&service, Some(&before)), Some(before.clone()));
}

#[test]
fn what_begins_or_ends_is_no_mere_move() {
    let row = |rate: Option<&str>| {
        vec![ServiceRow {
            name: "web".to_owned(),
            ready: 2,
            requests_per_second: rate.map(Amount::from),
        }]
    };
    assert!(only_moved(&row(Some("3")), &row(Some("300"))));
    assert!(only_moved(&row(None), &row(None)));
    for (old, new) in [
        (Some("3"), Some("0")),
        (Some("0"), Some("3")),
        (Some("3"), None),
        (None, Some("3")),
    ] {
        assert!(!only_moved(&row(old), &row(new)), "{old:?} {new:?}");
    }
    let mut other = row(Some("3"));
    other[0].ready = 1;
    assert!(!only_moved(&row(Some("3")), &other));
}
