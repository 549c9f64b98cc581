//! What a board is made of, without Grafana's JSON.

use crate::text::Text;

/// A board.
#[derive(Clone, Debug)]
pub struct Board {
    /// Stem of its file names, and of its uid.
    pub name: &'static str,
    /// Title.
    pub title: Text,
    /// From top to bottom.
    pub rows: Vec<Row>,
}

/// A row with a heading.
#[derive(Clone, Debug)]
pub struct Row {
    /// Heading.
    pub title: Text,
    /// From left to right; they wrap by their width.
    pub panels: Vec<Panel>,
}

/// A panel.
#[derive(Clone, Debug)]
pub struct Panel {
    /// Title.
    pub title: Text,
    /// What it means and what to do when it is bad.
    pub description: Text,
    /// How it is drawn.
    pub kind: Kind,
    /// What is counted.
    pub unit: Unit,
    /// PromQL and legend. A legend may name labels as `{{label}}`.
    pub queries: Vec<(String, Text)>,
    /// From these values on, in this colour; the first colour counts from below.
    pub thresholds: &'static [(f64, &'static str)],
}

/// How a panel is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// One number.
    Stat,
    /// Lines over time.
    TimeSeries,
    /// Lines over time, on top of each other.
    Stacked,
    /// Bars of the newest values.
    BarGauge,
    /// One line a value of the label, one column a query.
    Table {
        /// The label.
        by: &'static str,
    },
}

impl Kind {
    /// Width in 24ths of the board, and height in Grafana's units.
    pub const fn size(self) -> (u32, u32) {
        match self {
            Self::Stat => (3, 4),
            Self::TimeSeries | Self::Stacked | Self::BarGauge => (8, 8),
            Self::Table { .. } => (16, 8),
        }
    }
}

/// Units, by Grafana's names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// A plain number.
    Number,
    /// 0 to 1, shown as a percentage.
    Ratio,
    /// Seconds.
    Seconds,
    /// Bytes.
    Bytes,
    /// A number a second.
    PerSecond,
    /// Milliseconds since 1970, shown as a date.
    Date,
}

impl Unit {
    /// Grafana's name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Number => "short",
            Self::Ratio => "percentunit",
            Self::Seconds => "s",
            Self::Bytes => "bytes",
            Self::PerSecond => "ops",
            Self::Date => "dateTimeAsIso",
        }
    }
}
