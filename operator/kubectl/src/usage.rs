//! `usage`: the reports of a month as a page, and as CSV for those who calculate.

use crds::{ExactUsage, UsageFigures, UsageReport, UsageReportStatus};
use serde::Serialize;

use crate::lang::both;
use crate::print::Style;

/// The reports of one month.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Usage {
    /// The month, such as 2026-11.
    pub month: String,
    /// By tenant.
    pub reports: Vec<Report>,
    /// What people should know besides.
    pub notes: Vec<String>,
}

/// What a tenant held in the month.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Tenant.
    pub tenant: String,
    /// The report as the operator wrote it.
    #[serde(flatten)]
    pub status: UsageReportStatus,
}

/// From the objects, in the order of their tenants; one without a status is still being written.
pub fn usage(month: &str, reports: Vec<UsageReport>) -> Usage {
    let report = |r: UsageReport| {
        Some(Report {
            tenant: r.spec.tenant,
            status: r.status?,
        })
    };
    let mut reports: Vec<Report> = reports
        .into_iter()
        .filter(|r| r.spec.month == month)
        .filter_map(report)
        .collect();
    reports.sort_by(|a, b| a.tenant.cmp(&b.tenant));
    let open = reports.iter().filter(|r| !r.status.complete).count();
    let mut notes = Vec::new();
    if reports.is_empty() {
        notes.push(both(
            format!("nothing was held in {month}, or no report is written yet"),
            format!("{month} 无用量，或报表尚未生成"),
        ));
    } else if open > 0 {
        notes.push(both(
            format!(
                "{open} of {} reports are not complete; a month closes one day after its end",
                reports.len()
            ),
            format!("{} 份报表中 {open} 份未完成；月末后一天定稿", reports.len()),
        ));
    }
    let short = reports.iter().filter(|r| r.status.left_out > 0);
    notes.extend(short.map(|r| {
        let (tenant, rows) = (&r.tenant, r.status.left_out);
        both(
            format!("{tenant}: {rows} rows have no room in its report; the total counts them"),
            format!("{tenant}：{rows} 行因篇幅未列出，合计已计入"),
        )
    }));
    Usage {
        month: month.to_owned(),
        reports,
        notes,
    }
}

const HEADER: [(&str, &str); 8] = [
    ("REQUEST", "申请"),
    ("POOL", "资源池"),
    ("VCPU-H", "vCPU时"),
    ("NORM-H", "折算vCPU时"),
    ("GIB-H", "内存GiB时"),
    ("GPU-H", "卡时"),
    ("TB-DAYS", "TB天"),
    ("PRICE", "费用"),
];

/// A page for people: the rows of each tenant, then its sum, hours and days cut to two decimals.
pub fn page(usage: &Usage, style: Style) -> String {
    let line = |request: &str, pool: &str, figures: &UsageFigures| {
        let figures = [
            cut(&figures.vcpu_hours),
            cut(&figures.normalized_vcpu_hours),
            cut(&figures.memory_gib_hours),
            cut(&figures.gpu_hours),
            cut(&figures.tb_days),
            &figures.price,
        ];
        let cells = [request, pool].into_iter().chain(figures);
        cells.map(str::to_owned).collect::<Vec<_>>()
    };
    let mut text = String::new();
    for report in &usage.reports {
        let status = &report.status;
        let state = if status.complete {
            style.say("complete", "已定稿")
        } else {
            style.say("as of", "统计截至")
        };
        let title = [&report.tenant, &usage.month, state, &status.as_of, "CNY"];
        let mut rows: Vec<Vec<String>> = status
            .rows
            .iter()
            .map(|r| line(&r.request, &r.pool, &r.figures))
            .collect();
        rows.push(line(style.say("total", "合计"), "", &status.totals));
        text.push_str(&title.join("  "));
        text.push('\n');
        text.push_str(&style.table(&HEADER, &rows));
        text.push('\n');
    }
    text + &style.notes(&usage.notes)
}

/// Two decimals at the most.
fn cut(number: &str) -> &str {
    let end = number.find('.').map_or(number.len(), |point| point + 3);
    number.get(..end).unwrap_or(number)
}

/// One line a request and pool, values exactly as they are stored; no sums, which whoever calculates makes.
pub fn csv(usage: &Usage) -> String {
    let header = [
        "month",
        "tenant",
        "request",
        "request_uid",
        "pool",
        "vcpu_hours",
        "normalized_vcpu_hours",
        "memory_gib_hours",
        "gpu_hours",
        "tb_days",
        "price",
        "currency",
        "final",
        "cpu_millicore_seconds",
        "memory_byte_seconds",
        "storage_byte_seconds",
        "card_seconds",
        "as_of",
    ];
    let mut text = record(header);
    for report in &usage.reports {
        let status = &report.status;
        for row in &status.rows {
            let (f, e): (&UsageFigures, &ExactUsage) = (&row.figures, &row.exact);
            text.push_str(&record([
                usage.month.as_str(),
                &report.tenant,
                &row.request,
                &row.request_uid,
                &row.pool,
                &f.vcpu_hours,
                &f.normalized_vcpu_hours,
                &f.memory_gib_hours,
                &f.gpu_hours,
                &f.tb_days,
                &f.price,
                "CNY",
                if row.final_ { "true" } else { "false" },
                &e.cpu,
                &e.memory,
                &e.storage,
                &e.accelerators,
                &status.as_of,
            ]));
        }
    }
    text
}

/// One line as RFC 4180 has it.
fn record<const N: usize>(cells: [&str; N]) -> String {
    cells.map(cell).join(",") + "\r\n"
}

/// A cell that a spreadsheet would take for a formula is a text there; one with a comma or a quote is quoted.
fn cell(text: &str) -> String {
    let formula = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let safe = if formula { format!("'{text}") } else { text.to_owned() };
    if safe.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", safe.replace('"', "\"\""))
    } else {
        safe
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_cell_is_a_formula() {
        assert_eq!(cell("=1+1"), "'=1+1");
        assert_eq!(cell("@SUM(A1,B1)"), "\"'@SUM(A1,B1)\"");
        assert_eq!(cell("+8613"), "'+8613");
        assert_eq!(cell("-1"), "'-1");
        assert_eq!(cell("\t=1"), "'\t=1");
        assert_eq!(cell("say \"yes\""), "\"say \"\"yes\"\"\"");
        assert_eq!(cell("ocr-2026"), "ocr-2026");
        assert_eq!(cell(""), "");
    }

    #[test]
    fn people_see_two_decimals() {
        assert_eq!(
            [cut("648.277778"), cut("0.5"), cut("12"), cut("0")],
            ["648.27", "0.5", "12", "0"]
        );
    }
}
