//! Conditions that a browser can work out as well: a small part of the language, written as JSON.
//!
//! A field is `{"f": "answers.country"}`, a literal `{"v": "ES"}`, everything else a list whose first item is the
//! operation: `["==", left, right]`, `["&&", …]`, `["has", "answers.phone"]`, `["list", …]`. Whoever works it out must
//! do as CEL does: what has no value makes a comparison undecided, an undecided condition does not hold, and `&&` and
//! `||` are decided by one side if that is enough.

use cel::common::ast::{Expr as Cel, IdedExpr, LiteralValue, operators as op};
use serde_json::{Value as Json, json};

use super::{Expr, path};

impl Expr {
    /// The condition as JSON; nothing if it uses more of the language than browsers are given.
    pub fn portable(&self) -> Option<Json> {
        part(self.program.expression())
    }
}

fn part(expr: &IdedExpr) -> Option<Json> {
    match &expr.expr {
        Cel::Literal(literal) => match literal {
            LiteralValue::Boolean(value) => Some(json!({ "v": **value })),
            LiteralValue::Int(value) => Some(json!({ "v": **value })),
            LiteralValue::UInt(value) => Some(json!({ "v": **value })),
            LiteralValue::Double(value) => Some(json!({ "v": **value })),
            LiteralValue::String(value) => Some(json!({ "v": value.to_string() })),
            LiteralValue::Bytes(_) | LiteralValue::Null => None,
        },
        Cel::Select(select) => {
            let path = path(expr)?;
            Some(if select.test { json!(["has", path]) } else { json!({ "f": path }) })
        }
        Cel::List(list) => with("list", &list.elements),
        Cel::Call(call) => {
            let word = match (call.func_name.as_str(), call.target.is_some()) {
                (op::LOGICAL_AND, false) => "&&",
                (op::LOGICAL_OR, false) => "||",
                (op::LOGICAL_NOT, false) => "!",
                (op::EQUALS, false) => "==",
                (op::NOT_EQUALS, false) => "!=",
                (op::LESS, false) => "<",
                (op::LESS_EQUALS, false) => "<=",
                (op::GREATER, false) => ">",
                (op::GREATER_EQUALS, false) => ">=",
                (op::IN, false) => "in",
                ("startsWith", true) => "startsWith",
                ("endsWith", true) => "endsWith",
                ("contains", true) => "contains",
                _ => return None,
            };
            let operands: Vec<IdedExpr> = call
                .target
                .iter()
                .map(|target| (**target).clone())
                .chain(call.args.iter().cloned())
                .collect();
            with(word, &operands)
        }
        Cel::Ident(_) | Cel::Comprehension(_) | Cel::Map(_) | Cel::Struct(_) | Cel::Unspecified => None,
    }
}

fn with(word: &str, operands: &[IdedExpr]) -> Option<Json> {
    let mut all = vec![json!(word)];
    for operand in operands {
        all.push(part(operand)?);
    }
    Some(Json::Array(all))
}

#[cfg(test)]
mod tests {
    use super::super::{Context, Symbols, Type};
    use super::*;
    use crate::base::diagnostic::{Mark, Report};

    /// Conditions, answers and what they say; the snippet's tests read the same file with the browser's reckoning.
    const CASES: &str = include_str!("../../../snippet/test/support/conditions.json");

    #[test]
    fn what_browsers_are_given_says_the_same_as_the_condition() {
        let words = Type::one_of(["ES", "US"]);
        let symbols = Symbols::new()
            .field("answers.country", words.clone())
            .field("answers.people", Type::Int)
            .field("answers.name", Type::String)
            .field("answers.wants", Type::Bool)
            .field("answers.topics", Type::list(words));
        let cases: Vec<Json> = serde_json::from_str(CASES).expect("JSON");
        assert!(cases.len() > 20);
        for case in cases {
            let (text, report) = (case["if"].as_str().expect("a text"), Report::new());
            let expr = Expr::condition(text, &Mark::new("f.yaml", 1, 1), &symbols, &report);
            let expr = expr.unwrap_or_else(|| panic!("{text}: {}", report.text()));
            assert_eq!(expr.portable().as_ref(), Some(&case["is"]), "{text}");
            let mut context = Context::new();
            for (name, value) in case["answers"].as_object().expect("a map") {
                context.set(&format!("answers.{name}"), value.clone());
            }
            assert_eq!(expr.holds(&context), case["holds"].as_bool().expect("yes or no"), "{case}");
        }
    }
}
