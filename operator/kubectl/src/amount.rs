//! Amounts for people: short, and never more than there is.

use crds::{Amounts, Resources};

/// Units of bytes, largest first.
const BYTES: [(&str, i128); 5] = [("Pi", 1 << 50), ("Ti", 1 << 40), ("Gi", 1 << 30), ("Mi", 1 << 20), ("Ki", 1 << 10)];

/// One amount, with at most one decimal, rounded down: `64`, `1.5`, `251.9Gi`.
pub fn short(resource: &str, value: i128) -> String {
    let decimal = |unit: i128, suffix: &str| {
        let tenths = value.unsigned_abs() * 10 / unit.unsigned_abs();
        let sign = if value < 0 { "-" } else { "" };
        let (whole, tenth) = (tenths / 10, tenths % 10);
        if tenth == 0 { format!("{sign}{whole}{suffix}") } else { format!("{sign}{whole}.{tenth}{suffix}") }
    };
    match resource {
        "cpu" if value != 0 && value.abs() < 1000 => format!("{value}m"),
        "cpu" => decimal(1000, ""),
        "accelerators" => value.to_string(),
        _ => {
            let exact = BYTES.iter().find(|(_, unit)| value.abs() >= *unit && value % unit == 0 && value.abs() / unit < 10_000);
            let near = || BYTES.iter().find(|(_, unit)| value.abs() >= *unit);
            exact.or_else(near).map_or_else(|| value.to_string(), |(suffix, unit)| decimal(*unit, suffix))
        }
    }
}

/// Every amount that is not zero: `cpu 64, memory 256Gi`; `-` where there is none.
pub fn list(amounts: Resources) -> String {
    let named: Vec<String> =
        amounts.iter().filter(|(_, v)| *v != 0).map(|(r, v)| format!("{} {}", brief(r), short(r, v))).collect();
    if named.is_empty() { "-".to_owned() } else { named.join(", ") }
}

/// As [`list`], from an object. What cannot be read is shown as it is written.
pub fn list_of(amounts: &Amounts) -> String {
    let written = |a: &Amounts| a.0.iter().map(|(r, v)| format!("{} {}", brief(r), v.0)).collect::<Vec<_>>().join(", ");
    Resources::try_from(amounts).map_or_else(|_| written(amounts), list)
}

/// The resource in a word that fits a column.
pub fn brief(resource: &str) -> &str {
    match resource {
        "memory" => "mem",
        "accelerators" => "cards",
        other => other,
    }
}

/// A resource in Chinese.
pub fn chinese(resource: &str) -> &str {
    match resource {
        "memory" => "内存",
        "storage" => "存储",
        "accelerators" => "卡",
        _ => "核",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_rounds_down() {
        assert_eq!(short("cpu", 64_000), "64");
        assert_eq!(short("cpu", 1_999), "1.9");
        assert_eq!(short("cpu", 500), "500m");
        assert_eq!(short("memory", 256 << 30), "256Gi");
        assert_eq!(short("memory", (256 << 30) - 1), "255.9Gi");
        assert_eq!(short("storage", 20 << 40), "20Ti");
        assert_eq!(short("memory", -(3 << 29)), "-1536Mi");
        assert_eq!(short("memory", 0), "0");
    }
}
