//! Moves in words.

use super::Said;
use super::act::Done;
use super::fence::Fence;
use super::page::{Move, Reached};
use super::scheme::{FenceHere, Scheme};
use crate::print::{Style, ago, lines};

/// A column, in both languages.
type Name = (&'static str, &'static str);
/// What stands there of a move.
type Cell = fn(&Move) -> String;

fn dash() -> String {
    "-".to_owned()
}

fn gates(all: &[FenceHere]) -> String {
    let one = |f: &FenceHere| {
        let gates = f
            .gates
            .map_or_else(|| "?".to_owned(), |g| format!("{}/{}", g.ready, g.nodes));
        format!("{} {gates}", f.centre)
    };
    all.iter().map(one).collect::<Vec<_>>().join(", ")
}

fn condition(word: &str, said: Option<&Said>, style: Style) -> String {
    match said {
        Some(Said {
            status,
            reason,
            message,
        }) => {
            format!("{word}  {status}  {reason}  {}", style.lang.half(message))
        }
        None => format!("{word}  -"),
    }
}

/// `failover plan`.
pub fn scheme(scheme: &Scheme, style: Style) -> String {
    let from = if scheme.from.is_empty() { "-" } else { &scheme.from };
    let mut all = vec![
        format!("dap/{} -n {}  {:?}", scheme.name, scheme.namespace, scheme.mode),
        format!("{}  {from} -> {}", style.say("MOVE", "切换"), scheme.to),
    ];
    if !scheme.obstacles.is_empty() {
        let obstacles = scheme.obstacles.iter();
        all.extend(obstacles.map(|o| format!("HELD  {}", style.lang.half(o))));
        return lines(all);
    }
    all.push(format!(
        "{} {}  {} {}  {} {}",
        style.say("COPIES", "副本"),
        scheme.copies.map_or_else(dash, |n| n.to_string()),
        style.say("DECLARED-RTO", "声明RTO"),
        scheme.rto,
        style.say("APPROVALS", "须批准"),
        scheme.approvals,
    ));
    all.extend(
        scheme
            .proof
            .as_ref()
            .map(|p| format!("{}  {}", style.say("PROOF", "隔离证明"), style.lang.half(p))),
    );
    if !scheme.fences.is_empty() {
        all.push(format!("{}  {}", style.say("GATES", "闸门"), gates(&scheme.fences)));
    }
    all.push(condition(style.say("ROOM", "容量"), scheme.room.as_ref(), style));
    all.push(condition(
        style.say("ARMED", "可自动切换"),
        scheme.armed.as_ref(),
        style,
    ));
    let steps = scheme.steps.iter().enumerate();
    all.extend(steps.map(|(i, step)| format!("{}) {}", i + 1, style.lang.half(step))));
    lines(all)
}

/// What was done.
pub fn done(done: &Done, style: Style) -> String {
    let name = if done.name.is_empty() {
        String::new()
    } else {
        format!("{}: ", done.name)
    };
    format!("{name}{}\n", style.lang.half(&done.message))
}

/// Narrower than this, kind, proof and time of a move stand on its own page alone.
const WIDE: u16 = 110;

/// `failover status`.
pub fn moves(all: &[Move], style: Style) -> String {
    if all.is_empty() {
        return lines([style.say("no moves", "无切换记录").to_owned()]);
    }
    let columns: [(Name, Cell); 9] = [
        (("NAMESPACE", "部门"), |m| m.namespace.clone()),
        (("NAME", "名称"), |m| m.name.clone()),
        (("TYPE", "类型"), |m| format!("{:?}", m.type_)),
        (("MOVE", "切换"), |m| format!("{} -> {}", m.from, m.to)),
        (("PHASE", "阶段"), |m| format!("{:?}", m.phase)),
        (("REASON", "原因"), |m| {
            m.complete.as_ref().map_or_else(dash, |c| c.reason.clone())
        }),
        (("PROOF", "证明"), |m| {
            m.proof.as_ref().map_or_else(dash, |p| format!("{:?}", p.kind))
        }),
        (("RTO", "RTO"), |m| m.rto_seconds.clone().unwrap_or_else(dash)),
        (("AGE", "已过"), |m| m.age_seconds.map_or_else(dash, ago)),
    ];
    let wide = style.width.is_none_or(|width| width >= WIDE);
    let shown: Vec<_> = columns
        .iter()
        .filter(|((name, _), _)| wide || !["TYPE", "PROOF", "RTO"].contains(name))
        .collect();
    let names: Vec<Name> = shown.iter().map(|(name, _)| *name).collect();
    let row = |m: &Move| shown.iter().map(|(_, cell)| cell(m)).collect::<Vec<_>>();
    let rows: Vec<_> = all.iter().map(row).collect();
    let open = all.iter().filter(|m| !m.phase.is_over());
    let waits = open.filter_map(|m| {
        Some(format!(
            "fo/{}: {}",
            m.name,
            style.lang.half(&m.complete.as_ref()?.message)
        ))
    });
    style.table(&names, &rows) + &lines(waits)
}

fn seconds(millis: i64) -> String {
    format!("+{}.{:03} s", millis / 1000, millis % 1000)
}

/// `failover status NAME`.
pub fn one(m: &Move, style: Style) -> String {
    let mut all = vec![
        format!("fo/{} -n {}  dap/{}", m.name, m.namespace, m.placement),
        format!("{:?}  {} -> {}  {:?}", m.type_, m.from, m.to, m.phase),
        format!(
            "{}  {}",
            style.say("ASKED-BY", "发起人"),
            if m.requester.is_empty() { "-" } else { &m.requester }
        ),
    ];
    all.extend(
        m.incident
            .as_ref()
            .map(|i| format!("{}  {i}", style.say("INCIDENT", "事件"))),
    );
    all.push(condition(style.say("COMPLETE", "完成"), m.complete.as_ref(), style));
    all.extend(
        m.abort
            .as_ref()
            .map(|why| format!("{}  {why}", style.say("ABORT-ASKED", "已请求中止"))),
    );
    let approvals = m.approvals.filter(|a| a.needed > 0);
    all.extend(approvals.map(|a| format!("{}  {}/{}", style.say("APPROVALS", "批准"), a.given, a.needed)));
    all.extend(m.epoch.map(|e| format!("EPOCH  {e}")));
    all.push(match &m.proof {
        Some(p) => {
            let persons = if p.persons.is_empty() {
                String::new()
            } else {
                format!("  {}", p.persons.join(", "))
            };
            format!("{}  {:?}  {}{persons}", style.say("PROOF", "隔离证明"), p.kind, p.at)
        }
        None => format!("{}  -", style.say("PROOF", "隔离证明")),
    });
    let kept = match m.rto_kept {
        Some(true) => style.say("kept", "达标"),
        Some(false) => style.say("missed", "未达标"),
        None => "-",
    };
    all.push(format!(
        "RTO  {}  {} {}  {kept}",
        m.rto_seconds.as_ref().map_or_else(dash, |s| format!("{s} s")),
        style.say("declared", "声明"),
        m.rto_declared.clone().unwrap_or_else(dash),
    ));
    let row = |r: &Reached| {
        vec![
            format!("{:?}", r.step),
            r.at.clone(),
            r.after_millis.map_or_else(dash, seconds),
        ]
    };
    let rows: Vec<_> = m.timeline.iter().map(row).collect();
    let names = [("STEP", "步骤"), ("AT", "时间"), ("AFTER", "历时")];
    let table = style.table(&names, &rows);
    lines(all) + if table.is_empty() { "" } else { "\n" } + &table
}

/// `fence status`.
pub fn fences(all: &[Fence], style: Style) -> String {
    let row = |f: &Fence| {
        vec![
            f.namespace.clone(),
            f.name.clone(),
            f.holder.clone().unwrap_or_else(dash),
            f.epoch.map_or_else(dash, |e| e.to_string()),
            gates(&f.gates),
            f.armed.as_ref().map_or_else(dash, |a| a.status.clone()),
            f.armed.as_ref().map_or_else(dash, |a| a.reason.clone()),
        ]
    };
    let names = [
        ("NAMESPACE", "部门"),
        ("PLACEMENT", "部署"),
        ("HOLDER", "持有者"),
        ("EPOCH", "EPOCH"),
        ("GATES", "闸门"),
        ("ARMED", "可切换"),
        ("REASON", "原因"),
    ];
    let rows: Vec<_> = all.iter().map(row).collect();
    if rows.is_empty() {
        return lines([style.say("no exclusive placements", "无独占部署").to_owned()]);
    }
    let missing = all.iter().filter_map(|f| {
        let armed = f.armed.as_ref().filter(|a| a.status != "True")?;
        Some(format!("dap/{}: {}", f.name, style.lang.half(&armed.message)))
    });
    let fenced = all.iter().flat_map(|f| {
        let since = style.say("stopped since", "已隔离，自");
        f.fenced
            .iter()
            .map(move |s| format!("dap/{}: {} {since} {}", f.name, s.centre, s.since))
    });
    style.table(&names, &rows) + &lines(missing.chain(fenced))
}
