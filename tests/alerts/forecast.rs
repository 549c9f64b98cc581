//! What is foreseen: trends over weeks, whose windows no cloud of a test lives through.

use serde_json::{Value, json};

use crate::cases::Case;

const CHARGED: &str = "xiangyun_pool{pool=\"x86\",centre=\"jishi\",resource=\"cpu\",figure=\"charged\"}";
const FREE: &str = "xiangyun_pool{pool=\"x86\",centre=\"jishi\",resource=\"cpu\",figure=\"free\"}";
/// A day in milliseconds.
const DAY: u64 = 86_400_000;

/// By the hour. Sixty vCPU an hour are 1,440 a day.
pub(crate) const CASES: &[Case] = &[
    ("PoolFullSoon", &[(CHARGED, "0+60x340"), (FREE, "20000x340")], 336, true),
    (
        "PoolFullSoon",
        &[(CHARGED, "0+60x340"), (FREE, "100000x340")],
        336,
        false,
    ),
    // A new pool: three days are no trend.
    ("PoolFullSoon", &[(CHARGED, "0+60x80"), (FREE, "2000x80")], 72, false),
];

pub(crate) fn alerts() -> Vec<Value> {
    let all = CASES.iter().chain(crate::balance::BY_THE_HOUR);
    all.map(|case| crate::group('h', case)).collect()
}

/// The boards' two forecasts, with a trend and without one.
pub(crate) fn boards() -> Vec<Value> {
    let [plan, pools] = ["Plan reached, forecast", "Pools sold out, forecast, $resource"].map(expr);
    let phases = |grows: &'static str| {
        let [target, accepted] =
            ["target", "accepted"].map(|figure| format!("xiangyun_plan_{figure}{{resource=\"cpu\"}}"));
        vec![(target, "100000x360"), (accepted, grows)]
    };
    let charged = |grows: &'static str| {
        let slow = [CHARGED, FREE].map(|series| series.replace("jishi", "jiyidong"));
        let [slow_charged, slow_free] = slow;
        vec![
            (CHARGED.to_owned(), grows),
            (FREE.to_owned(), "4000x360"),
            // The other centre lasts longer: the first one that is full counts.
            (slow_charged, "0+1x360"),
            (slow_free, "4000x360"),
        ]
    };
    vec![
        // Four hundred a day: 46,000 after 90 days, and 54,000 are missing.
        forecast(
            "plan",
            &plan,
            &phases("10000+100x360"),
            Some(("{resource=\"cpu\"}", 90 * DAY + 135 * DAY)),
        ),
        forecast("plan without a trend", &plan, &phases("10000x360"), None),
        // Forty a day, and 4,000 are free.
        forecast(
            "pool",
            &pools,
            &charged("0+10x360"),
            Some(("{pool=\"x86\"}", 90 * DAY + 100 * DAY)),
        ),
        forecast(
            "pool without a trend",
            &pools,
            &charged("50x360"),
            Some(("{pool=\"x86\"}", 90 * DAY + 1_000 * DAY)),
        ),
    ]
}

/// The only query of a panel, with the board's variables as they are at first.
fn expr(panel: &str) -> String {
    let query = dashboards::queries().into_iter().find(|q| q.panel == panel);
    dashboards::expand(&query.map(|q| q.expr).unwrap_or_default())
}

/// Ninety days of series, four points a day, and what the query says at their end.
fn forecast(name: &str, expr: &str, series: &[(String, &str)], says: Option<(&str, u64)>) -> Value {
    let input: Vec<Value> = series.iter().map(|(s, v)| json!({"series": s, "values": v})).collect();
    let samples: Vec<Value> = says
        .iter()
        .map(|(labels, value)| json!({"labels": labels, "value": value}))
        .collect();
    json!({"name": name, "interval": "6h", "input_series": input,
        "promql_expr_test": [{"expr": expr, "eval_time": "90d", "exp_samples": samples}]})
}
