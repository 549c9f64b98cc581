//! Text in both languages.

/// What people read, in English and Chinese; neither can be forgotten.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Text {
    /// English.
    pub en: &'static str,
    /// 中文.
    pub zh: &'static str,
}

/// Short for [`Text`].
pub(crate) const fn t(en: &'static str, zh: &'static str) -> Text {
    Text { en, zh }
}

/// A language of a board.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    /// English.
    En,
    /// 中文.
    Zh,
}

impl Language {
    /// As in file names.
    pub const fn code(self) -> &'static str {
        match self {
            Self::En => "en",
            Self::Zh => "zh",
        }
    }
}

impl Text {
    /// In one language.
    pub const fn in_(self, language: Language) -> &'static str {
        match language {
            Language::En => self.en,
            Language::Zh => self.zh,
        }
    }
}
