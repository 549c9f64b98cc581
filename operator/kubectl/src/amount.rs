//! Amounts for people: short, and never more than there is.

use crds::{Amount, Amounts, Resources};

/// Units of bytes, largest first.
const BYTES: [(&str, i128); 5] = [
    ("Pi", 1 << 50),
    ("Ti", 1 << 40),
    ("Gi", 1 << 30),
    ("Mi", 1 << 20),
    ("Ki", 1 << 10),
];

/// One amount, with at most one decimal, rounded down: `64`, `1.5`, `251.9Gi`.
pub fn short(resource: &str, value: i128) -> String {
    let decimal = |unit: i128, suffix: &str| {
        let tenths = value.unsigned_abs() * 10 / unit.unsigned_abs();
        let sign = if value < 0 { "-" } else { "" };
        let (whole, tenth) = (tenths / 10, tenths % 10);
        if tenth == 0 {
            format!("{sign}{whole}{suffix}")
        } else {
            format!("{sign}{whole}.{tenth}{suffix}")
        }
    };
    match resource {
        "cpu" if value != 0 && value.abs() < 1000 => format!("{value}m"),
        "cpu" => decimal(1000, ""),
        "accelerators" => value.to_string(),
        _ => {
            let exact = BYTES
                .iter()
                .find(|(_, unit)| value.abs() >= *unit && value % unit == 0 && value.abs() / unit < 10_000);
            let near = || BYTES.iter().find(|(_, unit)| value.abs() >= *unit);
            exact
                .or_else(near)
                .map_or_else(|| value.to_string(), |(suffix, unit)| decimal(*unit, suffix))
        }
    }
}

/// Amounts that a program wrote: free is negative where a pool is over-committed, which the parser of what people write
/// refuses. `None` where one cannot be read.
pub fn signed(amounts: &Amounts) -> Option<Resources> {
    let mut out = Resources::ZERO;
    for (key, amount) in &amounts.0 {
        let name = Resources::NAMES.into_iter().find(|n| n == key)?;
        out[name] = match amount.0.strip_prefix('-') {
            Some(rest) => -Amount::from(rest).parse(name).ok()?,
            None => amount.parse(name).ok()?,
        };
    }
    Some(out)
}

/// The resource in a word that fits a column.
pub fn brief(resource: &str) -> &str {
    match resource {
        "memory" => "mem",
        "accelerators" => "cards",
        other => other,
    }
}

/// The resource behind a number: ` cpu`; cards need no word in a pool of cards.
pub fn unit(resource: &str) -> String {
    if resource == "accelerators" {
        String::new()
    } else {
        format!(" {}", brief(resource))
    }
}

/// The same in Chinese: `核`, `卡`.
pub fn unit_zh(resource: &str) -> &'static str {
    match resource {
        "cpu" => "核",
        "memory" => "内存",
        "storage" => "存储",
        _ => "卡",
    }
}

/// The resource before a verb in Chinese.
pub fn noun_zh(resource: &str) -> &'static str {
    if resource == "cpu" { "CPU" } else { unit_zh(resource) }
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
