//! Placements in words.

use std::collections::BTreeSet;

use crds::{Drift, Layer, LayerName, LayerState, TemplateKind, WorkloadRollout};

use super::diff::{CentreDiff, Diff};
use super::page::{CentreLine, ObjectLine, Page, Said, ServiceLine, WorkloadLine};
use super::room::Room;
use super::verdict::Verdict;
use super::{named, ways};
use crate::amount::signed;
use crate::print::{Style, ago, lines};

/// `status dap/…`.
pub fn page(page: &Page, style: Style) -> String {
    let mut text = head(page, style);
    text.push_str(&centres(page, style));
    text.push_str(&workloads(&page.workloads, style));
    text.push_str(&services(&page.services, style));
    text.push_str(&rollouts(&page.rollouts, style));
    text.push_str(&layers(&page.layers, style));
    text.push_str(&objects(&page.objects, style));
    text.push_str(&drift(page, style));
    text.push_str(&style.notes(&page.notes));
    text
}

fn head(page: &Page, style: Style) -> String {
    let said = |word: &str, said: &Said| {
        let (status, reason) = (&said.status, &said.reason);
        format!("{word}  {status}  {reason}  {}", style.lang.half(&said.message))
    };
    let dash = || "-".to_owned();
    let active = if page.active.is_empty() {
        dash()
    } else {
        page.active.join(", ")
    };
    let mut all = vec![
        format!("dap/{} -n {}  {}", page.name, page.namespace, page.display_name),
        format!(
            "{} {}  {} {}  {} {active}  {} {}",
            style.say("MODE", "运行方式"),
            page.mode,
            style.say("POOL", "资源池"),
            page.pool,
            style.say("RUNS-IN", "运行于"),
            style.say("DECISION", "分派"),
            page.decision.map_or_else(dash, |n| n.to_string()),
        ),
        said(style.say("READY", "就绪"), &page.ready),
    ];
    let survivable = style.say("SURVIVABLE", "单中心可承载");
    all.push(
        page.survivable
            .as_ref()
            .map_or_else(|| format!("{survivable}  -"), |s| said(survivable, s)),
    );
    all.extend(
        page.serves
            .as_ref()
            .map(|s| said(style.say("ACTIVE-ACTIVE", "实际双活"), s)),
    );
    all.extend(
        page.restart_only
            .as_ref()
            .map(|s| said(style.say("RESTART-ONLY", "仅可重启"), s)),
    );
    lines(all) + "\n"
}

fn centres(page: &Page, style: Style) -> String {
    let number = |n: Option<i64>| n.map_or_else(|| "-".to_owned(), |n| n.to_string());
    let row = |c: &CentreLine| {
        vec![
            c.name.clone(),
            number(c.wanted.or(Some(c.assigned))),
            number(c.applied),
            number(c.ready),
            number(c.decision),
            c.reason.clone(),
            c.changed_seconds_ago.map_or_else(|| "-".to_owned(), ago),
        ]
    };
    let names = [
        ("CENTRE", "中心"),
        ("WANTED", "应有"),
        ("APPLIED", "现有"),
        ("READY", "就绪"),
        ("DECISION", "分派"),
        ("REASON", "原因"),
        ("CHANGED", "变化于"),
    ];
    let rows: Vec<_> = page.centres.iter().map(row).collect();
    if rows.is_empty() {
        return String::new();
    }
    let table = style.table(&names, &rows);
    // Drift has a paragraph of its own.
    let told = page
        .centres
        .iter()
        .filter(|c| page.drift.iter().all(|d| d.centre != c.name));
    let told = told.filter_map(|c| Some(format!("{}: {}", c.name, style.lang.half(c.message.as_ref()?))));
    table + &lines(told) + "\n"
}

fn workloads(all: &[WorkloadLine], style: Style) -> String {
    let row = |w: &WorkloadLine| {
        let template = match w.template {
            Some(newest) if newest != w.generation && w.behind == Some(true) => format!("{}/{newest}", w.generation),
            _ => w.generation.to_string(),
        };
        let figures = [w.wanted, w.ready, w.updated].map(|n| n.to_string());
        let mut row = vec![named(&w.kind, &w.name), w.centre.clone(), template];
        row.extend(figures);
        row
    };
    let names = [
        ("WORKLOAD", "工作负载"),
        ("CENTRE", "中心"),
        ("TEMPLATE", "模板版本"),
        ("WANTED", "应有"),
        ("READY", "就绪"),
        ("UPDATED", "已更新"),
    ];
    let rows: Vec<_> = all.iter().map(row).collect();
    if rows.is_empty() {
        return String::new();
    }
    style.table(&names, &rows) + "\n"
}

fn services(all: &[ServiceLine], style: Style) -> String {
    let row = |s: &ServiceLine| {
        let requests = s.requests_per_second.as_ref();
        let requests = requests.map_or_else(|| "-".to_owned(), |r| r.0.clone());
        vec![s.name.clone(), s.centre.clone(), s.ready.to_string(), requests]
    };
    let names = [
        ("SERVICE", "服务"),
        ("CENTRE", "中心"),
        ("ENDPOINTS", "就绪端点"),
        ("REQUESTS/S", "每秒请求"),
    ];
    if all.is_empty() {
        return String::new();
    }
    style.table(&names, &all.iter().map(row).collect::<Vec<_>>()) + "\n"
}

fn rollouts(all: &[WorkloadRollout], style: Style) -> String {
    let dash = |revision: &Option<String>| revision.clone().unwrap_or_else(|| "-".to_owned());
    let row = |r: &WorkloadRollout| {
        let centres = r.centres.iter().map(|c| format!("{} {}", c.name, c.revision));
        let centres = centres.collect::<Vec<_>>().join(", ");
        vec![
            named(&r.kind, &r.name),
            r.newest.clone(),
            dash(&r.good),
            dash(&r.failed),
            centres,
        ]
    };
    let names = [
        ("ROLLOUT", "升级"),
        ("NEWEST", "最新版本"),
        ("GOOD", "正常版本"),
        ("FAILED", "失败版本"),
        ("CENTRES", "各中心"),
    ];
    if all.is_empty() {
        return String::new();
    }
    style.table(&names, &all.iter().map(row).collect::<Vec<_>>()) + "\n"
}

fn layers(all: &[Layer], style: Style) -> String {
    let word = |name: LayerName| match name {
        LayerName::Storage => style.say("Storage", "存储"),
        LayerName::Compute => style.say("Compute", "计算"),
        LayerName::Application => style.say("Application", "应用"),
        LayerName::Network => style.say("Network", "网络"),
        LayerName::Security => style.say("Security", "安全"),
        LayerName::Transport => style.say("Transport", "传输"),
    };
    let state = |state: LayerState| match state {
        LayerState::Normal => style.say("Normal", "正常"),
        LayerState::Degraded => style.say("Degraded", "降级"),
        LayerState::Unknown => style.say("Unknown", "未知"),
    };
    let row = |l: &Layer| {
        let (name, state) = (word(l.name).to_owned(), state(l.state).to_owned());
        vec![name, state, l.since.clone(), style.lang.half(&l.message).to_owned()]
    };
    let names = [("LAYER", "层"), ("STATE", "状态"), ("SINCE", "起始"), ("WHY", "说明")];
    if all.is_empty() {
        return String::new();
    }
    style.table(&names, &all.iter().map(row).collect::<Vec<_>>()) + "\n"
}

fn objects(all: &[ObjectLine], style: Style) -> String {
    let of = |kind: &TemplateKind| {
        let names = all.iter().filter(|o| o.kind == *kind);
        let names = names.map(|o| format!("{}{}", o.name, if o.follows == Some(true) { "*" } else { "" }));
        names.collect::<Vec<_>>().join(", ")
    };
    let kinds: BTreeSet<&TemplateKind> = all.iter().map(|o| &o.kind).collect();
    let rows: Vec<_> = kinds.iter().map(|k| vec![k.name().to_owned(), of(k)]).collect();
    if rows.is_empty() {
        return String::new();
    }
    let mut text = style.table(&[("KIND", "类型"), ("OBJECTS", "对象")], &rows);
    if all.iter().any(|o| o.follows == Some(true)) {
        text.push_str(style.say(
            "* not selected: follows because pods refer to it\n",
            "* 未被选取，因被容器组引用而随行\n",
        ));
    }
    text + "\n"
}

fn drift(page: &Page, style: Style) -> String {
    let word = style.say("DRIFT", "偏差");
    if page.drift.is_empty() {
        let said = match page.drift_policy {
            Drift::Correct => style.say("none; an edit by hand is corrected", "无；手工修改自动纠正"),
            Drift::Report => style.say("none; an edit by hand is only told", "无；手工修改仅报告"),
        };
        return format!("{word}  {said}\n");
    }
    let told = page.drift.iter();
    lines(told.map(|d| format!("{word}  {}: {}", d.centre, style.lang.half(&d.message))))
}

/// `why dap/…`.
pub fn verdict(verdict: &Verdict, style: Style) -> String {
    let (state, reason) = (verdict.state.word(), &verdict.reason);
    let mut text = format!("{state}  {reason}  {}\n", style.lang.half(&verdict.message));
    text.push_str(&rooms(&verdict.rooms, style));
    text.push_str(&style.options(&verdict.options));
    text.push_str(&style.notes(&verdict.notes));
    text
}

fn rooms(all: &[Room], style: Style) -> String {
    let of = |room: &Room| {
        let each = signed(&room.each).unwrap_or_default();
        let row = |first: [String; 2], centre: &str, wanted: i64, fits: i64| {
            let rest = [centre.to_owned(), wanted.to_string(), fits.to_string()];
            first.into_iter().chain(rest).collect::<Vec<_>>()
        };
        let total = row(
            [named(&room.kind, &room.name), ways::spelled(each)],
            style.say("total", "合计"),
            room.wanted,
            room.fits,
        );
        let centres = room.centres.iter();
        let centres = centres.map(|c| row([String::new(), String::new()], &c.name, c.wanted, c.fits));
        std::iter::once(total).chain(centres.collect::<Vec<_>>())
    };
    let names = [
        ("WORKLOAD", "工作负载"),
        ("EACH", "单副本"),
        ("CENTRE", "中心"),
        ("WANTED", "应有"),
        ("FITS", "可容纳"),
    ];
    style.table(&names, &all.iter().flat_map(of).collect::<Vec<_>>())
}

/// `diff dap/…`: nothing for a centre where nothing is otherwise than in the template and nobody has to confirm.
pub fn diff(diff: &Diff, style: Style) -> String {
    let shown = diff
        .centres
        .iter()
        .filter(|c| !c.differences.is_empty() || !c.meant.is_empty() || c.confirmation.is_some());
    let mut text: String = shown.map(|c| centre(diff, c, style)).collect();
    text.push_str(&style.notes(&diff.notes));
    text
}

fn centre(diff: &Diff, centre: &CentreDiff, style: Style) -> String {
    let number = |n: Option<i64>| n.map_or_else(|| "-".to_owned(), |n| n.to_string());
    let [done, newest] = centre.decision.map(number);
    let source = match &centre.reason {
        _ if centre.live => style.say("read there", "实时读取").to_owned(),
        None => style.say("has said nothing yet", "尚未上报").to_owned(),
        Some(reason) => {
            let (word, of) = (style.say("decision", "分派"), style.say("of", "/"));
            format!("{reason}, {word} {done} {of} {newest}")
        }
    };
    let mut all = vec![
        format!("--- dap/{} -n {}", diff.name, diff.namespace),
        format!("+++ {} ({source})", centre.name),
    ];
    let word = style.say("CONFIRMATION", "确认");
    let confirmation = centre.confirmation.iter();
    all.extend(confirmation.map(|c| format!("  {word}: {}", style.lang.half(&c.message))));
    for difference in &centre.differences {
        let object = &difference.object;
        let line = |sign: char, said: &str| format!("{sign} {object}: {}", style.lang.half(said));
        all.extend(difference.hub.as_deref().map(|said| line('-', said)));
        all.extend(difference.centre.as_deref().map(|said| line('+', said)));
    }
    all.extend(centre.meant.iter().map(|m| format!("  {}", style.lang.half(m))));
    lines(all)
}
