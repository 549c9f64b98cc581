//! Whether a custom resource is ready, by the CEL of its `PlaceableKind`: of the object alone, and in bounded time.
//!
//! The expressions are the platform team's, the objects a department's and its controller's. An expression is bounded when
//! it is read, what it costs on one object before it is evaluated.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use cel::common::ast::{EntryExpr, Expr, IdedExpr, operators};
use cel::objects::{Key, Map};
use cel::parser::Parser;
use cel::{Context, ExecutionError, Value as Cel};
use serde_json::Value;

/// Longest expression, in bytes.
const LONGEST: usize = 1024;
/// Brackets within each other: the parser takes some 30 kB of the stack for each.
const BRACKETS: u16 = 16;
/// Most operators, fields and brackets: a chain of them is as deep a tree, for the parser and for the evaluation.
const LINKS: usize = 60;
/// Bytes of stack on which an expression is parsed and evaluated. A chain of 59 additions overflowed 1 MB in a debug build.
const STACK: usize = 16 << 20;
/// Loops within loops.
const NESTED: u32 = 2;
/// Most steps on one object: below 100 ms.
const STEPS: u64 = 1_000_000;
/// Longest text that is told, in characters.
const TOLD: usize = 200;

/// An expression that is bounded.
#[derive(Clone, Debug, PartialEq)]
struct Bounded {
    expression: IdedExpr,
    size: Size,
}

/// What bounds the cost of an expression.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Size {
    parts: u64,
    loops: u32,
    sums: u64,
}

/// When an object of a kind is ready, and what is said until then.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Policy {
    ready: Option<Bounded>,
    message: Option<Bounded>,
}

impl Policy {
    /// Reads the expressions.
    ///
    /// # Errors
    /// Which one cannot be worked with and why, `English | 中文`.
    pub fn read(ready: Option<&str>, message: Option<&str>) -> Result<Self, String> {
        let read = |field: &str, text: Option<&str>| {
            let wrong = |why: String| {
                let why = cut(&why);
                format!("{field}: {why}; correct the expression | {field}：表达式无效（{why}），请修改")
            };
            text.map(bounded).transpose().map_err(wrong)
        };
        Ok(Self {
            ready: read("ready", ready)?,
            message: read("message", message)?,
        })
    }

    /// Why an object as it stands in a centre is not ready, `English | 中文`; `None` when it is.
    pub fn lacks(&self, object: &Value) -> Option<String> {
        let number = |pointer: &str| object.pointer(pointer).and_then(Value::as_i64);
        if let (Some(seen), Some(newest)) = (number("/status/observedGeneration"), number("/metadata/generation"))
            && seen < newest
        {
            return Some(format!(
                "its controller has seen generation {seen} of {newest} | 其控制器仅处理到第 {seen}/{newest} 版"
            ));
        }
        let ready = self.ready.as_ref()?;
        let own = || self.message.as_ref().and_then(|m| m.text(object));
        match ready.evaluate(object) {
            Ok(Cel::Bool(true)) => None,
            Ok(Cel::Bool(false)) => Some(own().unwrap_or_else(|| "it is not ready yet | 尚未就绪".to_owned())),
            Ok(other) => {
                let kind = other.type_of();
                Some(format!(
                    "its PlaceableKind answers {kind}, not true or false; correct ready | 就绪条件结果为 {kind}，应为布尔值，请修改 ready"
                ))
            }
            Err(Failure::Missing(field)) => {
                Some(own().unwrap_or_else(|| format!("it has no field {field} yet | 尚无字段 {field}")))
            }
            Err(Failure::Other(why)) => Some(format!(
                "its readiness cannot be worked out: {why}; correct ready of its PlaceableKind | 无法判断就绪：{why}，请修改 PlaceableKind 的 ready"
            )),
        }
    }
}

/// Why there is no value.
enum Failure {
    /// The object has no such field.
    Missing(String),
    /// In words.
    Other(String),
}

fn cut(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    line.chars().take(TOLD).collect()
}

fn bounded(text: &str) -> Result<Bounded, String> {
    if text.len() > LONGEST {
        return Err(format!("{} bytes, at most {LONGEST}", text.len()));
    }
    // Those within texts count too: to tell them apart is the parser's work, which comes after this.
    let links = text.chars().filter(|c| ".+-*/%!?<>=&|([{".contains(*c)).count();
    if links > LINKS {
        return Err(format!("{links} operators, dots and brackets, at most {LINKS}"));
    }
    // The parser is generated code that has panicked on odd input before; a wrong policy must not end the process.
    let parse = || {
        catch_unwind(AssertUnwindSafe(|| {
            Parser::new().max_recursion_depth(BRACKETS).parse(text)
        }))
    };
    let parsed = stacker::grow(STACK, parse);
    let expression = match parsed {
        Ok(Ok(expression)) => expression,
        Ok(Err(errors)) => return Err(errors.to_string()),
        Err(_) => return Err("it cannot be parsed".to_owned()),
    };
    let size = size(&expression)?;
    let declared = loop_variables(&expression);
    let known = |name: &str| name == "self" || declared.iter().any(|d| d == name);
    if let Some(unknown) = expression.references().variables().into_iter().find(|v| !known(v)) {
        return Err(format!("{unknown} is unknown; the object is called self"));
    }
    Ok(Bounded { expression, size })
}

/// Variables that loops declare.
fn loop_variables(expression: &IdedExpr) -> Vec<String> {
    let mut found = Vec::new();
    if let Expr::Comprehension(each) = &expression.expr {
        found.extend([each.iter_var.clone(), each.accu_var.clone()]);
        found.extend(each.iter_var2.clone());
    }
    found.extend(below(expression).into_iter().flat_map(loop_variables));
    found
}

/// What an expression is made of.
fn below(expression: &IdedExpr) -> Vec<&IdedExpr> {
    match &expression.expr {
        Expr::Call(call) => call.target.iter().map(AsRef::as_ref).chain(&call.args).collect(),
        Expr::Comprehension(each) => vec![
            &each.iter_range,
            &each.accu_init,
            &each.loop_cond,
            &each.loop_step,
            &each.result,
        ],
        Expr::List(list) => list.elements.iter().collect(),
        Expr::Map(map) => {
            let entries = map.entries.iter().filter_map(|e| match &e.expr {
                EntryExpr::MapEntry(entry) => Some([&entry.key, &entry.value]),
                EntryExpr::StructField(_) => None,
            });
            entries.flatten().collect()
        }
        Expr::Select(select) => vec![&select.operand],
        Expr::Unspecified | Expr::Ident(_) | Expr::Literal(_) | Expr::Struct(_) => Vec::new(),
    }
}

fn size(expression: &IdedExpr) -> Result<Size, String> {
    // This version of the crate panics on them.
    if matches!(expression.expr, Expr::Struct(_) | Expr::Unspecified) {
        return Err("messages such as A{b: 1} are not known here".to_owned());
    }
    let mut whole = Size {
        parts: 1,
        ..Size::default()
    };
    for part in below(expression) {
        let part = size(part)?;
        whole.parts += part.parts;
        whole.loops = whole.loops.max(part.loops);
        whole.sums += part.sums;
    }
    match &expression.expr {
        Expr::Comprehension(_) => whole.loops += 1,
        Expr::Call(call) if call.func_name == operators::ADD => whole.sums += 1,
        _ => {}
    }
    if whole.loops > NESTED {
        return Err(format!("more than {NESTED} loops within each other"));
    }
    Ok(whole)
}

/// Entries of the largest list or map, and how much there is of everything.
fn breadth(value: &Value) -> (u64, u64) {
    let count = |n: usize| u64::try_from(n).unwrap_or(u64::MAX);
    let join = |(most, all): (u64, u64), value: &Value| {
        let (m, a) = breadth(value);
        (most.max(m), all.saturating_add(a))
    };
    match value {
        Value::Array(items) => items.iter().fold((count(items.len()), 1), join),
        Value::Object(fields) => fields.values().fold((count(fields.len()), 1), join),
        // Texts are looked through from end to end.
        Value::String(text) => (0, 1 + count(text.len() / 64)),
        _ => (0, 1),
    }
}

impl Bounded {
    /// At the most so many steps.
    fn steps(&self, object: &Value) -> u64 {
        let Size { parts, loops, sums, .. } = self.size;
        let (most, all) = breadth(object);
        let each = most.max(parts).saturating_mul(1 + sums);
        // A list that a loop puts together is copied with each entry.
        let turns = each.saturating_pow(loops + u32::from(loops > 0 && sums > 0));
        parts.saturating_mul(turns).saturating_add(all)
    }

    fn evaluate(&self, object: &Value) -> Result<Cel, Failure> {
        let steps = self.steps(object);
        if steps > STEPS {
            return Err(Failure::Other(format!(
                "up to {steps} steps on this object, at most {STEPS}"
            )));
        }
        let mut context = Context::default();
        context.add_variable_from_value("self", value(object));
        // A panic within the crate is one object that is not ready, not the end of all placements.
        let answer = stacker::grow(STACK, || {
            catch_unwind(AssertUnwindSafe(|| Cel::resolve(&self.expression, &context)))
        });
        match answer {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(ExecutionError::NoSuchKey(field))) => Err(Failure::Missing(cut(&field))),
            Ok(Err(error)) => Err(Failure::Other(cut(&error.to_string()))),
            Err(_) => Err(Failure::Other("the expression cannot be evaluated".to_owned())),
        }
    }

    /// The text that it says, if it says one, `English | 中文`.
    fn text(&self, object: &Value) -> Option<String> {
        match self.evaluate(object) {
            Ok(Cel::String(text)) if text.contains(" | ") => Some(cut(&text)),
            Ok(Cel::String(text)) if !text.trim().is_empty() => {
                let text = cut(&text);
                Some(format!("not ready: {text} | 未就绪：{text}"))
            }
            _ => None,
        }
    }
}

/// Whole numbers are `int`, as the API server has it.
fn value(json: &Value) -> Cel {
    match json {
        Value::Null => Cel::Null,
        Value::Bool(is) => Cel::Bool(*is),
        Value::Number(n) => n
            .as_i64()
            .map_or_else(|| Cel::Float(n.as_f64().unwrap_or(f64::NAN)), Cel::Int),
        Value::String(text) => Cel::String(Arc::new(text.clone())),
        Value::Array(items) => Cel::List(Arc::new(items.iter().map(value).collect())),
        Value::Object(fields) => {
            let map: HashMap<Key, Cel> = fields.iter().map(|(k, v)| (Key::from(k.as_str()), value(v))).collect();
            Cel::Map(Map { map: Arc::new(map) })
        }
    }
}

#[cfg(test)]
mod tests;
