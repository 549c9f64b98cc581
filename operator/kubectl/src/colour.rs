//! Colours of the words that matter. Whether the terminal takes them is for whoever prints.

use anstyle::{AnsiColor, Color, Style};

/// Words at the start of a line, with their colour.
const STARTS: &[(&str, AnsiColor)] = &[
    ("GRANTED", AnsiColor::Green),
    ("ACCEPTED", AnsiColor::Green),
    ("RUNNING", AnsiColor::Green),
    ("HELD", AnsiColor::Red),
    ("PENDING", AnsiColor::Yellow),
    ("REFUSED", AnsiColor::Red),
    ("error:", AnsiColor::Red),
];
/// Words in a table's cell that mean that something is wrong.
const BAD: &[&str] = &[
    "False",
    "NotReady",
    "Conflict",
    "StaleEpoch",
    "ReportStale",
    "Lost",
    "NeverReported",
];

/// The text with its words coloured; nothing else changes, not even the width.
pub fn colour(text: &str) -> String {
    text.split_inclusive('\n').map(line).collect()
}

fn line(line: &str) -> String {
    let start = STARTS.iter().find(|(word, _)| line.starts_with(word));
    if let Some((word, colour)) = start {
        return paint(word, *colour) + line.trim_start_matches(word);
    }
    line.split_inclusive(' ').map(cell).collect()
}

fn cell(cell: &str) -> String {
    let word = cell.trim_end();
    if !BAD.contains(&word) {
        return cell.to_owned();
    }
    paint(word, AnsiColor::Red) + cell.trim_start_matches(word)
}

fn paint(word: &str, colour: AnsiColor) -> String {
    let style = Style::new().bold().fg_color(Some(Color::Ansi(colour)));
    format!("{style}{word}{style:#}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_words_that_matter_are_coloured() {
        assert_eq!(colour("plain text\nx86  1\n"), "plain text\nx86  1\n");
        assert!(colour("PENDING  WaitingForQuota\n").starts_with("\u{1b}[1m\u{1b}[33mPENDING\u{1b}[0m  Waiting"));
        assert!(colour("jishi  False  ReportStale\n").contains("\u{1b}[31mFalse\u{1b}[0m  "));
    }

    #[test]
    fn without_colours_it_is_the_same() {
        let text = "GRANTED  Active  until\njiyidong  False  ReportStale  3m\n\nREFUSED  no | 否\n";
        let stripped = anstream::adapter::strip_str(&colour(text)).to_string();
        assert_eq!(stripped, text);
    }
}
