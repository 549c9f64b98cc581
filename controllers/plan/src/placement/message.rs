//! Messages of a placement, `English | 中文`: each half says all of it, and both are kept.

/// Between the halves.
const BETWEEN: &str = " | ";

/// The halves of a message; one of a single language is both.
pub fn halves(message: &str) -> (&str, &str) {
    message.split_once(BETWEEN).unwrap_or((message, message))
}

/// What one centre says.
pub fn of_centre(centre: &str, message: &str) -> String {
    let (en, zh) = halves(message);
    format!("{centre}: {en}{BETWEEN}{centre}：{zh}")
}

/// As many of them as `longest` characters hold, how many more there are, and what is true of all of them.
pub(super) fn all_of(messages: &[String], (after, after_zh): (&str, &str), longest: usize) -> String {
    let first = |n: usize| {
        let (en, zh): (Vec<&str>, Vec<&str>) = messages.iter().take(n).map(|m| halves(m)).unzip();
        let (mut en, mut zh) = (en.join("; "), zh.join("；"));
        let more = messages.len().saturating_sub(n);
        if more > 0 {
            en = format!("{en}; and {more} more");
            zh = format!("{zh}；另有 {more} 个");
        }
        format!("{en}{after}{BETWEEN}{zh}{after_zh}")
    };
    let fits = |n: &usize| first(*n).chars().count() <= longest;
    first((2..=messages.len()).take_while(fits).last().unwrap_or(1))
}

/// The message in at most `longest` characters. A half that is the shorter one stays whole where there is room for it.
pub(super) fn within(message: &str, longest: usize) -> String {
    let length = |text: &str| text.chars().count();
    let Some((en, zh)) = message.split_once(BETWEEN).filter(|_| length(message) > longest) else {
        return cut(message, longest);
    };
    let room = longest.saturating_sub(length(BETWEEN));
    let of_zh = length(zh).min((room / 2).max(room.saturating_sub(length(en))));
    let (en, zh) = (cut(en, room.saturating_sub(of_zh)), cut(zh, of_zh));
    format!("{en}{BETWEEN}{zh}")
}

fn cut(text: &str, longest: usize) -> String {
    if text.chars().count() <= longest {
        return text.to_owned();
    }
    let mut cut: String = text.chars().take(longest.saturating_sub(1)).collect();
    cut.push('…');
    cut
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_halves_are_kept() {
        let long = format!("{} | 写入失败", "x".repeat(600));
        let said = within(&long, 512);
        assert_eq!(said.chars().count(), 512);
        assert!(said.ends_with("x… | 写入失败"), "{said}");
        let longer = format!("{} | {}", "x".repeat(600), "写".repeat(600));
        let said = within(&longer, 512);
        assert_eq!(said.chars().count(), 512);
        let (en, zh) = halves(&said);
        assert!(en.ends_with("x…") && zh.ends_with("写…"));
        assert_eq!(within("short | 短", 512), "short | 短");
        assert_eq!(within(&"x".repeat(600), 512).chars().count(), 512);
    }

    #[test]
    fn a_centre_is_named_in_both() {
        assert_eq!(of_centre("jishi", "it waits | 等待"), "jishi: it waits | jishi：等待");
        assert_eq!(of_centre("jishi", "odd"), "jishi: odd | jishi：odd");
    }

    #[test]
    fn as_many_as_there_is_room_for() {
        let all: Vec<String> = (1..=30).map(|n| format!("object {n} | 对象 {n}")).collect();
        let said = |n: usize, longest| all_of(&all[..n], ("; stays", "，仅报告"), longest);
        assert_eq!(said(1, 512), "object 1; stays | 对象 1，仅报告");
        assert_eq!(said(2, 512), "object 1; object 2; stays | 对象 1；对象 2，仅报告");
        let many = said(30, 100);
        assert!(many.chars().count() <= 100, "{many}");
        assert!(
            many.contains("; and 26 more; stays |") && many.ends_with("；另有 26 个，仅报告"),
            "{many}"
        );
        // One is told however long it is.
        assert!(said(3, 5).starts_with("object 1; and 2 more"));
    }
}
