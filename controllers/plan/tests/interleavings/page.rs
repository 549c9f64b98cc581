//! Sections of docs/reference/property-tests.md that tests write.

/// Path of the page, from any crate under controllers/.
const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/reference/property-tests.md");

/// Compares the section of that name with these lines; with `UPDATE_GOLDEN=1` writes it.
pub(crate) fn section(name: &str, lines: &[String]) {
    let page = std::fs::read_to_string(PAGE).unwrap();
    let begin = format!("<!-- {name} -->\n");
    let (before, rest) = page.split_once(&begin).unwrap();
    let (stored, after) = rest.split_once("<!-- end -->").unwrap();
    let found = lines.join("\n") + "\n";
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(PAGE, format!("{before}{begin}{found}<!-- end -->{after}")).unwrap();
        return;
    }
    assert!(
        found == stored,
        "{PAGE}: section {name} is not what was found; UPDATE_GOLDEN=1 writes it:\n{found}"
    );
}

/// A name of code, in words.
pub(crate) fn in_words(name: &str) -> String {
    let mut words = String::new();
    for c in name.chars() {
        if c.is_uppercase() && !words.is_empty() {
            words.push(' ');
        }
        words.extend(c.to_lowercase().map(|c| if c == '_' { ' ' } else { c }));
    }
    words
}
