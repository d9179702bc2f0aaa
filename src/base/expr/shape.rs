//! What a condition says, as a tree: for whoever puts it into words.

use cel::common::ast::{Expr as Cel, IdedExpr, LiteralValue, operators as op};

use super::{Expr, path};

/// A part of a condition.
#[derive(Debug, Clone, PartialEq)]
pub enum Shape {
    /// A field by its path, such as `contact.country`; a list that is named as `@name` is `_name`.
    Field(String),
    /// A text.
    Text(String),
    /// A number.
    Number(f64),
    /// Yes or no.
    Bool(bool),
    /// Several values.
    List(Vec<Shape>),
    /// A function and what it is asked about: `event("visit", "7d")`.
    Call(String, Vec<Shape>),
    /// All of these.
    All(Vec<Shape>),
    /// Any of these.
    Any(Vec<Shape>),
    /// Not this.
    Not(Box<Shape>),
    /// Two sides and what lies between them: `==`, `!=`, `<`, `<=`, `>`, `>=`, `in`, `contains`, `startsWith`, `endsWith`.
    Between(&'static str, Box<Shape>, Box<Shape>),
}

impl Expr {
    /// The condition as a tree; nothing if it uses more of the language than [`Shape`] knows.
    pub fn shape(&self) -> Option<Shape> {
        part(self.program.expression())
    }
}

#[allow(clippy::cast_precision_loss, reason = "numbers that people write are far below 2^53")]
fn part(expr: &IdedExpr) -> Option<Shape> {
    match &expr.expr {
        Cel::Literal(literal) => match literal {
            LiteralValue::Boolean(value) => Some(Shape::Bool(**value)),
            LiteralValue::Int(value) => Some(Shape::Number(**value as f64)),
            LiteralValue::UInt(value) => Some(Shape::Number(**value as f64)),
            LiteralValue::Double(value) => Some(Shape::Number(**value)),
            LiteralValue::String(value) => Some(Shape::Text(value.to_string())),
            LiteralValue::Bytes(_) | LiteralValue::Null => None,
        },
        Cel::Select(select) if select.test => None,
        Cel::Ident(_) | Cel::Select(_) => path(expr).map(Shape::Field),
        Cel::List(list) => parts(&list.elements).map(Shape::List),
        Cel::Call(call) => match (call.func_name.as_str(), call.target.as_deref()) {
            (op::LOGICAL_AND, None) => parts(&call.args).map(|all| Shape::All(flat(all, true))),
            (op::LOGICAL_OR, None) => parts(&call.args).map(|any| Shape::Any(flat(any, false))),
            (op::LOGICAL_NOT, None) => part(call.args.first()?).map(|inner| Shape::Not(Box::new(inner))),
            (op::NEGATE, None) => match part(call.args.first()?)? {
                Shape::Number(number) => Some(Shape::Number(-number)),
                _ => None,
            },
            (word, None) if between(word).is_some() => {
                let (left, right) = (part(call.args.first()?)?, part(call.args.get(1)?)?);
                Some(Shape::Between(between(word)?, Box::new(left), Box::new(right)))
            }
            (word, Some(target)) => {
                let word = ["contains", "startsWith", "endsWith"].into_iter().find(|known| *known == word)?;
                Some(Shape::Between(word, Box::new(part(target)?), Box::new(part(call.args.first()?)?)))
            }
            // What is left over and is no word is an operation that cannot be told.
            (name, None) if name.chars().all(|c| c.is_ascii_lowercase()) => {
                parts(&call.args).map(|arguments| Shape::Call(name.to_owned(), arguments))
            }
            (_, None) => None,
        },
        Cel::Comprehension(_) | Cel::Map(_) | Cel::Struct(_) | Cel::Unspecified => None,
    }
}

fn between(word: &str) -> Option<&'static str> {
    Some(match word {
        op::EQUALS => "==",
        op::NOT_EQUALS => "!=",
        op::LESS => "<",
        op::LESS_EQUALS => "<=",
        op::GREATER => ">",
        op::GREATER_EQUALS => ">=",
        op::IN => "in",
        _ => return None,
    })
}

fn parts(list: &[IdedExpr]) -> Option<Vec<Shape>> {
    list.iter().map(part).collect()
}

/// `a && b && c` is read as pairs within pairs.
fn flat(list: Vec<Shape>, all: bool) -> Vec<Shape> {
    let mut flat = Vec::new();
    for one in list {
        match one {
            Shape::All(inner) if all => flat.extend(inner),
            Shape::Any(inner) if !all => flat.extend(inner),
            other => flat.push(other),
        }
    }
    flat
}

#[cfg(test)]
mod tests {
    use super::super::{Symbols, Type};
    use super::*;
    use crate::base::diagnostic::{Mark, Report};

    fn shape(text: &str) -> Option<Shape> {
        let symbols = Symbols::new()
            .field("fit", Type::String)
            .field("points", Type::Int)
            .field("known", Type::Bool)
            .function_with_optional("event", vec![Type::String, Type::String], 1, Type::Bool);
        let report = Report::new();
        let expr = Expr::condition(text, &Mark::new("f.yaml", 1, 1), &symbols, &report);
        expr.unwrap_or_else(|| panic!("{text}: {}", report.text())).shape()
    }

    #[test]
    fn a_condition_is_told_as_it_is_built() {
        let event = Shape::Call("event".to_owned(), vec![Shape::Text("visit".to_owned())]);
        let fit = Shape::Between(
            "in",
            Box::new(Shape::Field("fit".to_owned())),
            Box::new(Shape::List(vec![Shape::Text("A".to_owned())])),
        );
        let known = Shape::Field("known".to_owned());
        assert_eq!(
            shape("fit in [\"A\"] && !event(\"visit\") && known"),
            Some(Shape::All(vec![fit, Shape::Not(Box::new(event)), known]))
        );
        let below =
            Shape::Between("<", Box::new(Shape::Field("points".to_owned())), Box::new(Shape::Number(-5.0)));
        assert_eq!(shape("points < -5"), Some(below));
        assert_eq!(shape("points + 1 > 3"), None, "sums are told as they are written");
    }
}
