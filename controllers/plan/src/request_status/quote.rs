//! What a request was told that it would take, and why from there.

use crate::admission::Assessment;
use crate::market::Choice;
use crate::placement::message::halves;

/// What it takes of each pool and what that charges in each centre, and why of that pool, `English | 中文`. Nothing while it
/// is not known from which pool.
pub fn quoted(assessment: &Assessment) -> Option<String> {
    let takes = assessment.choices.iter().map(|choice| {
        let parts = choice.grant.centres.iter();
        let charged: Vec<String> = parts
            .map(|(centre, part)| format!("{centre} {}", part.charge()))
            .collect();
        let (pool, n, charged) = (&choice.pool, choice.grant.n, charged.join("; "));
        format!("{pool}: {n}, charged {charged} | {pool}：{n}，占用 {charged}")
    });
    joined(takes.chain(assessment.choices.iter().filter_map(Choice::reason)))
}

/// Why each pool that was not the only one, `English | 中文`.
pub(super) fn chosen(assessment: &Assessment) -> Option<String> {
    joined(assessment.choices.iter().filter_map(Choice::reason))
}

pub(super) fn joined(sentences: impl Iterator<Item = String>) -> Option<String> {
    let (mut en, mut zh) = (Vec::new(), Vec::new());
    for sentence in sentences {
        let (english, chinese) = halves(&sentence);
        en.push(english.to_owned());
        zh.push(chinese.to_owned());
    }
    (!en.is_empty()).then(|| format!("{} | {}", en.join("; "), zh.join("；")))
}
