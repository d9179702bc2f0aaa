//! Conditions evaluated without the interpreter: the part of CEL that rules are mostly written in, a hundred times as fast.
//!
//! [`Native::of`] takes comparisons, `&&`, `||`, `!`, `in` with texts, `contains`, `startsWith`, `endsWith`, fields, and
//! calls whose arguments are texts; anything else is left to [`Expr::eval`](super::expr::Expr::eval). Both give the same
//! answer to everything (a test compares them), and in both what cannot be evaluated does not hold.

use cel::common::ast::operators as op;
use cel::common::ast::{Expr as Cel, IdedExpr, LiteralValue};

use super::expr::path;

/// A value on its way through a condition.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Val<'a> {
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(&'a str),
    /// There is none: whatever asks for it cannot be evaluated.
    Absent,
    /// Something that equals nothing a condition can name: a list, a map, null.
    Other,
}

/// What a condition is evaluated against.
pub trait World {
    /// The value of a field by its dotted path.
    fn field(&self, path: &str) -> Val<'_>;

    /// The texts of a list by its dotted path.
    fn list(&self, path: &str) -> &[String];

    /// The answer of the condition's call number `index`; nothing if it cannot be given.
    fn call(&self, index: usize) -> Option<Val<'_>>;
}

/// A call that stands in a condition, with the texts that are given to it; none where an argument is no literal text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallSite {
    pub name: String,
    pub arguments: Vec<Option<String>>,
    /// The ids of the arguments, for their places in the file.
    pub(super) ids: Vec<u64>,
}

/// A condition as a tree of its own.
#[derive(Debug, Clone)]
pub struct Native(Node);

#[derive(Debug, Clone, PartialEq)]
enum Node {
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(Box<str>),
    Field(Box<str>),
    Call(usize),
    Not(Box<Node>),
    Both(Box<Node>, Box<Node>),
    Either(Box<Node>, Box<Node>),
    Compare(Comparison, Box<Node>, Box<Node>),
    InTexts(Box<Node>, Vec<Box<str>>),
    InList(Box<Node>, Box<str>),
    Contains(Box<Node>, Box<str>),
    StartsWith(Box<Node>, Box<str>),
    EndsWith(Box<Node>, Box<str>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Comparison {
    Equal,
    Unequal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Comparison {
    /// The comparison that holds between two numbers where this one does not.
    fn opposite(self) -> Self {
        match self {
            Comparison::Equal => Comparison::Unequal,
            Comparison::Unequal => Comparison::Equal,
            Comparison::Less => Comparison::GreaterOrEqual,
            Comparison::LessOrEqual => Comparison::Greater,
            Comparison::Greater => Comparison::LessOrEqual,
            Comparison::GreaterOrEqual => Comparison::Less,
        }
    }
}

/// What cannot be evaluated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Unknown;

impl Native {
    /// The condition as a tree of its own; nothing if it holds what only the interpreter knows.
    pub(super) fn of(expr: &IdedExpr) -> Option<Self> {
        let mut calls = 0;
        node(expr, &mut calls).map(Self)
    }

    /// Whether the condition holds; what cannot be evaluated does not hold.
    pub fn holds(&self, world: &impl World) -> bool {
        matches!(value(&self.0, world), Ok(Val::Bool(true)))
    }

    /// Whether the condition can hold at all when the calls that `is_never` names say no (or nought), whatever else is so.
    pub fn can_hold_without(&self, is_never: &dyn Fn(usize) -> bool) -> bool {
        can_be(&self.0, true, is_never)
    }

    /// Whether the condition can hold at all where these fields have these values, whatever else is so.
    pub fn could_hold(&self, known: &dyn Fn(&str) -> Option<Val<'static>>) -> bool {
        could_be(&self.0, true, known)
    }

    /// Whether the other condition certainly holds wherever this one does: by the numbers that a field is compared with,
    /// or because it is the same. False says nothing.
    pub fn implies(&self, other: &Native) -> bool {
        implies(&self.0, &other.0)
    }

    /// What the condition says whatever is known and whatever the calls answer; nothing if that may be either.
    pub fn constant(&self) -> Option<bool> {
        let can = can_say(&self.0);
        match (can.yes, can.no || can.unknown) {
            (true, false) => Some(true),
            (false, _) => Some(false),
            (true, true) => None,
        }
    }

    /// Whether a condition that does not hold may come to hold by waiting alone, when what is asked of the past only
    /// fades away: events leave their windows, counts and points fall.
    pub fn may_come_to_hold(&self) -> bool {
        may_rise(&self.0, true)
    }
}

/// The calls of an expression in the order in which they are written; [`World::call`] is asked for their indices.
pub(super) fn calls(expr: &IdedExpr) -> Vec<CallSite> {
    let mut found = Vec::new();
    gather(expr, &mut found);
    found
}

/// The numbers that are written in an expression.
pub(super) fn numbers(expr: &IdedExpr, found: &mut Vec<f64>) {
    match &expr.expr {
        Cel::Literal(LiteralValue::Int(n)) => found.push(float(*n.inner())),
        Cel::Literal(LiteralValue::Double(n)) => found.push(*n.inner()),
        Cel::Call(call) => {
            call.target.iter().for_each(|target| numbers(target, found));
            call.args.iter().for_each(|argument| numbers(argument, found));
        }
        Cel::List(list) => list.elements.iter().for_each(|element| numbers(element, found)),
        _ => {}
    }
}

fn gather(expr: &IdedExpr, found: &mut Vec<CallSite>) {
    match &expr.expr {
        Cel::Call(call) => {
            if call.target.is_none() && is_declared(&call.func_name) {
                let literal = |argument: &IdedExpr| match &argument.expr {
                    Cel::Literal(LiteralValue::String(text)) => Some(text.inner().to_owned()),
                    _ => None,
                };
                found.push(CallSite {
                    name: call.func_name.clone(),
                    arguments: call.args.iter().map(literal).collect(),
                    ids: call.args.iter().map(|argument| argument.id).collect(),
                });
            }
            call.target.iter().for_each(|target| gather(target, found));
            call.args.iter().for_each(|argument| gather(argument, found));
        }
        Cel::List(list) => list.elements.iter().for_each(|element| gather(element, found)),
        Cel::Select(select) => gather(&select.operand, found),
        Cel::Comprehension(c) => {
            for part in [&c.iter_range, &c.accu_init, &c.loop_cond, &c.loop_step, &c.result] {
                gather(part, found);
            }
        }
        _ => {}
    }
}

/// Operators have names that nobody can write; `size` is CEL's own.
fn is_declared(name: &str) -> bool {
    name != "size" && name.starts_with(|c: char| c.is_ascii_alphabetic())
}

fn node(expr: &IdedExpr, calls: &mut usize) -> Option<Node> {
    let mut one = |expr: &IdedExpr| node(expr, calls).map(Box::new);
    Some(match &expr.expr {
        Cel::Literal(literal) => match literal {
            LiteralValue::Boolean(yes) => Node::Bool(*yes.inner()),
            LiteralValue::Int(n) => Node::Int(*n.inner()),
            LiteralValue::Double(n) => Node::Float(*n.inner()),
            LiteralValue::String(text) => Node::Text(text.inner().into()),
            LiteralValue::UInt(_) | LiteralValue::Bytes(_) | LiteralValue::Null => return None,
        },
        Cel::Select(select) if select.test => return None,
        Cel::Ident(_) | Cel::Select(_) => Node::Field(path(expr)?.into()),
        Cel::Call(call) => match (call.func_name.as_str(), call.target.as_deref(), call.args.as_slice()) {
            (op::LOGICAL_NOT, None, [inner]) => Node::Not(one(inner)?),
            (op::LOGICAL_AND, None, [left, right]) => Node::Both(one(left)?, one(right)?),
            (op::LOGICAL_OR, None, [left, right]) => Node::Either(one(left)?, one(right)?),
            (op::IN, None, [inner, many]) => {
                // Only texts: how numbers of different kinds compare inside lists is the interpreter's business.
                let inner = one(inner)?;
                match &many.expr {
                    Cel::List(list) => Node::InTexts(
                        inner,
                        list.elements
                            .iter()
                            .map(|element| text(element).map(Into::into))
                            .collect::<Option<_>>()?,
                    ),
                    _ => Node::InList(inner, path(many)?.into()),
                }
            }
            ("contains", Some(target), [argument]) => Node::Contains(one(target)?, text(argument)?.into()),
            ("startsWith", Some(target), [argument]) => {
                Node::StartsWith(one(target)?, text(argument)?.into())
            }
            ("endsWith", Some(target), [argument]) => Node::EndsWith(one(target)?, text(argument)?.into()),
            (name, None, [left, right]) if comparison(name).is_some() => {
                Node::Compare(comparison(name)?, one(left)?, one(right)?)
            }
            (name, None, arguments) if is_declared(name) => {
                arguments.iter().map(text).collect::<Option<Vec<_>>>()?;
                *calls += 1;
                Node::Call(*calls - 1)
            }
            _ => return None,
        },
        _ => return None,
    })
}

fn comparison(name: &str) -> Option<Comparison> {
    Some(match name {
        op::EQUALS => Comparison::Equal,
        op::NOT_EQUALS => Comparison::Unequal,
        op::LESS => Comparison::Less,
        op::LESS_EQUALS => Comparison::LessOrEqual,
        op::GREATER => Comparison::Greater,
        op::GREATER_EQUALS => Comparison::GreaterOrEqual,
        _ => return None,
    })
}

fn text(expr: &IdedExpr) -> Option<&str> {
    match &expr.expr {
        Cel::Literal(LiteralValue::String(text)) => Some(text.inner()),
        _ => None,
    }
}

fn value<'a>(node: &'a Node, world: &'a impl World) -> Result<Val<'a>, Unknown> {
    let yes = |node: &'a Node| match value(node, world)? {
        Val::Bool(yes) => Ok(yes),
        _ => Err(Unknown),
    };
    let words = |node: &'a Node| match value(node, world)? {
        Val::Text(text) => Ok(text),
        _ => Err(Unknown),
    };
    Ok(match node {
        Node::Bool(yes) => Val::Bool(*yes),
        Node::Int(n) => Val::Int(*n),
        Node::Float(n) => Val::Float(*n),
        Node::Text(text) => Val::Text(text),
        Node::Field(path) => match world.field(path) {
            Val::Absent => return Err(Unknown),
            there => there,
        },
        Node::Call(index) => world.call(*index).ok_or(Unknown)?,
        Node::Not(inner) => Val::Bool(!yes(inner)?),
        // As CEL has it: one side that is enough makes up for another that cannot be evaluated.
        Node::Both(left, right) => Val::Bool(match yes(left) {
            Ok(false) => false,
            left => match (left, yes(right)?) {
                (Ok(_), right) => right,
                (Err(_), false) => false,
                (Err(unknown), true) => return Err(unknown),
            },
        }),
        Node::Either(left, right) => Val::Bool(match yes(left) {
            Ok(true) => true,
            left => match (left, yes(right)?) {
                (Ok(_), right) => right,
                (Err(_), true) => true,
                (Err(unknown), false) => return Err(unknown),
            },
        }),
        Node::Compare(how, left, right) => {
            Val::Bool(compare(*how, value(left, world)?, value(right, world)?)?)
        }
        Node::InTexts(inner, texts) => match value(inner, world)? {
            Val::Text(text) => Val::Bool(texts.iter().any(|known| **known == *text)),
            _ => Val::Bool(false),
        },
        Node::InList(inner, list) => match value(inner, world)? {
            Val::Text(text) => Val::Bool(world.list(list).iter().any(|known| known == text)),
            _ => Val::Bool(false),
        },
        Node::Contains(inner, part) => Val::Bool(words(inner)?.contains(&**part)),
        Node::StartsWith(inner, part) => Val::Bool(words(inner)?.starts_with(&**part)),
        Node::EndsWith(inner, part) => Val::Bool(words(inner)?.ends_with(&**part)),
    })
}

fn compare(how: Comparison, left: Val<'_>, right: Val<'_>) -> Result<bool, Unknown> {
    use std::cmp::Ordering;
    let order = match (left, right) {
        (Val::Int(a), Val::Int(b)) => Some(a.cmp(&b)),
        (Val::Float(a), Val::Float(b)) => a.partial_cmp(&b),
        (Val::Int(a), Val::Float(b)) => float(a).partial_cmp(&b),
        (Val::Float(a), Val::Int(b)) => a.partial_cmp(&float(b)),
        (Val::Text(a), Val::Text(b)) => Some(a.cmp(b)),
        (Val::Bool(a), Val::Bool(b)) => Some(a.cmp(&b)),
        _ => None,
    };
    match (how, order) {
        (Comparison::Equal, order) => Ok(order == Some(Ordering::Equal)),
        (Comparison::Unequal, order) => Ok(order != Some(Ordering::Equal)),
        (_, None) => Err(Unknown),
        (Comparison::Less, Some(order)) => Ok(order.is_lt()),
        (Comparison::LessOrEqual, Some(order)) => Ok(order.is_le()),
        (Comparison::Greater, Some(order)) => Ok(order.is_gt()),
        (Comparison::GreaterOrEqual, Some(order)) => Ok(order.is_ge()),
    }
}

/// Exact up to 2⁵³, as far as any score or count goes.
#[allow(clippy::cast_precision_loss, reason = "exact up to 2^53")]
fn float(n: i64) -> f64 {
    n as f64
}

/// Whether `then` holds wherever `node` does. What holds could be evaluated, so no field is missing.
fn implies(node: &Node, then: &Node) -> bool {
    match (node, then) {
        (_, Node::Bool(true)) => true,
        (_, Node::Both(left, right)) => implies(node, left) && implies(node, right),
        (Node::Either(left, right), _) => implies(left, then) && implies(right, then),
        (_, Node::Either(left, right)) if implies(node, left) || implies(node, right) => true,
        (Node::Both(left, right), _) => implies(left, then) || implies(right, then),
        // Calls are numbered in each condition anew: the same number is not the same call.
        _ if asks(node) || asks(then) => false,
        _ => {
            node == then || ranges(node).zip(ranges(then)).is_some_and(|(one, other)| lies_within(one, other))
        }
    }
}

/// Whether a call stands in it.
fn asks(node: &Node) -> bool {
    match node {
        Node::Call(_) => true,
        Node::Not(inner)
        | Node::InTexts(inner, _)
        | Node::InList(inner, _)
        | Node::Contains(inner, _)
        | Node::StartsWith(inner, _)
        | Node::EndsWith(inner, _) => asks(inner),
        Node::Both(left, right) | Node::Either(left, right) | Node::Compare(_, left, right) => {
            asks(left) || asks(right)
        }
        Node::Bool(_) | Node::Int(_) | Node::Float(_) | Node::Text(_) | Node::Field(_) => false,
    }
}

/// A field and the number that it is compared with, the field on the left.
fn ranges(node: &Node) -> Option<(&str, Comparison, f64)> {
    /// Whole numbers up to here are exact as decimals.
    const EXACT: i64 = 1 << 53;
    let number = |node: &Node| match node {
        Node::Int(n) if (-EXACT..=EXACT).contains(n) => Some(float(*n)),
        Node::Float(n) => Some(*n),
        _ => None,
    };
    let Node::Compare(how, left, right) = node else { return None };
    match (&**left, &**right) {
        (Node::Field(path), other) => Some((path, *how, number(other)?)),
        (other, Node::Field(path)) => {
            let turned = match how {
                Comparison::Less => Comparison::Greater,
                Comparison::LessOrEqual => Comparison::GreaterOrEqual,
                Comparison::Greater => Comparison::Less,
                Comparison::GreaterOrEqual => Comparison::LessOrEqual,
                same @ (Comparison::Equal | Comparison::Unequal) => *same,
            };
            Some((path, turned, number(other)?))
        }
        _ => None,
    }
}

/// Whether every number of the first range lies in the second one, for the same field. `!=` holds for what is no number,
/// too, and lies in nothing but itself.
fn lies_within(one: (&str, Comparison, f64), other: (&str, Comparison, f64)) -> bool {
    use Comparison::{Equal, Greater, GreaterOrEqual, Less, LessOrEqual, Unequal};
    let ((field, how, n), (same, then, bound)) = (one, other);
    if field != same {
        return false;
    }
    match (how, then) {
        (Equal, Equal) | (Unequal, Unequal) => n == bound,
        (Equal, Unequal) => n != bound,
        (Equal | Greater, Greater) => {
            if how == Equal {
                n > bound
            } else {
                n >= bound
            }
        }
        (Equal | Greater | GreaterOrEqual, GreaterOrEqual) | (Greater, Unequal) => n >= bound,
        (GreaterOrEqual, Greater | Unequal) => n > bound,
        (Equal, Less) => n < bound,
        (Less, Less | Unequal) | (Equal | Less | LessOrEqual, LessOrEqual) => n <= bound,
        (LessOrEqual, Less | Unequal) => n < bound,
        (Unequal, _) | (_, Equal) => false,
        (Greater | GreaterOrEqual, Less | LessOrEqual) | (Less | LessOrEqual, Greater | GreaterOrEqual) => {
            false
        }
    }
}

/// What a part can come to. True says only that nothing is known against it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Can {
    yes: bool,
    no: bool,
    /// It cannot be evaluated.
    unknown: bool,
}

/// What a part can come to, whatever has which value or none.
fn can_say(node: &Node) -> Can {
    const ANYTHING: Can = Can { yes: true, no: true, unknown: true };
    let only = |said: Result<bool, Unknown>| Can {
        yes: said == Ok(true),
        no: said == Ok(false),
        unknown: said == Err(Unknown),
    };
    match node {
        Node::Bool(yes) => only(Ok(*yes)),
        Node::Not(inner) => {
            let Can { yes, no, unknown } = can_say(inner);
            Can { yes: no, no: yes, unknown }
        }
        Node::Both(left, right) => {
            let (one, other) = (can_say(left), can_say(right));
            Can {
                yes: one.yes && other.yes && !contradicts_itself(node),
                no: one.no || other.no,
                unknown: one.unknown && (other.yes || other.unknown) || other.unknown && one.yes,
            }
        }
        Node::Either(left, right) => {
            let (one, other) = (can_say(left), can_say(right));
            Can {
                yes: one.yes || other.yes,
                no: one.no && other.no,
                unknown: one.unknown && (other.no || other.unknown) || other.unknown && one.no,
            }
        }
        Node::Compare(how, left, right) => match (literal(left), literal(right)) {
            (Some(left), Some(right)) => only(compare(*how, left, right)),
            _ => ANYTHING,
        },
        Node::InTexts(inner, texts) => match literal(inner) {
            Some(Val::Text(text)) => only(Ok(texts.iter().any(|known| **known == *text))),
            Some(_) => only(Ok(false)),
            None => Can { yes: !texts.is_empty(), ..ANYTHING },
        },
        Node::Contains(inner, part) => of_text(inner, |text| text.contains(&**part)).map_or(ANYTHING, only),
        Node::StartsWith(inner, part) => {
            of_text(inner, |text| text.starts_with(&**part)).map_or(ANYTHING, only)
        }
        Node::EndsWith(inner, part) => of_text(inner, |text| text.ends_with(&**part)).map_or(ANYTHING, only),
        // What is no yes or no where one belongs cannot be evaluated; that does not get past the check of types.
        Node::Int(_) | Node::Float(_) | Node::Text(_) | Node::Field(_) | Node::Call(_) | Node::InList(..) => {
            ANYTHING
        }
    }
}

/// The value that a part has wherever it is asked for; none if that depends on something.
fn literal(node: &Node) -> Option<Val<'_>> {
    match node {
        Node::Int(n) => Some(Val::Int(*n)),
        Node::Float(n) => Some(Val::Float(*n)),
        Node::Text(text) => Some(Val::Text(text)),
        Node::Field(_) | Node::Call(_) => None,
        _ => match can_say(node) {
            Can { yes, no, unknown: false } if yes != no => Some(Val::Bool(yes)),
            _ => None,
        },
    }
}

/// What is said of a text that is written down; none if it is not.
fn of_text(node: &Node, is_so: impl Fn(&str) -> bool) -> Option<Result<bool, Unknown>> {
    match literal(node)? {
        Val::Text(text) => Some(Ok(is_so(text))),
        _ => Some(Err(Unknown)),
    }
}

/// Whether two of the parts that `&&` joins exclude each other.
fn contradicts_itself(node: &Node) -> bool {
    fn gather<'n>(node: &'n Node, parts: &mut Vec<&'n Node>) {
        match node {
            Node::Both(left, right) => {
                gather(left, parts);
                gather(right, parts);
            }
            part => parts.push(part),
        }
    }
    let mut parts = Vec::new();
    gather(node, &mut parts);
    parts.iter().enumerate().any(|(at, one)| parts.iter().skip(at + 1).any(|other| excludes(one, other)))
}

/// Whether two parts cannot both hold: one is the other with a `!`, or a field would have to be two things at once.
fn excludes(one: &Node, other: &Node) -> bool {
    if asks(one) || asks(other) {
        return false;
    }
    let denies = |one: &Node, other: &Node| matches!(one, Node::Not(inner) if **inner == *other);
    if denies(one, other) || denies(other, one) {
        return true;
    }
    let apart = |one: &Node, other: &Node| match (texts(one), texts(other)) {
        (Some((field, true, these)), Some((same, true, those))) => {
            field == same && !these.iter().any(|text| those.contains(text))
        }
        (Some((field, true, these)), Some((same, false, those))) => {
            field == same && these.iter().all(|text| those.contains(text))
        }
        _ => false,
    };
    let beyond = |one: &Node, other: &Node| {
        ranges(one)
            .zip(ranges(other))
            .is_some_and(|(one, (field, how, n))| lies_within(one, (field, how.opposite(), n)))
    };
    apart(one, other) || apart(other, one) || beyond(one, other) || beyond(other, one)
}

/// A field and the texts of which it must be one (true), or must not be one (false).
fn texts(node: &Node) -> Option<(&str, bool, Vec<&str>)> {
    match node {
        Node::Compare(how @ (Comparison::Equal | Comparison::Unequal), left, right) => {
            match (&**left, &**right) {
                (Node::Field(path), Node::Text(text)) | (Node::Text(text), Node::Field(path)) => {
                    Some((path, *how == Comparison::Equal, vec![&**text]))
                }
                _ => None,
            }
        }
        Node::InTexts(inner, texts) => match &**inner {
            Node::Field(path) => Some((path, true, texts.iter().map(|text| &**text).collect())),
            _ => None,
        },
        _ => None,
    }
}

/// Whether a part can come out as `wanted` when some calls say no or nought, and anything else may be anything.
fn can_be(node: &Node, wanted: bool, is_never: &dyn Fn(usize) -> bool) -> bool {
    match node {
        Node::Bool(yes) => *yes == wanted,
        Node::Call(index) => !(wanted && is_never(*index)),
        Node::Not(inner) => can_be(inner, !wanted, is_never),
        Node::Both(left, right) if wanted => can_be(left, true, is_never) && can_be(right, true, is_never),
        Node::Both(left, right) => can_be(left, false, is_never) || can_be(right, false, is_never),
        Node::Either(left, right) if wanted => can_be(left, true, is_never) || can_be(right, true, is_never),
        Node::Either(left, right) => can_be(left, false, is_never) && can_be(right, false, is_never),
        Node::Compare(how, left, right) => {
            let nought = |node: &Node| matches!(node, Node::Call(index) if is_never(*index));
            let least = |node: &Node| match node {
                Node::Int(n) => Some(float(*n)),
                Node::Float(n) => Some(*n),
                _ => None,
            };
            let sides = match (nought(left), nought(right)) {
                (true, false) => least(right).map(|n| (Val::Float(0.0), Val::Float(n))),
                (false, true) => least(left).map(|n| (Val::Float(n), Val::Float(0.0))),
                _ => None,
            };
            sides.is_none_or(|(left, right)| compare(*how, left, right) == Ok(wanted))
        }
        _ => true,
    }
}

/// Whether a part can come out as `wanted` where the known fields are what they are, and anything else may be anything.
fn could_be(node: &Node, wanted: bool, known: &dyn Fn(&str) -> Option<Val<'static>>) -> bool {
    match node {
        Node::Bool(yes) => *yes == wanted,
        Node::Not(inner) => could_be(inner, !wanted, known),
        Node::Both(left, right) if wanted => could_be(left, true, known) && could_be(right, true, known),
        Node::Both(left, right) => could_be(left, false, known) || could_be(right, false, known),
        Node::Either(left, right) if wanted => could_be(left, true, known) || could_be(right, true, known),
        Node::Either(left, right) => could_be(left, false, known) && could_be(right, false, known),
        Node::Compare(how, left, right) => {
            let sides = side(left, known).zip(side(right, known));
            sides.is_none_or(|(left, right)| compare(*how, left, right) == Ok(wanted))
        }
        _ => true,
    }
}

/// What a side of a comparison is, as far as it is known.
fn side<'n>(node: &'n Node, known: &dyn Fn(&str) -> Option<Val<'static>>) -> Option<Val<'n>> {
    match node {
        Node::Int(n) => Some(Val::Int(*n)),
        Node::Float(n) => Some(Val::Float(*n)),
        Node::Text(text) => Some(Val::Text(text)),
        Node::Field(path) => known(path),
        _ => None,
    }
}

/// Whether a part may go from the other value to `wanted` as time passes and nothing happens.
fn may_rise(node: &Node, wanted: bool) -> bool {
    match node {
        Node::Call(_) => !wanted,
        Node::Not(inner) => may_rise(inner, !wanted),
        Node::Both(left, right) | Node::Either(left, right) => {
            may_rise(left, wanted) || may_rise(right, wanted)
        }
        Node::Compare(how, left, right) => {
            let fades = |node: &Node| match node {
                Node::Call(_) => true,
                Node::Field(path) => path.ends_with("_points"),
                _ => false,
            };
            // Levels count from the best, 1, to 4: they rise as points fall.
            let rises = |node: &Node| matches!(node, Node::Field(path) if &**path == "engagement");
            let falls_short = |smaller: &Node, larger: &Node| fades(smaller) || rises(larger);
            let may = match how {
                Comparison::Equal | Comparison::Unequal => {
                    return [left, right].iter().any(|side| fades(side) || rises(side));
                }
                Comparison::Less | Comparison::LessOrEqual => {
                    (falls_short(left, right), falls_short(right, left))
                }
                Comparison::Greater | Comparison::GreaterOrEqual => {
                    (falls_short(right, left), falls_short(left, right))
                }
            };
            if wanted { may.0 } else { may.1 }
        }
        Node::InTexts(inner, _) | Node::InList(inner, _) => matches!(&**inner, Node::Call(_)),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;
    use serde_json::{Value as Json, json};

    use super::*;
    use crate::base::diagnostic::{Mark, Report};
    use crate::base::expr::{Context, Expr, Symbols, Type};

    fn expr(text: &str) -> Expr {
        let symbols = Symbols::new()
            .field("name", Type::String)
            .field("n", Type::Int)
            .field("engagement_points", Type::Float)
            .field("engagement", Type::Int)
            .field("yes", Type::Bool)
            .field("props", Type::Map(Box::new(Type::Any)))
            .field("_list", Type::list(Type::String))
            .function_with_optional("event", vec![Type::String, Type::String], 1, Type::Bool)
            .function_with_optional("count", vec![Type::String, Type::String], 1, Type::Int);
        let report = Report::new();
        let expr = Expr::condition(text, &Mark::file("f.yaml"), &symbols, &report);
        expr.unwrap_or_else(|| panic!("{}", report.text()))
    }

    struct Values {
        fields: BTreeMap<String, Json>,
        list: Vec<String>,
        calls: Vec<Json>,
    }

    fn val(value: Option<&Json>) -> Val<'_> {
        match value {
            None => Val::Absent,
            Some(Json::Bool(yes)) => Val::Bool(*yes),
            Some(Json::String(text)) => Val::Text(text),
            Some(Json::Number(n)) => n.as_i64().map_or(Val::Float(n.as_f64().unwrap_or(0.0)), Val::Int),
            Some(Json::Null | Json::Array(_) | Json::Object(_)) => Val::Other,
        }
    }

    impl World for Values {
        fn field(&self, path: &str) -> Val<'_> {
            match path.strip_prefix("props.") {
                Some(name) => val(self.fields.get("props").and_then(|props| props.get(name))),
                None => val(self.fields.get(path)),
            }
        }

        fn list(&self, _: &str) -> &[String] {
            &self.list
        }

        fn call(&self, index: usize) -> Option<Val<'_>> {
            self.calls.get(index).map(|answer| val(Some(answer)))
        }
    }

    /// What is the same whatever is known, and what does not go together.
    const FIXED: [&str; 12] = [
        "true",
        "false",
        "1 == 2",
        "1.5 < 2",
        "\"a\" == \"b\"",
        "\"a\" in [\"a\", \"b\"]",
        "\"ab\".contains(\"b\")",
        "name in []",
        "name == \"b\"",
        "n < 3",
        "n > 4",
        "name == \"a\" && name == \"b\"",
    ];

    const PARTS: [&str; 16] = [
        "yes",
        "name == \"a\"",
        "name != \"b\"",
        "name in [\"a\", \"c\"]",
        "name in _list",
        "name.contains(\"a\")",
        "name.startsWith(\"ab\")",
        "name.endsWith(\"c\")",
        "n >= 3",
        "n < 4 ",
        "engagement_points > 2.5",
        "n == 3",
        "props.percent >= 50",
        "props.kind == \"x\"",
        "props.kind in [\"x\"]",
        "2 <= n",
    ];

    fn any_json() -> impl Strategy<Value = Json> {
        prop_oneof![
            Just(Json::Null),
            any::<bool>().prop_map(Json::from),
            (0_i64..100).prop_map(Json::from),
            (0.0..100.0).prop_map(|n: f64| Json::from(n)),
            "[abx]{0,2}".prop_map(Json::from),
            Just(json!(["x"])),
        ]
    }

    proptest! {
        /// Whatever one condition is said to imply holds wherever it does.
        #[test]
        fn what_is_implied_holds_wherever_that_does_which_implies_it(
            parts in prop::collection::vec((0_usize..2, 0_usize..6, 0_i64..4, any::<bool>()), 2..5),
            join in any::<bool>(),
            n in prop::option::of(-1_i64..6),
            points in prop::option::of(-1.0..6.0_f64),
        ) {
            let written: Vec<String> = parts
                .iter()
                .map(|(field, how, number, turned)| {
                    let (field, number) = match field {
                        0 => ("n", number.to_string()),
                        _ => ("engagement_points", format!("{number}.0")),
                    };
                    let how = ["==", "!=", "<", "<=", ">", ">="][*how];
                    if *turned { format!("{number} {how} {field}") } else { format!("{field} {how} {number}") }
                })
                .collect();
            let (first, others) = written.split_first().expect("two at least");
            let (one, other) = (expr(first), expr(&others.join(if join { " && " } else { " || " })));
            let (one, other) = (one.native().expect("simple"), other.native().expect("simple"));
            let mut fields = BTreeMap::new();
            fields.extend(n.map(|n| ("n".to_owned(), Json::from(n))));
            fields.extend(points.map(|points| ("engagement_points".to_owned(), Json::from(points))));
            let values = Values { fields, list: Vec::new(), calls: Vec::new() };
            for (one, other) in [(one, other), (other, one)] {
                prop_assert!(!one.implies(other) || !one.holds(&values) || other.holds(&values), "{written:?}");
            }
        }

        /// A condition that is said to be constant says the same whatever is known.
        #[test]
        fn what_is_constant_says_the_same_whatever_is_known(
            parts in prop::collection::vec((0_usize..FIXED.len() + PARTS.len(), any::<bool>(), any::<bool>()), 1..5),
            name in prop::option::of("[abc]{0,2}"),
            n in prop::option::of(0_i64..6),
            yes in prop::option::of(any::<bool>()),
            kind in prop::option::of(any_json()),
        ) {
            let mut text = String::new();
            for (index, (part, join, negate)) in parts.iter().enumerate() {
                if index > 0 {
                    text = format!("({text}) {} ", if *join { "&&" } else { "||" });
                }
                let part = FIXED.get(*part).or_else(|| PARTS.get(part - FIXED.len())).expect("one of both");
                text.push_str(&if *negate { format!("!({part})") } else { (*part).to_owned() });
            }
            let expr = expr(&text);
            let mut context = Context::new();
            for (path, value) in [
                ("name", name.map(Json::from)),
                ("n", n.map(Json::from)),
                ("yes", yes.map(Json::from)),
                ("props", kind.map(|kind| json!({ "kind": kind }))),
                ("_list", Some(json!(["a", "bc"]))),
            ] {
                if let Some(value) = value {
                    context.set(path, value);
                }
            }
            if let Some(constant) = expr.constant() {
                prop_assert_eq!(constant, expr.holds(&context), "{}", text);
            }
        }

        /// The tree answers as the interpreter does, whatever is asked and whatever is known.
        #[test]
        fn it_answers_as_the_interpreter_does(
            parts in prop::collection::vec((0_usize..16, 0_usize..4, any::<bool>()), 1..6),
            name in prop::option::of("[abc]{0,3}"),
            n in 0_i64..6,
            points in 0.0..5.0_f64,
            yes in any::<bool>(),
            percent in prop::option::of(any_json()),
            kind in prop::option::of(any_json()),
        ) {
            let mut text = String::new();
            for (index, (part, join, negate)) in parts.iter().enumerate() {
                if index > 0 {
                    text = format!("({text}) {} ", ["&&", "||", "&&", "||"][*join]);
                }
                let part = PARTS[*part];
                text.push_str(&if *negate { format!("!({part})") } else { part.to_owned() });
            }
            let expr = expr(&text);
            let native = expr.native().expect("the subset covers all of these");
            let mut context = Context::new();
            let mut fields = BTreeMap::new();
            let mut props = serde_json::Map::new();
            for (key, value) in [("percent", percent), ("kind", kind)] {
                if let Some(value) = value {
                    props.insert(key.to_owned(), value);
                }
            }
            for (path, value) in [
                ("name", name.map(Json::from)),
                ("n", Some(n.into())),
                ("engagement_points", Some(points.into())),
                ("yes", Some(yes.into())),
                ("props", Some(Json::Object(props))),
            ] {
                if let Some(value) = value {
                    context.set(path, value.clone());
                    fields.insert(path.to_owned(), value);
                }
            }
            context.set("_list", json!(["a", "bc"]));
            let world = Values { fields, list: vec!["a".to_owned(), "bc".to_owned()], calls: Vec::new() };
            prop_assert_eq!(native.holds(&world), expr.holds(&context), "{}", text);
        }
    }

    #[test]
    fn what_only_the_interpreter_knows_is_left_to_it() {
        for text in
            ["has(props.x)", "n + 1 > 2", "yes ? n > 1 : n > 2", "_list.exists(x, x == \"a\")", "n in [1, 2]"]
        {
            assert!(expr(text).native().is_none(), "{text}");
        }
    }

    #[test]
    fn calls_are_told_with_their_texts() {
        let expr = expr("event(\"a\") && count(\"b\", \"7d\") > 2");
        let told: Vec<_> =
            expr.call_sites().iter().map(|site| (site.name.as_str(), site.arguments.clone())).collect();
        let text = |text: &str| Some(text.to_owned());
        assert_eq!(told, [("event", vec![text("a")]), ("count", vec![text("b"), text("7d")])]);
        let native = expr.native().expect("in the subset");
        let world = |calls: Vec<Json>| Values { fields: BTreeMap::new(), list: Vec::new(), calls };
        assert!(native.holds(&world(vec![true.into(), 3.into()])));
        assert!(!native.holds(&world(vec![true.into(), 2.into()])));
    }

    #[test]
    fn a_condition_that_needs_a_call_cannot_hold_without_it() {
        let can =
            |text: &str| expr(text).native().expect("in the subset").can_hold_without(&|index| index == 0);
        assert!(!can("event(\"booked\")"));
        assert!(!can("event(\"booked\") && yes"));
        assert!(!can("count(\"booked\") >= 1"));
        assert!(!can("!!event(\"booked\")"));
        assert!(can("event(\"booked\") || yes"));
        assert!(can("!event(\"booked\")"));
        assert!(can("count(\"booked\") < 1"));
        assert!(can("yes && event(\"x\") || event(\"y\")"));
    }

    #[test]
    fn what_can_never_hold_and_what_always_does_is_known() {
        let never = [
            "false",
            "!true",
            "1 == 2",
            "2 < 1 || \"a\" == \"b\"",
            "1 + 1 == 3",
            "true ? false : true",
            "name in []",
            "name == \"a\" && name == \"b\"",
            "name == \"a\" && yes && name in [\"b\", \"c\"]",
            "name == \"a\" && name != \"a\"",
            "n > 10 && n < 5",
            "n == 3 && n >= 4",
            "yes && !yes",
            "event(\"a\") && 1 > 2",
            "\"abc\".startsWith(\"b\") && yes",
        ];
        for text in never {
            assert_eq!(expr(text).constant(), Some(false), "{text}");
        }
        for text in
            ["true", "!false", "1 == 1", "yes || 2 > 1", "\"a\" in [\"a\"]", "size(\"ab\") == 2", "!(1 == 2)"]
        {
            assert_eq!(expr(text).constant(), Some(true), "{text}");
        }
        let either = [
            "yes",
            "yes || !yes",
            "name == \"a\" || name != \"a\"",
            "n > 5 && n < 10",
            "n >= 3 && n <= 3",
            "name == \"a\" && props.kind == \"b\"",
            "event(\"a\") && !event(\"b\")",
            "has(props.kind) && name == \"a\"",
            "name != \"a\" && name != \"b\"",
        ];
        for text in either {
            assert_eq!(expr(text).constant(), None, "{text}");
        }
    }

    #[test]
    fn only_some_conditions_come_to_hold_by_waiting() {
        let may = |text: &str| expr(text).native().expect("in the subset").may_come_to_hold();
        assert!(!may("event(\"a\", \"7d\") && n > 2"));
        assert!(!may("count(\"a\", \"7d\") >= 3 || engagement <= 2"));
        assert!(may("!event(\"a\", \"7d\")"));
        assert!(may("count(\"a\", \"7d\") < 3"));
        assert!(may("engagement_points < 10.0"));
        assert!(may("engagement >= 3"));
    }
}
