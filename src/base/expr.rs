//! Conditions: CEL expressions, checked against a table of symbols when they are loaded.
//!
//! `contact.known && webinar.state == "no_show"` can only be written about fields and functions that were
//! declared, with values of the right type; a misspelt field or enum value is reported with its place and the
//! nearest right one. Evaluation is total: what cannot be evaluated (a field without a value, a division by
//! zero) makes a condition false and leaves a trace that says why.
//!
//! A declared field without a value counts as `false` (bool), `[]` (list) or `{}` (map); other types are
//! absent: `has(contact.phone)` is false and every comparison with them makes the condition false.

mod portable;
mod shape;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, LazyLock};

use cel::common::ast::{CallExpr, ComprehensionExpr, Expr as Cel, IdedExpr, LiteralValue, SelectExpr};
use cel::extractors::Arguments;
use cel::{ExecutionError, Program};
use serde_json::Value as Json;

use super::diagnostic::{Mark, Report};
use super::native::{self, CallSite, Native};

pub use shape::Shape;

/// The type of a field or of a part of an expression.
#[derive(Clone, Debug, PartialEq)]
pub enum Type {
    Bool,
    Int,
    Float,
    String,
    /// A text out of a closed set.
    Enum(Arc<[String]>),
    List(Box<Type>),
    Map(Box<Type>),
    /// Not known before evaluation; agrees with everything.
    Any,
}

impl Type {
    pub fn one_of<S: Into<String>>(words: impl IntoIterator<Item = S>) -> Self {
        Type::Enum(words.into_iter().map(Into::into).collect())
    }

    pub fn list(of: Type) -> Self {
        Type::List(Box::new(of))
    }

    /// Whether a value of this type can be compared with, or passed as, one of the other.
    pub fn agrees(&self, other: &Type) -> bool {
        match (self, other) {
            (Type::Any, _) | (_, Type::Any) => true,
            (a, b) if a.is_number() && b.is_number() => true,
            (a, b) if a.is_text() && b.is_text() => true,
            (Type::List(a), Type::List(b)) | (Type::Map(a), Type::Map(b)) => a.agrees(b),
            (a, b) => a == b,
        }
    }

    fn is_number(&self) -> bool {
        matches!(self, Type::Int | Type::Float)
    }

    fn is_text(&self) -> bool {
        matches!(self, Type::String | Type::Enum(_))
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Type::Bool => f.write_str("bool"),
            Type::Int => f.write_str("int"),
            Type::Float => f.write_str("float"),
            Type::String => f.write_str("text"),
            Type::Enum(words) => write!(f, "one of {}", words.join(", ")),
            Type::List(of) => write!(f, "list of {of}"),
            Type::Map(of) => write!(f, "map of {of}"),
            Type::Any => f.write_str("any value"),
        }
    }
}

/// What a function takes and gives. Trailing parameters may be left out.
#[derive(Clone, Debug)]
pub struct Signature {
    pub params: Vec<Type>,
    pub required: usize,
    pub result: Type,
}

/// Everything that an expression may speak of.
#[derive(Clone, Debug, Default)]
pub struct Symbols {
    fields: BTreeMap<String, Type>,
    functions: BTreeMap<String, Signature>,
}

impl Symbols {
    pub fn new() -> Self {
        Symbols::default()
    }

    /// Declares a field by its dotted path.
    #[must_use]
    pub fn field(mut self, path: &str, of: Type) -> Self {
        self.fields.insert(path.to_owned(), of);
        self
    }

    /// Declares a function whose parameters are all required.
    #[must_use]
    pub fn function(self, name: &str, params: Vec<Type>, result: Type) -> Self {
        let required = params.len();
        self.function_with_optional(name, params, required, result)
    }

    /// Declares a function of which only the first `required` parameters must be given.
    #[must_use]
    pub fn function_with_optional(
        mut self,
        name: &str,
        params: Vec<Type>,
        required: usize,
        result: Type,
    ) -> Self {
        self.functions.insert(name.to_owned(), Signature { params, required, result });
        self
    }

    /// The type of a field.
    pub fn get(&self, path: &str) -> Option<&Type> {
        self.fields.get(path)
    }

    /// All fields in the order of their names.
    pub fn fields(&self) -> impl Iterator<Item = (&str, &Type)> {
        self.fields.iter().map(|(path, of)| (path.as_str(), of))
    }

    fn has_below(&self, prefix: &str) -> bool {
        let dotted = format!("{prefix}.");
        self.fields.range(dotted.clone()..).next().is_some_and(|(path, _)| path.starts_with(&dotted))
    }
}

/// A function that an expression may call at evaluation.
pub type Function = Arc<dyn Fn(&[Json]) -> Result<Json, String> + Send + Sync>;

/// Values to evaluate against: dotted paths, and functions.
#[derive(Clone, Default)]
pub struct Context {
    values: BTreeMap<String, Json>,
    functions: BTreeMap<String, Function>,
}

impl Context {
    pub fn new() -> Self {
        Context::default()
    }

    /// Sets a field; `null` takes it away.
    pub fn set(&mut self, path: &str, value: impl Into<Json>) -> &mut Self {
        match value.into() {
            Json::Null => self.values.remove(path),
            value => self.values.insert(path.to_owned(), value),
        };
        self
    }

    pub fn function(
        &mut self,
        name: &str,
        function: impl Fn(&[Json]) -> Result<Json, String> + Send + Sync + 'static,
    ) -> &mut Self {
        self.functions.insert(name.to_owned(), Arc::new(function));
        self
    }

    pub fn get(&self, path: &str) -> Option<&Json> {
        self.values.get(path)
    }

    /// Keeps only the fields that `keep` says.
    pub fn retain(&mut self, keep: impl Fn(&str) -> bool) {
        self.values.retain(|path, _| keep(path));
    }
}

/// A field that an expression reads.
#[derive(Clone, Debug, PartialEq)]
pub struct Use {
    pub path: String,
    pub of: Type,
    pub at: Mark,
}

/// A checked expression.
#[derive(Clone)]
pub struct Expr {
    text: Arc<str>,
    program: Arc<Program>,
    of: Type,
    uses: Arc<[Use]>,
    calls: Arc<[String]>,
    sites: Arc<[CallSite]>,
    native: Option<Arc<Native>>,
}

impl fmt::Debug for Expr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Expr").field(&self.text).finish()
    }
}

impl PartialEq for Expr {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

/// Whoever is shown calls: the call, and where an argument's character stands in the file.
pub type Looks<'l> = dyn FnMut(&CallSite, &dyn Fn(usize) -> Mark) + 'l;

static ENV: LazyLock<Arc<cel::Env>> = LazyLock::new(|| Arc::new(cel::Env::stdlib()));

impl Expr {
    /// Parses and checks an expression. `at` is where its first character stands in the file.
    ///
    /// Reports E101 syntax, E102 unknown field, E103 unknown function, E104 types that do not fit, E105 a
    /// text that is not in the closed set it is compared with.
    pub fn parse(text: &str, at: &Mark, symbols: &Symbols, report: &Report) -> Option<Expr> {
        Self::parse_with(text, at, symbols, report, &mut |_, _| {})
    }

    /// As [`Expr::parse`], and shows every call of a declared function as it is written, whatever else is wrong: so that
    /// what a call says of itself is told in the same run.
    fn parse_with(
        text: &str,
        at: &Mark,
        symbols: &Symbols,
        report: &Report,
        look: &mut Looks<'_>,
    ) -> Option<Expr> {
        let program = match ENV.compile(text) {
            Ok(program) => program,
            Err(errors) => {
                let first = errors.errors.first();
                let (line, col) = first.map_or((1, 1), |e| e.pos);
                let place = place(at, line.saturating_sub(1), col);
                let message = first.map(|e| plain_message(&e.msg)).unwrap_or_default();
                let noted = report.error(&place, "E101", format!("this is no condition: {message}"));
                if text.contains(" and ") || text.contains(" or ") || text.starts_with("not ") {
                    noted.hint("write && for and, || for or, ! for not");
                } else if text.contains(" = ") {
                    noted.hint("write == to compare");
                } else {
                    noted.hint("a condition reads like `a > 0 && b == \"text\"`");
                }
                return None;
            }
        };
        let mut check = Check {
            at,
            symbols,
            report,
            program: &program,
            uses: Vec::new(),
            calls: Vec::new(),
            scope: Vec::new(),
            wrong: false,
        };
        let of = check.of(program.expression());
        let (uses, calls, wrong) = (check.uses, check.calls, check.wrong);
        let sites = native::calls(program.expression());
        for site in &sites {
            look(site, &|argument| argument_at(&program, at, site, argument));
        }
        if wrong {
            return None;
        }
        Some(Expr {
            text: text.into(),
            sites: sites.into(),
            native: Native::of(program.expression()).map(Arc::new),
            program: Arc::new(program),
            of,
            uses: uses.into(),
            calls: calls.into(),
        })
    }

    /// Like [`Expr::parse`], for a place where only yes or no makes sense.
    pub fn condition(text: &str, at: &Mark, symbols: &Symbols, report: &Report) -> Option<Expr> {
        Self::condition_with(text, at, symbols, report, &mut |_, _| {})
    }

    /// As [`Expr::condition`]; `look` is shown every call with a way to tell where its arguments stand, also where the
    /// condition is wrong elsewhere.
    pub fn condition_with(
        text: &str,
        at: &Mark,
        symbols: &Symbols,
        report: &Report,
        look: &mut Looks<'_>,
    ) -> Option<Expr> {
        let expr = Expr::parse_with(text, at, symbols, report, look)?;
        if !expr.of.agrees(&Type::Bool) {
            report
                .error(at, "E104", format!("a condition must say yes or no, this gives {}", expr.of))
                .hint("compare it with something: … == …, or use has(…)");
            return None;
        }
        Some(expr)
    }

    /// The expression as it was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The type of what it gives.
    pub fn of(&self) -> &Type {
        &self.of
    }

    /// The fields that it reads.
    pub fn uses(&self) -> &[Use] {
        &self.uses
    }

    /// The calls of declared functions, in the order in which they are written.
    pub fn call_sites(&self) -> &[CallSite] {
        &self.sites
    }

    /// The numbers that are written in it.
    pub fn numbers(&self) -> Vec<f64> {
        let mut found = Vec::new();
        native::numbers(self.program.expression(), &mut found);
        found
    }

    /// The same as a tree of its own, much faster to evaluate; none if it holds what only the interpreter knows.
    pub fn native(&self) -> Option<&Native> {
        self.native.as_deref()
    }

    /// What the condition says whatever is known: `1 == 2` never holds, nor does `kind == "a" && kind == "b"`. None if
    /// that depends on something, and where only the interpreter could tell.
    pub fn constant(&self) -> Option<bool> {
        if self.uses.is_empty() && self.sites.is_empty() {
            return Some(self.holds(&Context::new()));
        }
        self.native().and_then(Native::constant)
    }

    /// The fields that certainly have a value whenever this condition holds.
    ///
    /// What cannot be evaluated does not hold, so every field read by a part joined with `&&` is there, unless
    /// that part has a way around it (`||`, `?:`, `!`).
    pub fn guarantees(&self) -> Vec<&str> {
        let mut sure = Vec::new();
        conjuncts(self.program.expression(), &mut |part| {
            if !has_way_around(part) {
                let read: Vec<String> = paths(part);
                sure.extend(
                    self.uses.iter().map(|used| used.path.as_str()).filter(|p| read.iter().any(|r| r == p)),
                );
            }
        });
        sure
    }

    /// Evaluates; the error is a sentence for the trace.
    pub fn eval(&self, context: &Context) -> Result<Json, String> {
        let mut cel = cel::Context::with_env(ENV.clone());
        let mut tops: BTreeMap<&str, Tree> = BTreeMap::new();
        for used in self.uses.iter() {
            let value = match context.values.get(&used.path) {
                Some(value) => Some(to_cel(value, &used.of)),
                None => absent(&used.of),
            };
            let (top, rest) = used.path.split_once('.').unwrap_or((&used.path, ""));
            tops.entry(top).or_insert_with(Tree::empty).put(rest, value);
        }
        for (top, tree) in tops {
            if let Some(value) = tree.into_cel() {
                cel.add_variable_from_value(top, value);
            }
        }
        for name in self.calls.iter() {
            let Some(function) = context.functions.get(name).cloned() else {
                return Err(format!("there is no function {name}() here"));
            };
            let called = name.clone();
            cel.add_function(name, move |Arguments(arguments): Arguments| {
                let arguments: Vec<Json> = arguments.iter().map(from_cel).collect();
                function(&arguments)
                    .map(|value| to_cel(&value, &Type::Any))
                    .map_err(|message| ExecutionError::function_error(&called, message))
            })
            .map_err(|error| error.to_string())?;
        }
        self.program.execute(&cel).map(|value| from_cel(&value)).map_err(|error| error.to_string())
    }

    /// Whether the condition holds; what cannot be evaluated does not hold.
    pub fn holds(&self, context: &Context) -> bool {
        self.holds_because(context).0
    }

    /// Whether the condition holds, and why not where it could not be evaluated.
    pub fn holds_because(&self, context: &Context) -> (bool, Option<String>) {
        match self.eval(context) {
            Ok(Json::Bool(yes)) => (yes, None),
            Ok(other) => (false, Some(format!("gave {other} instead of yes or no"))),
            Err(message) => (false, Some(message)),
        }
    }
}

/// Nested values on their way into CEL.
enum Tree {
    Leaf(Option<cel::Value>),
    Branch(BTreeMap<String, Tree>),
}

impl Tree {
    fn empty() -> Self {
        Tree::Branch(BTreeMap::new())
    }

    fn put(&mut self, path: &str, value: Option<cel::Value>) {
        if path.is_empty() {
            *self = Tree::Leaf(value);
            return;
        }
        if let Tree::Branch(below) = self {
            let (top, rest) = path.split_once('.').unwrap_or((path, ""));
            below.entry(top.to_owned()).or_insert_with(Tree::empty).put(rest, value);
        }
    }

    fn into_cel(self) -> Option<cel::Value> {
        match self {
            Tree::Leaf(value) => value,
            Tree::Branch(below) => {
                let entries = below.into_iter().filter_map(|(k, v)| v.into_cel().map(|v| (k, v)));
                Some(entries.collect::<std::collections::HashMap<String, cel::Value>>().into())
            }
        }
    }
}

/// What a declared field without a value counts as.
fn absent(of: &Type) -> Option<cel::Value> {
    match of {
        Type::Bool => Some(false.into()),
        Type::List(_) => Some(Vec::<cel::Value>::new().into()),
        Type::Map(_) => Some(std::collections::HashMap::<String, cel::Value>::new().into()),
        Type::Int | Type::Float | Type::String | Type::Enum(_) | Type::Any => None,
    }
}

fn to_cel(value: &Json, of: &Type) -> cel::Value {
    let inner = match of {
        Type::List(inner) | Type::Map(inner) => inner,
        Type::Bool | Type::Int | Type::Float | Type::String | Type::Enum(_) | Type::Any => of,
    };
    match value {
        Json::Null => cel::Value::Null,
        Json::Bool(b) => (*b).into(),
        Json::Number(n) => match (n.as_i64(), of) {
            (Some(i), Type::Float) => float(i).into(),
            (Some(i), _) => i.into(),
            (None, _) => n.as_f64().unwrap_or(0.0).into(),
        },
        Json::String(s) => s.clone().into(),
        Json::Array(items) => items.iter().map(|item| to_cel(item, inner)).collect::<Vec<_>>().into(),
        Json::Object(map) => map
            .iter()
            .map(|(k, v)| (k.clone(), to_cel(v, inner)))
            .collect::<std::collections::HashMap<String, cel::Value>>()
            .into(),
    }
}

/// Exact up to 2⁵³, as far as any score or count goes.
fn float(n: i64) -> f64 {
    n.to_string().parse().unwrap_or(0.0)
}

fn from_cel(value: &cel::Value) -> Json {
    match value {
        cel::Value::Bool(b) => (*b).into(),
        cel::Value::Int(i) => (*i).into(),
        cel::Value::UInt(u) => (*u).into(),
        cel::Value::Float(f) => (*f).into(),
        cel::Value::String(s) => s.as_str().into(),
        cel::Value::List(items) => items.iter().map(from_cel).collect(),
        cel::Value::Map(map) => map
            .map
            .iter()
            .map(|(k, v)| (k.to_string(), from_cel(v)))
            .collect::<serde_json::Map<_, _>>()
            .into(),
        cel::Value::Null
        | cel::Value::Bytes(_)
        | cel::Value::Function(..)
        | cel::Value::Opaque(_)
        | cel::Value::Struct(_) => Json::Null,
    }
}

/// Where a place inside the expression stands in the file.
fn place(at: &Mark, line: isize, col: isize) -> Mark {
    let col = u32::try_from(col.saturating_sub(1)).unwrap_or(0);
    match u32::try_from(line) {
        Ok(0) | Err(_) => at.right(col),
        Ok(line) => Mark::new(at.path.clone(), at.line.saturating_add(line), at.col.saturating_add(col)),
    }
}

fn plain_message(message: &str) -> String {
    let first = message.lines().next().unwrap_or_default().trim_start_matches("Syntax error: ");
    if first.contains("'<EOF>'") {
        return "it ends too early".to_owned();
    }
    // What the parser could have gone on with are forty names of its own.
    first.split(" expecting ").next().unwrap_or_default().chars().take(120).collect()
}

/// Where an argument of a call stands.
fn argument_at(program: &Program, at: &Mark, site: &CallSite, argument: usize) -> Mark {
    site.ids.get(argument).map_or_else(|| at.clone(), |id| mark_of(program, at, *id))
}

/// Where a part of an expression that begins at `at` stands in the file.
fn mark_of(program: &Program, at: &Mark, id: u64) -> Mark {
    let source = &program.source_info().source;
    let Some((start, _)) = program.source_info().offset_for(id) else { return at.clone() };
    let before: String = source.chars().take(usize::try_from(start).unwrap_or(0)).collect();
    let line = isize::try_from(before.matches('\n').count()).unwrap_or(0);
    let col = before.rsplit('\n').next().unwrap_or_default().chars().count();
    place(at, line, isize::try_from(col).unwrap_or(0) + 1)
}

/// The walk that gives every part its type.
struct Check<'a> {
    at: &'a Mark,
    symbols: &'a Symbols,
    report: &'a Report,
    program: &'a Program,
    uses: Vec<Use>,
    calls: Vec<String>,
    /// Names bound by `exists`, `all`, `map`, `filter`.
    scope: Vec<(String, Type)>,
    wrong: bool,
}

impl Check<'_> {
    fn mark(&self, id: u64) -> Mark {
        mark_of(self.program, self.at, id)
    }

    fn error(&mut self, id: u64, code: &'static str, message: String) -> super::diagnostic::Noted<'_> {
        self.wrong = true;
        let at = self.mark(id);
        self.report.error(&at, code, message)
    }

    fn of(&mut self, expr: &IdedExpr) -> Type {
        match &expr.expr {
            Cel::Literal(literal) => match literal {
                LiteralValue::Boolean(_) => Type::Bool,
                LiteralValue::Int(_) | LiteralValue::UInt(_) => Type::Int,
                LiteralValue::Double(_) => Type::Float,
                LiteralValue::String(_) => Type::String,
                LiteralValue::Bytes(_) | LiteralValue::Null => Type::Any,
            },
            Cel::Ident(name) => match self.scope.iter().rev().find(|(n, _)| n == name) {
                Some((_, of)) => of.clone(),
                None => self.field(expr.id, name),
            },
            Cel::Select(select) => self.select(expr, select),
            Cel::Call(call) => self.call(expr.id, call),
            Cel::List(list) => {
                let mut of = Type::Any;
                for element in &list.elements {
                    of = self.of(element);
                }
                Type::list(of)
            }
            Cel::Comprehension(comprehension) => self.comprehension(comprehension),
            Cel::Map(_) | Cel::Struct(_) | Cel::Unspecified => {
                self.error(expr.id, "E104", "maps cannot be written in a condition".to_owned()).done();
                Type::Any
            }
        }
    }

    fn select(&mut self, expr: &IdedExpr, select: &SelectExpr) -> Type {
        if let Some(path) = path(expr)
            && !self.scope.iter().any(|(name, _)| path.split('.').next() == Some(name))
        {
            // The position of a selection is that of its dot: the head says where the whole path begins.
            let of = self.field(head(expr), &path);
            return if select.test { Type::Bool } else { of };
        }
        let operand = self.of(&select.operand);
        match operand {
            _ if select.test => Type::Bool,
            Type::Map(of) => *of,
            Type::Any => Type::Any,
            Type::Bool | Type::Int | Type::Float | Type::String | Type::Enum(_) | Type::List(_) => {
                self.error(expr.id, "E102", format!("{operand} has no field \"{}\"", select.field)).done();
                Type::Any
            }
        }
    }

    fn field(&mut self, id: u64, path: &str) -> Type {
        let at = self.mark(id);
        // `contact.fields.size`: a declared map may be followed by any key.
        let mut declared = path;
        loop {
            if let Some(of) = self.symbols.get(declared).cloned() {
                let whole = declared == path;
                let result = match &of {
                    _ if whole => of.clone(),
                    Type::Map(inner) => (**inner).clone(),
                    Type::Any => Type::Any,
                    Type::Bool | Type::Int | Type::Float | Type::String | Type::Enum(_) | Type::List(_) => {
                        break;
                    }
                };
                if !self.uses.iter().any(|used| used.path == declared) {
                    self.uses.push(Use { path: declared.to_owned(), of, at });
                }
                return result;
            }
            match declared.rsplit_once('.') {
                Some((shorter, _)) => declared = shorter,
                None => break,
            }
        }
        self.wrong = true;
        let noted = if self.symbols.has_below(path) {
            self.report.error(&at, "E102", format!("\"{path}\" is a group of fields, not a field"))
        } else {
            self.report.error(&at, "E102", format!("there is no field \"{path}\""))
        };
        let group = path.split('.').next().unwrap_or_default();
        let siblings: Vec<&str> = match self.symbols.has_below(group) {
            true => {
                self.symbols.fields().map(|(p, _)| p).filter(|p| p.split('.').next() == Some(group)).collect()
            }
            false => self.symbols.fields().map(|(p, _)| p).collect(),
        };
        noted.did_you_mean(path, siblings);
        Type::Any
    }

    fn call(&mut self, id: u64, call: &CallExpr) -> Type {
        use cel::common::ast::operators as op;
        let arguments = &call.args;
        match (call.func_name.as_str(), call.target.as_deref(), arguments.as_slice()) {
            (op::LOGICAL_AND | op::LOGICAL_OR, None, _) => {
                for argument in arguments {
                    self.want(argument, &Type::Bool, "both sides of && and ||");
                }
                Type::Bool
            }
            (op::LOGICAL_NOT, None, [one]) => {
                self.want(one, &Type::Bool, "what follows !");
                Type::Bool
            }
            (op::EQUALS | op::NOT_EQUALS, None, [left, right]) => {
                self.compare(id, left, right);
                Type::Bool
            }
            (op::LESS | op::LESS_EQUALS | op::GREATER | op::GREATER_EQUALS, None, [left, right]) => {
                let of = self.compare(id, left, right);
                if matches!(of, Type::Bool | Type::Enum(_) | Type::List(_) | Type::Map(_)) {
                    self.error(id, "E104", format!("{of} has no order to compare by")).hint("use == or in");
                }
                Type::Bool
            }
            (op::IN, None, [one, many]) => {
                let (one_of, many_of) = (self.of(one), self.of(many));
                match &many_of {
                    Type::List(inner) | Type::Map(inner) => {
                        if let Cel::List(list) = &many.expr {
                            for element in &list.elements {
                                let element_of = self.of(element);
                                self.agree(id, &one_of, &element_of, one, element);
                            }
                        } else {
                            self.agree(id, &one_of, inner, one, many);
                        }
                    }
                    Type::Any => {}
                    Type::Bool | Type::Int | Type::Float | Type::String | Type::Enum(_) => {
                        self.error(
                            id,
                            "E104",
                            format!("what follows `in` must be a list, this is {many_of}"),
                        )
                        .done();
                    }
                }
                Type::Bool
            }
            (op::CONDITIONAL, None, [condition, yes, no]) => {
                self.want(condition, &Type::Bool, "what stands before ?");
                let (yes_of, no_of) = (self.of(yes), self.of(no));
                if yes_of.agrees(&no_of) { yes_of } else { Type::Any }
            }
            (op::ADD | op::SUBSTRACT | op::MULTIPLY | op::DIVIDE | op::MODULO, None, [left, right]) => {
                let (left_of, right_of) = (self.of(left), self.of(right));
                if !left_of.agrees(&right_of) {
                    self.error(id, "E104", format!("{left_of} and {right_of} cannot be reckoned together"))
                        .done();
                }
                if right_of == Type::Float { Type::Float } else { left_of }
            }
            (op::NEGATE, None, [one]) => self.of(one),
            (op::INDEX, None, [container, key]) => {
                let container_of = self.of(container);
                self.of(key);
                match container_of {
                    Type::List(inner) | Type::Map(inner) => *inner,
                    Type::Bool | Type::Int | Type::Float | Type::String | Type::Enum(_) | Type::Any => {
                        Type::Any
                    }
                }
            }
            (op::NOT_STRICTLY_FALSE, None, [one]) => self.of(one),
            ("size", target, rest) => {
                for one in target.into_iter().chain(rest) {
                    self.of(one);
                }
                Type::Int
            }
            ("startsWith" | "endsWith" | "contains" | "matches", Some(target), [argument]) => {
                let what = format!("{}()", call.func_name);
                self.want(target, &Type::String, &what);
                self.want(argument, &Type::String, &what);
                Type::Bool
            }
            (name, None, _) => self.declared(id, name, arguments),
            (name, Some(target), _) => {
                self.of(target);
                self.error(id, "E103", format!("there is no function .{name}()")).did_you_mean(
                    name,
                    ["startsWith", "endsWith", "contains", "matches", "size", "exists", "all"],
                );
                Type::Any
            }
        }
    }

    fn declared(&mut self, id: u64, name: &str, arguments: &[IdedExpr]) -> Type {
        let symbols = self.symbols;
        let Some(signature) = symbols.functions.get(name) else {
            let known: Vec<&str> =
                symbols.functions.keys().map(String::as_str).chain(["size", "has"]).collect();
            self.error(id, "E103", format!("there is no function {name}()")).did_you_mean(name, known);
            return Type::Any;
        };
        if !(signature.required..=signature.params.len()).contains(&arguments.len()) {
            let wants: Vec<String> = signature.params.iter().map(Type::to_string).collect();
            let message =
                format!("{name}() takes ({}), given are {} values", wants.join("; "), arguments.len());
            self.error(id, "E104", message).done();
        }
        for (argument, param) in arguments.iter().zip(&signature.params) {
            self.want(argument, param, &format!("{name}()"));
        }
        if !self.calls.iter().any(|called| called == name) {
            self.calls.push(name.to_owned());
        }
        signature.result.clone()
    }

    fn comprehension(&mut self, c: &ComprehensionExpr) -> Type {
        let element = match self.of(&c.iter_range) {
            Type::List(inner) => *inner,
            Type::Map(_) => Type::String,
            Type::Any => Type::Any,
            other => {
                self.error(
                    c.iter_range.id,
                    "E104",
                    format!("only lists have members to look through, this is {other}"),
                )
                .done();
                Type::Any
            }
        };
        let accumulator = self.of(&c.accu_init);
        let depth = self.scope.len();
        self.scope.push((c.iter_var.clone(), element.clone()));
        if let Some(second) = &c.iter_var2 {
            self.scope.push((second.clone(), Type::Any));
        }
        self.scope.push((c.accu_var.clone(), accumulator));
        self.of(&c.loop_cond);
        self.of(&c.loop_step);
        let result = self.of(&c.result);
        self.scope.truncate(depth);
        result
    }

    fn want(&mut self, expr: &IdedExpr, wanted: &Type, place: &str) {
        let found = self.of(expr);
        if !found.agrees(wanted) {
            let id = head(expr);
            self.error(id, "E104", format!("{place} must be {wanted}, this is {found}")).done();
        } else if let Type::Enum(words) = wanted {
            self.literal_in(expr, words);
        }
    }

    /// The common type of two sides of a comparison.
    fn compare(&mut self, id: u64, left: &IdedExpr, right: &IdedExpr) -> Type {
        let (left_of, right_of) = (self.of(left), self.of(right));
        self.agree(id, &left_of, &right_of, left, right);
        if left_of == Type::Any { right_of } else { left_of }
    }

    fn agree(&mut self, id: u64, left_of: &Type, right_of: &Type, left: &IdedExpr, right: &IdedExpr) {
        if !left_of.agrees(right_of) {
            self.error(id, "E104", format!("{left_of} and {right_of} are never equal"))
                .hint(format!("compare with a value of the kind {left_of}"));
        }
        if let Type::Enum(words) = left_of {
            self.literal_in(right, words);
        }
        if let Type::Enum(words) = right_of {
            self.literal_in(left, words);
        }
    }

    fn literal_in(&mut self, expr: &IdedExpr, words: &[String]) {
        let Cel::Literal(LiteralValue::String(text)) = &expr.expr else { return };
        let text = text.inner().to_owned();
        if !words.contains(&text) {
            self.error(expr.id, "E105", format!("\"{text}\" is none of the possible values"))
                .did_you_mean(&text, words.iter().map(String::as_str));
        }
    }
}

/// `a.b.c` where an expression is a chain of selections on a name.
pub(super) fn path(expr: &IdedExpr) -> Option<String> {
    match &expr.expr {
        Cel::Ident(name) => Some(name.clone()),
        Cel::Select(select) => Some(format!("{}.{}", path(&select.operand)?, select.field)),
        _ => None,
    }
}

/// The parts of an expression that must all hold.
fn conjuncts(expr: &IdedExpr, each: &mut impl FnMut(&IdedExpr)) {
    match &expr.expr {
        Cel::Call(call) if call.func_name == cel::common::ast::operators::LOGICAL_AND => {
            for part in &call.args {
                conjuncts(part, each);
            }
        }
        _ => each(expr),
    }
}

fn has_way_around(expr: &IdedExpr) -> bool {
    use cel::common::ast::operators as op;
    match &expr.expr {
        Cel::Call(call) => {
            matches!(call.func_name.as_str(), op::LOGICAL_OR | op::LOGICAL_NOT | op::CONDITIONAL)
                || call.target.iter().any(|target| has_way_around(target))
                || call.args.iter().any(has_way_around)
        }
        Cel::Comprehension(_) => true,
        _ => false,
    }
}

/// The dotted names that stand in an expression.
fn paths(expr: &IdedExpr) -> Vec<String> {
    match &expr.expr {
        Cel::Call(call) => call.target.iter().map(|t| &**t).chain(&call.args).flat_map(paths).collect(),
        Cel::List(list) => list.elements.iter().flat_map(paths).collect(),
        _ => path(expr).into_iter().collect(),
    }
}

/// The id of the leftmost part.
fn head(expr: &IdedExpr) -> u64 {
    match &expr.expr {
        Cel::Select(select) => head(&select.operand),
        _ => expr.id,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn symbols() -> Symbols {
        Symbols::new()
            .field("contact.known", Type::Bool)
            .field("contact.first_name", Type::String)
            .field("contact.fields", Type::Map(Box::new(Type::String)))
            .field("webinar.state", Type::one_of(["registered", "attended", "no_show"]))
            .field("score", Type::Float)
            .field("visits", Type::Int)
            .field("pages", Type::list(Type::String))
            .function("count", vec![Type::one_of(["page", "download"]), Type::Int], Type::Int)
    }

    fn parse(text: &str) -> Result<Expr, Vec<String>> {
        let report = Report::new();
        let at = Mark::new("f.yaml", 3, 7);
        Expr::condition(text, &at, &symbols(), &report).ok_or_else(|| {
            report
                .diagnostics()
                .into_iter()
                .map(|d| {
                    let hint = d.hint.map(|h| format!(" | {h}")).unwrap_or_default();
                    format!("{}:{} {} {}{hint}", d.line, d.col, d.code, d.message)
                })
                .collect()
        })
    }

    fn context() -> Context {
        let mut context = Context::new();
        context
            .set("contact.known", true)
            .set("contact.first_name", "Nikki")
            .set("contact.fields", json!({"size": "50-200"}))
            .set("webinar.state", "no_show")
            .set("score", 41)
            .set("visits", 3)
            .set("pages", json!(["/", "/pricing"]));
        context.function("count", |arguments| match arguments {
            [kind, days] => Ok(json!(if kind == "page" { days.as_i64().unwrap_or(0) } else { 0 })),
            _ => Err("two values".to_owned()),
        });
        context
    }

    #[test]
    fn conditions_hold_or_do_not() {
        let cases = [
            ("contact.known && webinar.state == \"no_show\"", true),
            ("!contact.known || visits > 5", false),
            ("score >= 40.5 && score < 42", true),
            ("score >= 41", true),
            ("webinar.state in [\"registered\", \"no_show\"]", true),
            ("\"/pricing\" in pages", true),
            ("pages.exists(p, p.startsWith(\"/pri\"))", true),
            ("pages.all(p, size(p) > 1)", false),
            ("has(contact.first_name) && contact.first_name != \"\"", true),
            ("contact.fields.size == \"50-200\"", true),
            ("count(\"page\", 30) == 30", true),
            ("visits * 2 + 1 == 7", true),
            ("size(pages) == 2", true),
        ];
        for (text, expected) in cases {
            let expr = parse(text).unwrap_or_else(|e| panic!("{text}: {e:?}"));
            assert_eq!(expr.holds_because(&context()), (expected, None), "{text}");
        }
    }

    #[test]
    fn a_field_without_a_value_makes_a_comparison_false_and_says_why() {
        let nobody = Context::new();
        assert!(!parse("has(contact.first_name)").unwrap().holds(&nobody));
        assert!(parse("!contact.known").unwrap().holds(&nobody));
        let (holds, why) = parse("contact.first_name == \"Nikki\"").unwrap().holds_because(&nobody);
        assert!(!holds);
        assert!(why.unwrap().contains("first_name"));
        assert!(!parse("visits / 0 > 1").unwrap().holds(&context()));
    }

    #[test]
    fn a_misspelt_field_is_found_with_its_place_and_the_right_one() {
        assert_eq!(
            parse("contact.known && contact.frist_name == \"x\"").unwrap_err(),
            ["3:24 E102 there is no field \"contact.frist_name\" | did you mean \"contact.first_name\"?"]
        );
    }

    #[test]
    fn a_value_outside_the_closed_set_is_found() {
        assert_eq!(
            parse("webinar.state == \"noshow\"").unwrap_err(),
            ["3:24 E105 \"noshow\" is none of the possible values | did you mean \"no_show\"?"]
        );
        assert!(parse("webinar.state in [\"no_show\", \"came\"]").is_err());
        assert!(parse("count(\"pages\", 3) > 1").is_err());
    }

    #[test]
    fn types_that_never_fit_are_found() {
        for text in [
            "visits == \"3\"",
            "contact.known > 1",
            "contact.first_name && contact.known",
            "visits",
            "!visits",
            "webinar.state < \"no_show\"",
            "visits in visits",
            "count(\"page\") > 1",
            "visits.contains(\"x\")",
        ] {
            let notes = parse(text).expect_err(text);
            assert!(notes.iter().any(|n| n.contains("E104")), "{text}: {notes:?}");
        }
    }

    #[test]
    fn unknown_functions_and_bad_syntax_are_explained() {
        assert_eq!(
            parse("coun(\"page\", 1) > 1").unwrap_err(),
            ["3:11 E103 there is no function coun() | did you mean \"count\"?"]
        );
        let notes = parse("contact.known and visits > 1").unwrap_err();
        assert!(notes[0].contains("E101") && notes[0].contains("write && for and"), "{notes:?}");
        assert!(parse("contact.known &&").is_err());
    }

    #[test]
    fn a_condition_guarantees_what_it_cannot_do_without() {
        let sure = |text: &str| parse(text).unwrap().guarantees().join(" ");
        assert_eq!(sure("contact.known && has(contact.first_name)"), "contact.known contact.first_name");
        assert_eq!(sure("webinar.state == \"no_show\" && (visits > 1 || score > 2.0)"), "webinar.state");
        assert_eq!(sure("!has(contact.first_name)"), "");
    }

    #[test]
    fn an_expression_tells_what_it_reads() {
        let expr = parse("contact.known && visits > 1 && visits < 9").unwrap();
        let paths: Vec<&str> = expr.uses().iter().map(|u| u.path.as_str()).collect();
        assert_eq!(paths, ["contact.known", "visits"]);
    }
}
