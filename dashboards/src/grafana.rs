//! A board as Grafana's JSON. Places are computed: panels flow from left to right and wrap.

use serde_json::{Value, json};

use crate::board::{Board, Kind, Panel};
use crate::text::{Language, Text, t};

/// Columns of a board.
const COLUMNS: u32 = 24;
/// Grafana 11 and newer read it without a migration.
const SCHEMA: u32 = 39;

/// The JSON model of a board in one language.
pub(crate) fn render(board: &Board, language: Language) -> Value {
    let mut panels = Vec::new();
    let mut y = 0;
    for row in &board.rows {
        let at = json!({"x": 0, "y": y, "w": COLUMNS, "h": 1});
        let title = row.title.in_(language);
        panels.push(
            json!({"id": panels.len() + 1, "type": "row", "title": title, "gridPos": at, "collapsed": false,
            "panels": []}),
        );
        y += 1;
        let (mut x, mut height) = (0, 0);
        for panel in &row.panels {
            let (width, own) = panel.kind.size();
            if x + width > COLUMNS {
                (x, y, height) = (0, y + height, 0);
            }
            let at = json!({"x": x, "y": y, "w": width, "h": own});
            panels.push(draw(panel, panels.len() + 1, &at, language));
            x += width;
            height = height.max(own);
        }
        y += height;
    }
    json!({
        "uid": format!("xiangyun-{}-{}", board.name, language.code()),
        "title": board.title.in_(language),
        "tags": ["xiangyun", language.code()],
        "schemaVersion": SCHEMA,
        "editable": false,
        "refresh": "10s",
        "time": {"from": "now-1h", "to": "now"},
        "timezone": "browser",
        "templating": {"list": variables(language)},
        "panels": panels,
    })
}

fn variables(language: Language) -> Value {
    let label = |text: Text| text.in_(language);
    let resources = ["cpu", "memory", "storage", "accelerators"];
    let options: Vec<Value> = resources
        .iter()
        .map(|r| json!({"text": r, "value": r, "selected": *r == "cpu"}))
        .collect();
    json!([
        {"name": "datasource", "type": "datasource", "query": "prometheus", "label": "Prometheus"},
        {"name": "pool", "type": "query", "label": label(t("Pool", "资源池")), "datasource": datasource(),
            "query": {"query": "label_values(xiangyun_pool, pool)", "refId": "pool"}, "definition": "label_values(xiangyun_pool, pool)",
            "refresh": 2, "multi": true, "includeAll": true, "allValue": ".*", "sort": 1,
            "current": {"text": "All", "value": "$__all"}},
        {"name": "resource", "type": "custom", "label": label(t("Resource", "资源")), "query": resources.join(","),
            "options": options, "current": {"text": "cpu", "value": "cpu"}},
    ])
}

fn datasource() -> Value {
    json!({"type": "prometheus", "uid": "${datasource}"})
}

fn draw(panel: &Panel, id: usize, at: &Value, language: Language) -> Value {
    let instant = !matches!(panel.kind, Kind::TimeSeries | Kind::Stacked);
    let table = matches!(panel.kind, Kind::Table { .. });
    let targets = panel.queries.iter().zip('A'..).map(|((expr, legend), letter)| {
        json!({"refId": letter, "expr": expr, "legendFormat": legend.in_(language), "instant": instant,
            "range": !instant, "format": if table { "table" } else { "time_series" }, "datasource": datasource()})
    });
    let steps = panel.thresholds.iter().enumerate().map(|(index, (from, colour))| {
        let from = if index == 0 { Value::Null } else { json!(from) };
        json!({"value": from, "color": colour})
    });
    let mut defaults = json!({
        "unit": panel.unit.name(),
        "thresholds": {"mode": "absolute", "steps": steps.collect::<Vec<_>>()},
        "color": {"mode": if panel.thresholds.is_empty() { "palette-classic" } else { "thresholds" }},
    });
    if panel.kind == Kind::Stacked
        && let Some(defaults) = defaults.as_object_mut()
    {
        defaults.insert(
            "custom".into(),
            json!({"fillOpacity": 20, "stacking": {"mode": "normal"}}),
        );
    }
    json!({
        "id": id,
        "type": kind(panel.kind),
        "title": panel.title.in_(language),
        "description": panel.description.in_(language),
        "datasource": datasource(),
        "gridPos": at,
        "targets": targets.collect::<Vec<_>>(),
        "fieldConfig": {"defaults": defaults, "overrides": []},
        "options": options(panel.kind),
        "transformations": transformations(panel, language),
    })
}

const fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Stat => "stat",
        Kind::TimeSeries | Kind::Stacked => "timeseries",
        Kind::BarGauge => "bargauge",
        Kind::Table { .. } => "table",
    }
}

fn options(kind: Kind) -> Value {
    let newest = json!({"calcs": ["lastNotNull"], "fields": "", "values": false});
    match kind {
        Kind::Stat => json!({"reduceOptions": newest, "colorMode": "background", "textMode": "auto"}),
        Kind::BarGauge => json!({"reduceOptions": newest, "orientation": "horizontal", "displayMode": "basic"}),
        Kind::TimeSeries | Kind::Stacked => {
            json!({"legend": {"displayMode": "list", "placement": "bottom"}, "tooltip": {"mode": "multi", "sort": "desc"}})
        }
        Kind::Table { .. } => json!({"showHeader": true}),
    }
}

/// A table has one query a column: they are joined by the label, and the columns get the legends as their names.
fn transformations(panel: &Panel, language: Language) -> Value {
    let Kind::Table { by } = panel.kind else {
        return json!([]);
    };
    let names = panel.queries.iter().zip('A'..);
    let names: serde_json::Map<String, Value> = names
        .map(|((_, legend), letter)| (format!("Value #{letter}"), json!(legend.in_(language))))
        .collect();
    json!([
        {"id": "joinByField", "options": {"byField": by, "mode": "outer"}},
        {"id": "filterFieldsByName", "options": {"include": {"pattern": format!("^({by}|Value #[A-Z])$")}}},
        {"id": "organize", "options": {"renameByName": names}},
    ])
}
