//! The documents of a YAML file.

use std::path::Path;

use serde_json::Value;

use crate::failure::Failure;
use crate::lang::both;

/// Largest file that is read, in bytes.
const LARGEST: u64 = 8 << 20;

/// The text of a file, or of standard input for `-`.
///
/// # Errors
/// It cannot be read.
pub fn read(file: &Path) -> Result<String, Failure> {
    use std::io::Read as _;
    let shown = file.display();
    let mut text = String::new();
    let read = if file == Path::new("-") {
        std::io::stdin().take(LARGEST).read_to_string(&mut text)
    } else {
        std::fs::File::open(file).and_then(|f| f.take(LARGEST).read_to_string(&mut text))
    };
    read.map_err(|e| Failure::Usage(both(format!("{shown}: {e}"), format!("无法读取 {shown}：{e}"))))?;
    Ok(text)
}

/// What a file holds.
#[derive(Debug, Default, PartialEq)]
pub struct Documents {
    /// Those of the kinds that were looked for, as they were written.
    pub wanted: Vec<Value>,
    /// Kind and name of everything else; it is left out.
    pub others: Vec<String>,
}

/// Takes the file apart. A `List` counts as its items.
///
/// # Errors
/// It is no YAML, or holds nothing of these kinds.
pub fn documents(text: &str, kinds: &[&str]) -> Result<Documents, Failure> {
    let parsed: Vec<Value> = serde_saphyr::from_multiple(text).map_err(|e| {
        Failure::Usage(both(
            format!("the file is no valid YAML: {e}"),
            format!("YAML 格式有误：{e}"),
        ))
    })?;
    let mut out = Documents::default();
    for document in parsed {
        match (text_at(&document, "/kind"), document.pointer("/items")) {
            ("List", Some(Value::Array(items))) => items.iter().for_each(|item| sort(item.clone(), kinds, &mut out)),
            _ if document.is_null() => {}
            _ => sort(document, kinds, &mut out),
        }
    }
    if out.wanted.is_empty() {
        let (kind, kind_zh) = (kinds.join(" or "), kinds.join(" 或 "));
        return Err(Failure::Usage(both(
            format!("the file holds no {kind} of xiangyun.io/v1alpha1"),
            format!("文件中没有 xiangyun.io/v1alpha1 的 {kind_zh}"),
        )));
    }
    Ok(out)
}

fn sort(document: Value, wanted: &[&str], out: &mut Documents) {
    let (kind, name) = (text_at(&document, "/kind"), text_at(&document, "/metadata/name"));
    if wanted.contains(&kind) && text_at(&document, "/apiVersion").starts_with("xiangyun.io/") {
        out.wanted.push(document);
    } else {
        out.others.push(format!("{kind}/{name}"));
    }
}

/// The text at that pointer, empty where there is none.
pub fn text_at<'a>(document: &'a Value, pointer: &str) -> &'a str {
    document.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_documents_and_a_list() {
        let one = "apiVersion: xiangyun.io/v1alpha1\nkind: ResourceRequest\nmetadata: {name: a}\n";
        let list = "apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: Secret, metadata: {name: s}}\n- {apiVersion: xiangyun.io/v1alpha1, kind: ResourceRequest, metadata: {name: b}}\n";
        let found = documents(&format!("---\n{one}---\n{list}---\n"), &["ResourceRequest"]).unwrap();
        assert_eq!(found.wanted.len(), 2);
        assert_eq!(found.others, ["Secret/s"]);
    }

    #[test]
    fn nothing_to_quote_is_an_error_of_usage() {
        assert_eq!(documents("kind: Secret", &["ResourceRequest"]).unwrap_err().code(), 2);
        assert_eq!(documents("a: [", &["ResourceRequest"]).unwrap_err().code(), 2);
        assert_eq!(documents("", &["ResourceRequest"]).unwrap_err().code(), 2);
    }
}
