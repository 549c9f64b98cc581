//! The two languages. Every message exists as `English | 中文`; what is printed is the half that was asked for.

use clap::ValueEnum;

/// Language of what is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Lang {
    /// English
    En,
    /// 中文
    Zh,
}

impl Lang {
    /// From the first of `LC_ALL`, `LC_MESSAGES`, `LANG` that is set, as the C library looks for it.
    pub fn from_environment(get: impl Fn(&str) -> Option<String>) -> Self {
        let set = ["LC_ALL", "LC_MESSAGES", "LANG"]
            .into_iter()
            .find_map(|name| get(name).filter(|v| !v.is_empty()));
        if set.is_some_and(|v| v.to_ascii_lowercase().starts_with("zh")) {
            Self::Zh
        } else {
            Self::En
        }
    }

    /// The half of `English | 中文`; a text without halves as it is.
    pub fn half(self, text: &str) -> &str {
        match (self, text.split_once(" | ")) {
            (Self::En, Some((english, _))) => english.trim(),
            (Self::Zh, Some((_, chinese))) => chinese.trim(),
            (_, None) => text.trim(),
        }
    }
}

/// Joins both halves.
pub fn both(english: impl std::fmt::Display, chinese: impl std::fmt::Display) -> String {
    format!("{english} | {chinese}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_variable_that_is_set_decides() {
        let of = |pairs: &'static [(&str, &str)]| {
            Lang::from_environment(|n| pairs.iter().find(|(k, _)| *k == n).map(|(_, v)| (*v).to_owned()))
        };
        assert_eq!(of(&[("LC_ALL", ""), ("LANG", "zh_CN.UTF-8")]), Lang::Zh);
        assert_eq!(of(&[("LC_ALL", "C.UTF-8"), ("LANG", "zh_CN.UTF-8")]), Lang::En);
        assert_eq!(of(&[]), Lang::En);
    }

    #[test]
    fn halves() {
        assert_eq!(Lang::Zh.half("too much | 过多"), "过多");
        assert_eq!(Lang::En.half("too much | 过多"), "too much");
        assert_eq!(Lang::Zh.half("plain"), "plain");
    }
}
