//! From what was found to the text that is printed. Pure: language and width are arguments.

use crds::{Amounts, Resources};

use crate::amount::{brief, short, signed};
use crate::lang::Lang;
use crate::quote::{Quote, Taken};
use crate::status::{Centre, PoolLine, Status, Trouble};
use crate::table::table;
use crate::verdict::{Level, Verdict};
use crate::wait::Wait;

/// Each on a line of its own.
pub(crate) fn lines(all: impl IntoIterator<Item = String>) -> String {
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
    pub(crate) fn say(self, english: &'static str, chinese: &'static str) -> &'static str {
        if self.lang == Lang::Zh { chinese } else { english }
    }

    fn header(self, names: &[(&'static str, &'static str)]) -> Vec<&'static str> {
        names.iter().map(|(en, zh)| self.say(en, zh)).collect()
    }

    pub(crate) fn table(self, names: &[(&'static str, &'static str)], rows: &[Vec<String>]) -> String {
        table(&self.header(names), rows, self.width)
    }

    pub(crate) fn notes(self, notes: &[String]) -> String {
        lines(
            notes
                .iter()
                .map(|n| format!("{}  {}", self.say("note", "说明"), self.lang.half(n))),
        )
    }

    /// Numbered, one a line, under one word.
    pub(crate) fn options(self, options: &[String]) -> String {
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
    let mut text = titled(
        style.say("CENTRES", "数据中心"),
        page.centres.as_ref().map(|c| centres(c, style)),
    );
    text.push_str(&titled(
        style.say("POOLS", "资源池"),
        page.pools.as_ref().map(|p| pools(p, &page.troubles, style)),
    ));
    let requests = page.requests.as_ref().map(|counts| {
        let rows: Vec<_> = counts
            .iter()
            .map(|(reason, n)| vec![reason.clone(), n.to_string()])
            .collect();
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
            c.nodes
                .map_or_else(|| "-".to_owned(), |[ready, all]| format!("{ready}/{all}")),
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
    let rows: Vec<_> = centres.iter().map(row).collect();
    let whole = style.table(&names, &rows);
    if whole.lines().count() == rows.len() + 1 {
        return whole;
    }
    // Too narrow: without the name for people rather than with broken words.
    let shorter: Vec<_> = rows.iter().map(|r| r.iter().take(7).cloned().collect()).collect();
    style.table(&names[..7], &shorter)
}

/// As kubectl writes an age.
pub(crate) fn ago(seconds: i64) -> String {
    match seconds {
        0..120 => format!("{seconds}s"),
        120..7200 => format!("{}m", seconds / 60),
        7200..172_800 => format!("{}h", seconds / 3600),
        _ => format!("{}d", seconds / 86_400),
    }
}

fn pools(page: &[PoolLine], troubles: &[Trouble], style: Style) -> String {
    let dash = || "-".to_owned();
    let row = |line: &PoolLine| {
        // A centre stands below its pool, so that the table stays narrow.
        let mut row = vec![
            line.centre
                .as_ref()
                .map_or_else(|| line.pool.clone(), |centre| format!("  {centre}")),
        ];
        row.push(brief(line.resource).to_owned());
        row.extend(line.figures.map_or_else(
            || vec![dash(); 6],
            |f| f.iter().map(|v| short(line.resource, *v)).collect(),
        ));
        row.push(line.free_dual_active.map_or_else(dash, |v| short(line.resource, v)));
        row
    };
    let names = [
        ("POOL", "资源池"),
        ("RES", "资源"),
        ("GROSS", "总量"),
        ("RESERVED", "预留"),
        ("COMMIT", "可承诺"),
        ("CHARGED", "已计"),
        ("FREE", "余量"),
        ("USED", "在用"),
        ("FREE-DA", "双活余量"),
    ];
    let table = style.table(&names, &page.iter().map(row).collect::<Vec<_>>());
    let trouble = |t: &Trouble| {
        format!("{}: {}  {}", t.pool, t.reason, style.lang.half(&t.message))
            .trim_end()
            .to_owned()
    };
    table + &lines(troubles.iter().map(trouble))
}

/// `why`.
pub fn verdict(verdict: &Verdict, style: Style) -> String {
    let start = format!("{}  {}", verdict.state.word(), verdict.reason);
    let waits = waits(&verdict.waits, style);
    let mut text = match waits.split_first() {
        None => format!("{start}  {}\n", style.lang.half(&verdict.message)),
        Some((first, rest)) => {
            let indent = " ".repeat(start.len());
            format!(
                "{start}  {first}\n{}",
                lines(rest.iter().map(|l| format!("{indent}  {l}")))
            )
        }
    };
    text.push_str(&chosen(&verdict.chosen, style));
    text.push_str(&approvals(&verdict.approvals, style));
    text.push_str(&style.options(&verdict.options));
    text.push_str(&grant(verdict, style));
    text.push_str(&style.notes(&verdict.notes));
    text
}

fn waits(waits: &[Wait], style: Style) -> Vec<String> {
    waits
        .iter()
        .map(|w| style.lang.half(&w.in_words()).to_owned())
        .collect()
}

/// Why that pool.
fn chosen(reasons: &[String], style: Style) -> String {
    lines(reasons.iter().map(|r| format!("CHOSEN  {}", style.lang.half(r))))
}

fn approvals(levels: &[Level], style: Style) -> String {
    let word = style.say("level", "级别");
    let any = style.say("any member of", "以下任一组成员");
    let or = style.say(" or ", " 或 ");
    let who = |l: &Level| {
        let groups = (!l.groups.is_empty()).then(|| format!("{any} {}", l.groups.join(", ")));
        let users = (!l.users.is_empty()).then(|| l.users.join(", "));
        groups.into_iter().chain(users).collect::<Vec<_>>().join(or)
    };
    lines(
        levels
            .iter()
            .map(|l| format!("APPROVALS  {word} {}: {}", l.level, who(l))),
    )
}

/// One row for each resource that any of the columns names. What cannot be read or is not there is `-`.
fn by_resource(before: &[&str], columns: &[Option<&Amounts>], after: &[&str]) -> Vec<Vec<String>> {
    let columns: Vec<Option<Resources>> = columns.iter().map(|a| a.and_then(signed)).collect();
    // The first column is what it is about; what a pool has besides is no news here.
    let about = columns.first().copied().flatten().unwrap_or_default();
    let cell = |c: &Option<Resources>, r: &str| c.map_or_else(|| "-".to_owned(), |c| short(r, c[r]));
    let texts = |all: &[&str]| all.iter().map(|t| (*t).to_owned()).collect::<Vec<_>>();
    let row = |r: &str| {
        let figures = columns.iter().map(|c| cell(c, r));
        texts(before)
            .into_iter()
            .chain([brief(r).to_owned()])
            .chain(figures)
            .chain(texts(after))
            .collect()
    };
    about.iter().filter(|(_, v)| *v != 0).map(|(r, _)| row(r)).collect()
}

fn grant(verdict: &Verdict, style: Style) -> String {
    let mut rows = Vec::new();
    for (pool, centre) in verdict
        .pools
        .iter()
        .flat_map(|pool| pool.centres.iter().map(move |c| (pool, c)))
    {
        let row = verdict.centres.iter().find(|r| r.name == centre.name);
        let used = row
            .and_then(|r| r.used.iter().find(|u| u.pool == pool.name))
            .map(|u| &u.amounts);
        let reason = row.map_or("-", |r| r.reason.as_str());
        let columns = [Some(&centre.survival), Some(&centre.share), used];
        rows.extend(by_resource(&[&pool.name, &centre.name], &columns, &[reason]));
    }
    let names = [
        ("POOL", "资源池"),
        ("CENTRE", "中心"),
        ("RES", "资源"),
        ("SURVIVAL", "单中心保障"),
        ("SHARE", "日常份额"),
        ("TENANT-USED", "租户在用"),
        ("APPLIED", "落实"),
    ];
    style.table(&names, &rows)
}

/// `quote`, one request of the file.
pub fn quote(quote: &Quote, style: Style) -> String {
    let mut text = format!("rreq/{} -n {}\n", quote.name, quote.namespace);
    if quote.accepted == Some(false) {
        return text
            + &lines(
                quote
                    .refusals
                    .iter()
                    .map(|r| format!("REFUSED  {}", style.lang.half(r))),
            );
    }
    text.push_str(match quote.accepted {
        Some(_) => style.say(
            "ACCEPTED  the server takes it as it is (dry run, nothing was charged)\n",
            "ACCEPTED  服务器接受该申请（试运行，未占用配额）\n",
        ),
        None => "ACCEPTED  -\n",
    });
    if let Some(name) = &quote.releases {
        let (en, zh) = ("gives back what it no longer uses of rreq/", "释放 rreq/");
        let what = format!("RELEASES  {}{name}\n", style.say(en, zh));
        return text
            + &if quote.reason.is_some() {
                now(quote, style)
            } else {
                what
            };
    }
    let row = |t: &Taken| {
        by_resource(
            &[&t.pool, &t.centre],
            &[Some(&t.charge), Some(&t.share), Some(&t.survival), Some(&t.free)],
            &[],
        )
    };
    let rows: Vec<_> = quote.pools.iter().flat_map(row).collect();
    let names = [
        ("POOL", "资源池"),
        ("CENTRE", "中心"),
        ("RES", "资源"),
        ("CHARGE", "占用量"),
        ("SHARE", "日常份额"),
        ("SURVIVAL", "单中心保障"),
        ("FREE", "当前余量"),
    ];
    text.push_str(&style.table(&names, &rows));
    text.push_str(&chosen(&quote.chosen, style));
    if quote.approvals.is_empty() && !quote.pools.is_empty() {
        text.push_str(style.say(
            "APPROVALS  none, it is approved automatically\n",
            "APPROVALS  无需人工审批\n",
        ));
    }
    text.push_str(&approvals(&quote.approvals, style));
    text.push_str(&now(quote, style));
    text.push_str(&style.options(&quote.options));
    text.push_str(&style.notes(&quote.notes));
    text
}

fn now(quote: &Quote, style: Style) -> String {
    if quote.fits.is_none() {
        return "NOW  -\n".to_owned();
    }
    let Some(reason) = &quote.reason else {
        return match quote.approvals.len() {
            0 => style
                .say(
                    "NOW  fits: granted as soon as it is applied\n",
                    "NOW  余量充足，提交后即可授予\n",
                )
                .to_owned(),
            _ => style
                .say(
                    "NOW  fits: granted as soon as it is approved\n",
                    "NOW  余量充足，批准后即可授予\n",
                )
                .to_owned(),
        };
    };
    let waits = waits(&quote.waits, style);
    if waits.is_empty() {
        let message = quote.message.as_deref().unwrap_or_default();
        return format!("NOW  {reason}  {}\n", style.lang.half(message));
    }
    lines(waits.iter().map(|l| format!("NOW  {reason}  {l}")))
}
