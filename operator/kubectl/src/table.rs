//! Tables in plain text, in the width of the terminal.

use comfy_table::{ContentArrangement, Table, presets::NOTHING};

/// Rows under a header; empty where there are no rows.
pub fn table(header: &[&str], rows: &[Vec<String>], width: Option<u16>) -> String {
    let mut table = Table::new();
    table
        .load_preset(NOTHING)
        .force_no_tty()
        .set_header(header.iter().copied());
    table.set_content_arrangement(if width.is_some() {
        ContentArrangement::Dynamic
    } else {
        ContentArrangement::Disabled
    });
    if let Some(width) = width {
        table.set_width(width);
    }
    for row in rows {
        table.add_row(row);
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    if rows.is_empty() {
        return String::new();
    }
    table
        .to_string()
        .lines()
        .fold(String::new(), |text, line| text + line.trim_end() + "\n")
}

/// Columns of the terminal, if standard output is one.
pub fn terminal_width() -> Option<u16> {
    Table::new().width()
}
