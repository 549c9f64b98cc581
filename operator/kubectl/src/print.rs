//! From what was found to the text that is printed. Pure: language and width are arguments.

use crate::amount::{brief, list_of, short};
use crate::lang::Lang;
use crate::quote::Quote;
use crate::status::{Centre, PoolLine, Status};
use crate::table::table;
use crate::verdict::{Level, Verdict};
use crate::wait::Wait;

/// Each on a line of its own.
fn lines(all: impl IntoIterator<Item = String>) -> String {
    all.into_iter().fold(String::new(), |text, line| text + &line + "\n")
}

/// How it is printed.
#[derive(Clone, Copy, Debug)]
pub struct Style {
    /// Language.
    pub lang: Lang,
    /// Columns of the terminal; `None` where it is none.
    pub width: Option<u16>,
}

impl Style {
    fn say(self, english: &'static str, chinese: &'static str) -> &'static str {
        if self.lang == Lang::Zh { chinese } else { english }
    }

    fn header(self, names: &[(&'static str, &'static str)]) -> Vec<&'static str> {
        names.iter().map(|(en, zh)| self.say(en, zh)).collect()
    }

    fn table(self, names: &[(&'static str, &'static str)], rows: &[Vec<String>]) -> String {
        table(&self.header(names), rows, self.width)
    }

    fn notes(self, notes: &[String]) -> String {
        lines(notes.iter().map(|n| format!("{}  {}", self.say("note", "说明"), self.lang.half(n))))
    }

    /// Numbered, one a line, under one word.
    fn options(self, options: &[String]) -> String {
        let line = |(i, o): (usize, &String)| {
            let word = if i == 0 { "OPTIONS" } else { "       " };
            format!("{word}  {}) {}", i + 1, self.lang.half(o))
        };
        lines(options.iter().enumerate().map(line))
    }
}

/// `status`.
pub fn status(page: &Status, style: Style) -> String {
    let titled = |title: &str, body: Option<String>| match body {
        None => format!("{title}\n-\n\n"),
        Some(body) if body.is_empty() => format!("{title}\n{}\n\n", style.say("none", "无")),
        Some(body) => format!("{title}\n{body}\n"),
    };
    let mut text = titled(style.say("CENTRES", "数据中心"), page.centres.as_ref().map(|c| centres(c, style)));
    text.push_str(&titled(style.say("POOLS", "资源池"), page.pools.as_ref().map(|p| pools(p, style))));
    let requests = page.requests.as_ref().map(|counts| {
        let rows: Vec<_> = counts.iter().map(|(reason, n)| vec![reason.clone(), n.to_string()]).collect();
        style.table(&[("REASON", "原因"), ("REQUESTS", "数量")], &rows)
    });
    text.push_str(&titled(style.say("REQUESTS", "资源申请"), requests));
    text.push_str(&style.notes(&page.notes));
    format!("{}\n", text.trim_end())
}

fn centres(centres: &[Centre], style: Style) -> String {
    let row = |c: &Centre| {
        vec![
            c.name.clone(),
            c.role.clone(),
            c.operator.clone(),
            c.ready.clone(),
            c.reason.clone(),
            c.nodes.map_or_else(|| "-".to_owned(), |[ready, all]| format!("{ready}/{all}")),
            c.reported_seconds_ago.map_or_else(|| "-".to_owned(), ago),
            c.display_name.clone(),
        ]
    };
    let names = [
        ("NAME", "名称"),
        ("ROLE", "角色"),
        ("OPERATOR", "运营单位"),
        ("READY", "就绪"),
        ("REASON", "原因"),
        ("NODES", "节点"),
        ("REPORTED", "上报"),
        ("NAME-ZH", "显示名称"),
    ];
    style.table(&names, &centres.iter().map(row).collect::<Vec<_>>())
}

/// As kubectl writes an age.
fn ago(seconds: i64) -> String {
    match seconds {
        0..120 => format!("{seconds}s"),
        120..7200 => format!("{}m", seconds / 60),
        7200..172_800 => format!("{}h", seconds / 3600),
        _ => format!("{}d", seconds / 86_400),
    }
}

fn pools(lines: &[PoolLine], style: Style) -> String {
    let per_centre = lines.iter().any(|l| l.centre.is_some());
    let row = |line: &PoolLine| {
        let dash = || "-".to_owned();
        let mut row = vec![line.pool.clone()];
        if per_centre {
            row.push(line.centre.clone().unwrap_or_else(|| style.say("total", "合计").to_owned()));
        }
        row.push(brief(line.resource).to_owned());
        row.extend(line.figures.map_or_else(|| vec![dash(); 6], |f| f.iter().map(|v| short(line.resource, *v)).collect()));
        row.push(line.free_dual_active.map_or_else(dash, |v| short(line.resource, v)));
        row.push(line.reason.clone());
        row
    };
    let mut names = vec![("POOL", "资源池")];
    if per_centre {
        names.push(("CENTRE", "中心"));
    }
    names.extend([
        ("RES", "资源"),
        ("GROSS", "总量"),
        ("RESERVED", "预留"),
        ("COMMIT", "可承诺"),
        ("CHARGED", "已计"),
        ("FREE", "余量"),
        ("USED", "在用"),
        ("FREE-DA", "双活余量"),
        ("REASON", "原因"),
    ]);
    style.table(&names, &lines.iter().map(row).collect::<Vec<_>>())
}

/// `why`.
pub fn verdict(verdict: &Verdict, style: Style) -> String {
    let start = format!("{}  {}", verdict.state.word(), verdict.reason);
    let waits = waits(&verdict.waits, style);
    let mut text = match waits.split_first() {
        None => format!("{start}  {}\n", style.lang.half(&verdict.message)),
        Some((first, rest)) => {
            let indent = " ".repeat(start.len());
            format!("{start}  {first}\n{}", lines(rest.iter().map(|l| format!("{indent}  {l}"))))
        }
    };
    text.push_str(&approvals(&verdict.approvals, style));
    text.push_str(&style.options(&verdict.options));
    text.push_str(&grant(verdict, style));
    text.push_str(&style.notes(&verdict.notes));
    text
}

fn waits(waits: &[Wait], style: Style) -> Vec<String> {
    waits.iter().map(|w| style.lang.half(&w.in_words()).to_owned()).collect()
}

fn approvals(levels: &[Level], style: Style) -> String {
    let word = style.say("level", "级别");
    let any = style.say("any member of", "以下任一组成员");
    lines(levels.iter().map(|l| format!("APPROVALS  {word} {}: {any} {}", l.level, l.groups.join(", "))))
}

fn grant(verdict: &Verdict, style: Style) -> String {
    let rows: Vec<_> = verdict
        .pools
        .iter()
        .flat_map(|pool| pool.centres.iter().map(move |c| (pool, c)))
        .map(|(pool, centre)| {
            let row = verdict.centres.iter().find(|r| r.name == centre.name);
            let used = row.and_then(|r| r.used.iter().find(|u| u.pool == pool.name));
            vec![
                pool.name.clone(),
                centre.name.clone(),
                list_of(&centre.share),
                list_of(&centre.survival),
                used.map_or_else(|| "-".to_owned(), |u| list_of(&u.amounts)),
                row.map_or_else(|| "-".to_owned(), |r| r.reason.clone()),
            ]
        })
        .collect();
    let names = [
        ("POOL", "资源池"),
        ("CENTRE", "中心"),
        ("SHARE", "日常份额"),
        ("SURVIVAL", "单中心保障"),
        ("USED", "租户在用"),
        ("APPLIED", "落实"),
    ];
    style.table(&names, &rows)
}

/// `quote`, one request of the file.
pub fn quote(quote: &Quote, style: Style) -> String {
    let mut text = format!("rreq/{} -n {}\n", quote.name, quote.namespace);
    if !quote.accepted {
        return text + &lines(quote.refusals.iter().map(|r| format!("REFUSED  {}", style.lang.half(r))));
    }
    text.push_str(style.say("ACCEPTED  the server takes it as it is (dry run, nothing was charged)\n", "ACCEPTED  服务器接受该申请（试运行，未计费）\n"));
    text.push_str(&style.notes(&quote.refusals));
    if let Some(name) = &quote.releases {
        let (en, zh) = ("gives back what it no longer uses of rreq/", "释放 rreq/");
        return text + &lines([format!("RELEASES  {}{name}", style.say(en, zh))]);
    }
    let rows: Vec<_> = quote
        .pools
        .iter()
        .map(|t| vec![t.pool.clone(), t.centre.clone(), list_of(&t.share), list_of(&t.survival), list_of(&t.charge), list_of(&t.free)])
        .collect();
    let names = [
        ("POOL", "资源池"),
        ("CENTRE", "中心"),
        ("SHARE", "日常份额"),
        ("SURVIVAL", "单中心保障"),
        ("CHARGE", "计费量"),
        ("FREE", "当前余量"),
    ];
    text.push_str(&style.table(&names, &rows));
    if quote.approvals.is_empty() && !quote.pools.is_empty() {
        text.push_str(style.say("APPROVALS  none, it is approved automatically\n", "APPROVALS  无需人工审批\n"));
    }
    text.push_str(&approvals(&quote.approvals, style));
    text.push_str(&now(quote, style));
    text.push_str(&style.options(&quote.options));
    text.push_str(&style.notes(&quote.notes));
    text
}

fn now(quote: &Quote, style: Style) -> String {
    let Some(reason) = &quote.reason else {
        return match quote.approvals.len() {
            0 => style.say("NOW  fits: granted as soon as it is applied\n", "NOW  余量充足，提交后即可授予\n").to_owned(),
            _ => style.say("NOW  fits: granted as soon as it is approved\n", "NOW  余量充足，批准后即可授予\n").to_owned(),
        };
    };
    let waits = waits(&quote.waits, style);
    if waits.is_empty() {
        let message = quote.message.as_deref().unwrap_or_default();
        return format!("NOW  {reason}  {}\n", style.lang.half(message));
    }
    lines(waits.iter().map(|l| format!("NOW  {reason}  {l}")))
}
