//! Conditions in the words of whoever reads them: `fit in ["A", "B"] && engagement <= 2` is "fit is A or B and engagement
//! is level 2 or better".
//!
//! What cannot be put into words is told as it is written, so that nobody reads something else than what is asked.

use super::condition::Condition;
use crate::base::expr::Shape;
use crate::base::language::Language;

/// English and Spanish.
type Both = (&'static str, &'static str);

/// Names of fields.
const FIELDS: &[(&str, Both)] = &[
    ("bant_known", ("the number of BANT answers", "el número de respuestas BANT")),
    ("bant_positive", ("the number of positive BANT answers", "el número de respuestas BANT positivas")),
    ("bant.authority", ("authority", "la autoridad")),
    ("bant.budget", ("budget", "el presupuesto")),
    ("bant.need", ("need", "la necesidad")),
    ("bant.timeline", ("timeline", "el plazo")),
    ("company.country", ("the company's country", "el país de la empresa")),
    ("company.domain", ("the company's domain", "el dominio de la empresa")),
    ("company.employees", ("the company's number of employees", "el número de empleados de la empresa")),
    ("company.industry", ("the company's industry", "el sector de la empresa")),
    ("company.kind", ("the kind of company", "el tipo de empresa")),
    ("company.revenue", ("the company's revenue", "la facturación de la empresa")),
    ("contact.country", ("the country", "el país")),
    ("contact.department", ("the department", "el departamento")),
    ("contact.email_domain", ("the domain of the address", "el dominio del correo")),
    ("contact.employees", ("the number of employees", "el número de empleados")),
    ("contact.industry", ("the industry", "el sector")),
    ("contact.job_title", ("the job title", "el cargo")),
    ("contact.language", ("the language", "el idioma")),
    ("contact.region", ("the region", "la región")),
    ("contact.seniority", ("the position", "el puesto")),
    ("content.level", ("the latest content seen", "el contenido más avanzado que ha visto")),
    ("customer_state", ("the state after the sale", "el estado tras la venta")),
    ("engagement", ("engagement", "el interés")),
    ("engagement_points", ("the points of engagement", "los puntos de interés")),
    ("fit", ("fit", "el encaje")),
    ("fit_points", ("the points of fit", "los puntos de encaje")),
    ("stage", ("the stage", "la etapa")),
    ("subject", ("what it is about", "de qué trata")),
];

/// Fields that are so or not: what is said if they are, and if they are not.
const FLAGS: &[(&str, Both, Both)] = &[
    (
        "company.is_customer",
        ("the company is a customer", "la empresa es cliente"),
        ("the company is no customer", "la empresa no es cliente"),
    ),
    (
        "contact.corporate_email",
        ("writes from a company address", "escribe desde un correo de empresa"),
        ("writes from a free address", "escribe desde un correo gratuito"),
    ),
    (
        "identified",
        ("an e-mail address is known", "se conoce un correo"),
        ("no e-mail address is known", "no se conoce ningún correo"),
    ),
];

/// What somebody did, and did not do. The first form follows "has", too; in Spanish `no` before it says that it was not.
const DEEDS: &[(&str, Both, &str)] = &[
    ("asset.downloaded", ("downloaded a file", "descargó un archivo"), "download a file"),
    ("booking.cancelled", ("cancelled a call", "canceló una llamada"), "cancel a call"),
    ("booking.confirmed", ("booked a call", "reservó una llamada"), "book a call"),
    ("booking.held", ("had the call", "tuvo la llamada"), "have the call"),
    ("booking.no_show", ("missed the call", "faltó a la llamada"), "miss the call"),
    ("booking.rescheduled", ("moved a call", "movió una llamada"), "move a call"),
    ("call.held", ("talked on the telephone", "habló por teléfono"), "talk on the telephone"),
    ("call.requested", ("asked for a call", "pidió una llamada"), "ask for a call"),
    ("complaint", ("complained", "se quejó"), "complain"),
    (
        "content.early",
        ("looked at something for beginners", "vio algo para empezar"),
        "look at something for beginners",
    ),
    (
        "content.late",
        ("looked at something near a decision", "vio algo cercano a la decisión"),
        "look at something near a decision",
    ),
    (
        "content.middle",
        ("looked at something for comparing", "vio algo para comparar"),
        "look at something for comparing",
    ),
    ("conversation.opened", ("talked in the chat", "habló en el chat"), "talk in the chat"),
    ("deal.lost", ("lost a deal with us", "perdió un trato con nosotros"), "lose a deal with us"),
    ("deal.won", ("signed a deal", "firmó un trato"), "sign a deal"),
    ("email.bounced", ("sent a mail back", "devolvió un correo"), "send a mail back"),
    (
        "email.clicked",
        ("followed a link in a mail", "siguió un enlace de un correo"),
        "follow a link in a mail",
    ),
    (
        "email.hard_bounced",
        ("had no mailbox at this address", "tuvo un buzón inexistente"),
        "have no mailbox at this address",
    ),
    ("email.replied", ("answered a mail", "respondió a un correo"), "answer a mail"),
    ("form.submitted", ("filled in a form", "rellenó un formulario"), "fill in a form"),
    (
        "handoff.requested",
        ("asked for a person in the chat", "pidió una persona en el chat"),
        "ask for a person in the chat",
    ),
    (
        "interest.new_product",
        ("showed interest in something new", "mostró interés por algo nuevo"),
        "show interest in something new",
    ),
    ("page", ("looked at a page", "vio una página"), "look at a page"),
    ("purchase", ("bought", "compró"), "buy"),
    ("recording.watched", ("watched a recording", "vio una grabación"), "watch a recording"),
    ("refund", ("got money back", "recibió una devolución"), "get money back"),
    ("social.followed", ("followed us on a network", "nos siguió en una red"), "follow us on a network"),
    (
        "subscription.confirmed",
        ("subscribed to letters", "se suscribió a las cartas"),
        "subscribe to letters",
    ),
    ("visit", ("visited the site", "visitó la web"), "visit the site"),
    ("webinar.attended", ("attended a webinar", "asistió a un webinar"), "attend a webinar"),
    (
        "webinar.cancelled",
        ("gave up a seat in a webinar", "dejó su plaza en un webinar"),
        "give up a seat in a webinar",
    ),
    ("webinar.no_show", ("missed a webinar", "se perdió un webinar"), "miss a webinar"),
    (
        "webinar.registered",
        ("registered for a webinar", "se inscribió a un webinar"),
        "register for a webinar",
    ),
];

/// Values that stand for something.
const VALUES: &[(&str, &str, Both)] = &[
    ("contact.seniority", "c_level", ("top management", "alta dirección")),
    ("contact.seniority", "director", ("director", "dirección")),
    ("contact.seniority", "manager", ("manager", "jefatura")),
    ("contact.seniority", "staff", ("staff", "plantilla")),
    ("contact.seniority", "vp", ("vice president", "vicepresidencia")),
    ("content.level", "early", ("for beginners", "para empezar")),
    ("content.level", "late", ("near a decision", "cercano a la decisión")),
    ("content.level", "middle", ("for comparing", "para comparar")),
    ("customer_state", "active", ("active", "activo")),
    ("customer_state", "at_risk", ("at risk", "en riesgo")),
    ("customer_state", "churned", ("lost", "perdido")),
    ("customer_state", "recovered", ("won back", "recuperado")),
];

/// Puts conditions into words of one language.
#[derive(Debug, Clone, Copy)]
pub struct Words {
    language: Language,
}

impl Words {
    /// Words of a language.
    pub fn of(language: Language) -> Self {
        Self { language }
    }

    /// A condition in words; as it is written if it says more than there are words for.
    pub fn condition(self, condition: &Condition) -> String {
        condition
            .shape()
            .and_then(|shape| self.said(&shape, false))
            .unwrap_or_else(|| condition.text().to_owned())
    }

    /// What somebody did: "downloaded a file".
    pub fn deed(self, kind: &str) -> String {
        self.done(kind, false)
    }

    /// A length of time: "7 days", "12 horas".
    pub fn length(self, ms: i64) -> String {
        const UNITS: [(i64, Both, Both); 3] = [
            (86_400_000, ("day", "día"), ("days", "días")),
            (3_600_000, ("hour", "hora"), ("hours", "horas")),
            (60_000, ("minute", "minuto"), ("minutes", "minutos")),
        ];
        let fits = |(unit, ..): &&(i64, Both, Both)| ms >= *unit && ms % *unit == 0;
        match UNITS.iter().find(fits) {
            Some((unit, one, _)) if ms == *unit => format!("1 {}", self.word(*one)),
            Some((unit, _, many)) => format!("{} {}", ms / unit, self.word(*many)),
            None => format!("{} s", ms / 1_000),
        }
    }

    fn word(self, both: Both) -> &'static str {
        match self.language {
            Language::En => both.0,
            Language::Es => both.1,
        }
    }

    fn pick(self, en: String, es: String) -> String {
        match self.language {
            Language::En => en,
            Language::Es => es,
        }
    }

    /// A part that is so, or not so if `not`.
    fn said(self, shape: &Shape, not: bool) -> Option<String> {
        match shape {
            // Not all of these is the same as one of them not.
            Shape::All(parts) if not => self.joined(parts, true, ("or", "o")),
            Shape::Any(parts) if not => self.joined(parts, true, ("and", "y")),
            Shape::All(parts) => self.joined(parts, false, ("and", "y")),
            Shape::Any(parts) => self.joined(parts, false, ("or", "o")),
            Shape::Not(inner) => self.said(inner, !not),
            Shape::Field(path) => self.flag(path, not),
            Shape::Call(name, arguments) => self.call(name, arguments, not),
            Shape::Between(word, left, right) => self.between(word, left, right, not),
            Shape::Bool(_) | Shape::List(_) | Shape::Number(_) | Shape::Text(_) => None,
        }
    }

    fn joined(self, parts: &[Shape], not: bool, by: Both) -> Option<String> {
        let told: Option<Vec<String>> = parts
            .iter()
            .map(|part| {
                let told = self.said(part, not)?;
                let is_several = matches!(part, Shape::All(_) | Shape::Any(_));
                Some(if is_several { format!("({told})") } else { told })
            })
            .collect();
        Some(told?.join(&format!(" {} ", self.word(by))))
    }

    fn flag(self, path: &str, not: bool) -> Option<String> {
        if let Some((_, yes, no)) = FLAGS.iter().find(|(known, ..)| *known == path) {
            return Some(self.word(if not { *no } else { *yes }).to_owned());
        }
        let name = self.field(path)?;
        Some(if not {
            self.pick(format!("{name} is not so"), format!("{name} no se cumple"))
        } else {
            self.pick(format!("{name} is so"), format!("{name} se cumple"))
        })
    }

    fn field(self, path: &str) -> Option<String> {
        if let Some(detail) = path.strip_prefix("props.") {
            let detail = detail.replace('_', " ");
            return Some(self.pick(format!("its “{detail}”"), format!("su «{detail}»")));
        }
        FIELDS.iter().find(|(known, _)| *known == path).map(|(_, both)| self.word(*both).to_owned())
    }

    fn call(self, name: &str, arguments: &[Shape], not: bool) -> Option<String> {
        let text = |index: usize| match arguments.get(index) {
            Some(Shape::Text(text)) => Some(text.as_str()),
            _ => None,
        };
        match name {
            "event" => Some(format!("{}{}", self.done(text(0)?, not), self.within(text(1)))),
            "decision" => Some(self.decided(text(0)?, text(1)?, not)),
            _ => None,
        }
    }

    fn done(self, kind: &str, not: bool) -> String {
        let (past, base) = match DEEDS.iter().find(|(known, ..)| *known == kind) {
            Some((_, past, base)) => (self.word(*past).to_owned(), (*base).to_owned()),
            None => {
                let (name, of) = match kind.split_once('.') {
                    Some(("topic", topic)) => (topic.replace('_', " "), ("the topic", "el tema")),
                    Some(("kind", sort)) => {
                        (sort.replace('_', " "), ("content of the kind", "contenido del tipo"))
                    }
                    _ => {
                        let past = self.pick(format!("“{kind}” happened"), format!("ocurrió «{kind}»"));
                        let base = format!("have “{kind}” happen");
                        return self.negated(past, &base, not);
                    }
                };
                let (en, es) = of;
                let past = self.pick(format!("looked at {en} “{name}”"), format!("vio {es} «{name}»"));
                (past, format!("look at {en} “{name}”"))
            }
        };
        self.negated(past, &base, not)
    }

    fn negated(self, past: String, base: &str, not: bool) -> String {
        if !not {
            return past;
        }
        self.pick(format!("did not {base}"), format!("no {past}"))
    }

    fn within(self, window: Option<&str>) -> String {
        let Some(ms) = window.and_then(crate::base::yaml::duration_ms) else { return String::new() };
        let length = self.length(ms);
        self.pick(format!(" in the last {length}"), format!(" en los últimos {length}"))
    }

    fn decided(self, role: &str, what: &str, not: bool) -> String {
        let (en, es) = match role {
            "sdr" => ("an SDR", "un SDR"),
            "ae" => ("an AE", "un AE"),
            "cs" => ("customer success", "atención al cliente"),
            _ => ("marketing", "marketing"),
        };
        let (past, base, spanish) = match what {
            "accept" => ("accepted", "accept", "aceptó"),
            "reject" => ("sent back", "send back", "devolvió"),
            _ => ("won the deal", "win the deal", "ganó el trato"),
        };
        match (self.language, not) {
            (Language::En, false) => format!("{en} {past}"),
            (Language::En, true) => format!("{en} did not {base}"),
            (Language::Es, false) => format!("{es} {spanish}"),
            (Language::Es, true) => format!("{es} no {spanish}"),
        }
    }

    fn between(self, word: &str, left: &Shape, right: &Shape, not: bool) -> Option<String> {
        let word = if not { opposite(word)? } else { word };
        if let Shape::Call(name, arguments) = left {
            return self.often(name, arguments, word, right);
        }
        let Shape::Field(path) = left else { return None };
        // What is a number of one, and better below.
        if path == "engagement"
            && let Shape::Number(level) = right
        {
            return self.level(word, *level);
        }
        if let Shape::Bool(yes) = right {
            return match word {
                "==" => self.flag(path, !*yes),
                "!=" => self.flag(path, *yes),
                _ => None,
            };
        }
        let name = self.field(path)?;
        if let (Shape::Text(text), "==" | "!=") = (right, word)
            && text.is_empty()
        {
            let (en, es) =
                if word == "==" { ("is not known", "no se conoce") } else { ("is known", "se conoce") };
            return Some(format!("{name} {}", self.word((en, es))));
        }
        let verb = match word {
            "==" => ("is", "es"),
            "!=" => ("is not", "no es"),
            "<" => ("is less than", "es menos de"),
            "<=" => ("is at most", "es como mucho"),
            ">" => ("is more than", "es más de"),
            ">=" => ("is at least", "es al menos"),
            "in" => ("is", "es"),
            "not in" => ("is not", "no es"),
            "contains" => ("contains", "contiene"),
            "not contains" => ("does not contain", "no contiene"),
            "startsWith" => ("begins with", "empieza por"),
            "not startsWith" => ("does not begin with", "no empieza por"),
            "endsWith" => ("ends in", "acaba en"),
            "not endsWith" => ("does not end in", "no acaba en"),
            _ => return None,
        };
        if let (Shape::Field(list), "in" | "not in") = (right, word) {
            let list = list.strip_prefix('_')?;
            let verb = if word == "in" {
                ("is in the list", "está en la lista")
            } else {
                ("is not in the list", "no está en la lista")
            };
            return Some(format!("{name} {} @{list}", self.word(verb)));
        }
        Some(format!("{name} {} {}", self.word(verb), self.value(path, right)?))
    }

    /// How often, or for how long: `count("visit", "7d") >= 3`.
    fn often(self, name: &str, arguments: &[Shape], word: &str, right: &Shape) -> Option<String> {
        let (Some(Shape::Text(kind)), Shape::Number(number)) = (arguments.first(), right) else {
            return None;
        };
        let window = match arguments.get(1) {
            Some(Shape::Text(window)) => Some(window.as_str()),
            _ => None,
        };
        let how = match word {
            "==" => ("exactly", "exactamente"),
            "<" => ("less than", "menos de"),
            "<=" => ("at most", "como mucho"),
            ">" => ("more than", "más de"),
            ">=" => ("at least", "al menos"),
            _ => return None,
        };
        let how = self.word(how);
        let amount = match name {
            "count" if (*number - 1.0).abs() < f64::EPSILON => {
                self.pick(format!("{how} once"), format!("{how} una vez"))
            }
            "count" => self.pick(format!("{how} {number} times"), format!("{how} {number} veces")),
            "seconds" => {
                let minutes = number / 60.0;
                let is_whole = minutes >= 1.0 && minutes.fract().abs() < f64::EPSILON;
                let (length, en, es) =
                    if is_whole { (minutes, "minutes", "minutos") } else { (*number, "seconds", "segundos") };
                self.pick(format!("for {how} {length} {en}"), format!("durante {how} {length} {es}"))
            }
            _ => return None,
        };
        Some(format!("{} {amount}{}", self.done(kind, false), self.within(window)))
    }

    /// The first level is the best.
    fn level(self, word: &str, level: f64) -> Option<String> {
        let (en, es) = match word {
            "==" => (format!("is level {level}"), format!("es de nivel {level}")),
            "!=" => (format!("is not level {level}"), format!("no es de nivel {level}")),
            "<" => (format!("is better than level {level}"), format!("es mejor que el nivel {level}")),
            "<=" => (format!("is level {level} or better"), format!("es de nivel {level} o mejor")),
            ">" => (format!("is below level {level}"), format!("está por debajo del nivel {level}")),
            ">=" => (format!("is level {level} or below"), format!("es de nivel {level} o inferior")),
            _ => return None,
        };
        Some(format!("{} {}", self.field("engagement")?, self.pick(en, es)))
    }

    fn value(self, path: &str, shape: &Shape) -> Option<String> {
        Some(match shape {
            Shape::Text(text) => {
                let known = VALUES.iter().find(|(of, value, _)| *of == path && value == text);
                known.map_or_else(|| self.quoted(path, text), |(.., both)| self.word(*both).to_owned())
            }
            Shape::Number(number) => format!("{number}"),
            Shape::List(values) => {
                let values: Option<Vec<String>> =
                    values.iter().map(|value| self.value(path, value)).collect();
                let values = values?;
                let (last, first) = values.split_last()?;
                match first {
                    [] => last.clone(),
                    first => format!("{} {} {last}", first.join(", "), self.word(("or", "o"))),
                }
            }
            Shape::All(_)
            | Shape::Any(_)
            | Shape::Between(..)
            | Shape::Bool(_)
            | Shape::Call(..)
            | Shape::Field(_)
            | Shape::Not(_) => {
                return None;
            }
        })
    }

    /// What is looked for in a text stands in marks; names of things stand by themselves.
    fn quoted(self, path: &str, text: &str) -> String {
        if path != "subject" && !path.starts_with("props.") {
            return text.to_owned();
        }
        self.pick(format!("“{text}”"), format!("«{text}»"))
    }
}

fn opposite(word: &str) -> Option<&'static str> {
    Some(match word {
        "==" => "!=",
        "!=" => "==",
        "<" => ">=",
        "<=" => ">",
        ">" => "<=",
        ">=" => "<",
        "in" => "not in",
        "contains" => "not contains",
        "startsWith" => "not startsWith",
        "endsWith" => "not endsWith",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::super::condition::{KINDS, STAGE, Symbols};
    use super::*;
    use crate::base::diagnostic::Report;
    use crate::base::yaml;

    fn said(condition: &str, symbols: Symbols) -> (String, String) {
        let report = Report::new();
        let text = format!("lists: {{competitors: [a.example]}}\nif: {}\n", serde_json::json!(condition));
        let doc = yaml::parse("t.yaml", &text, &report).expect("a tree");
        let mut map = doc.view(&report).map().expect("a map");
        let lists = map.required("lists").map(super::super::definition::lists).expect("lists").into();
        let view = map.required("if").expect("a condition");
        let condition =
            Condition::read_with(view, symbols, &lists).unwrap_or_else(|| panic!("{}", report.text()));
        (Words::of(Language::En).condition(&condition), Words::of(Language::Es).condition(&condition))
    }

    #[test]
    fn conditions_read_as_sentences_in_both_languages() {
        let golden = [
            (
                "fit in [\"A\", \"B\"] && engagement <= 2",
                "fit is A or B and engagement is level 2 or better",
                "el encaje es A o B y el interés es de nivel 2 o mejor",
            ),
            (
                "event(\"webinar.registered\", \"90d\")",
                "registered for a webinar in the last 90 days",
                "se inscribió a un webinar en los últimos 90 días",
            ),
            (
                "event(\"email.hard_bounced\", \"180d\") && !event(\"email.clicked\", \"180d\")",
                "had no mailbox at this address in the last 180 days and did not follow a link in a mail in the last 180 days",
                "tuvo un buzón inexistente en los últimos 180 días y no siguió un enlace de un correo en los últimos 180 días",
            ),
            (
                "contact.email_domain in @competitors",
                "the domain of the address is in the list @competitors",
                "el dominio del correo está en la lista @competitors",
            ),
            ("!contact.corporate_email", "writes from a free address", "escribe desde un correo gratuito"),
            (
                "contact.seniority in [\"c_level\", \"vp\", \"director\"]",
                "the position is top management, vice president or director",
                "el puesto es alta dirección, vicepresidencia o dirección",
            ),
            (
                "count(\"visit\", \"7d\") >= 3",
                "visited the site at least 3 times in the last 7 days",
                "visitó la web al menos 3 veces en los últimos 7 días",
            ),
            (
                "!(count(\"complaint\", \"30d\") >= 2)",
                "complained less than 2 times in the last 30 days",
                "se quejó menos de 2 veces en los últimos 30 días",
            ),
            (
                "seconds(\"visit\", \"30d\") >= 300",
                "visited the site for at least 5 minutes in the last 30 days",
                "visitó la web durante al menos 5 minutos en los últimos 30 días",
            ),
            (
                "decision(\"ae\", \"won\") || event(\"deal.won\", \"365d\")",
                "an AE won the deal or signed a deal in the last 365 days",
                "un AE ganó el trato o firmó un trato en los últimos 365 días",
            ),
            (
                "identified && (fit == \"A\" || bant.budget == \"\")",
                "an e-mail address is known and (fit is A or budget is not known)",
                "se conoce un correo y (el encaje es A o el presupuesto no se conoce)",
            ),
            (
                "!(fit == \"A\" && identified)",
                "fit is not A or no e-mail address is known",
                "el encaje no es A o no se conoce ningún correo",
            ),
            (
                "event(\"topic.prices\", \"30d\")",
                "looked at the topic “prices” in the last 30 days",
                "vio el tema «prices» en los últimos 30 días",
            ),
            (
                "engagement_points + 1.0 > 3.0",
                "engagement_points + 1.0 > 3.0",
                "engagement_points + 1.0 > 3.0",
            ),
        ];
        for (condition, en, es) in golden {
            assert_eq!(said(condition, Symbols::Stage), (en.to_owned(), es.to_owned()), "{condition}");
        }
        let (en, es) =
            said("subject.contains(\"/pricing\") || subject.contains(\"/precios\")", Symbols::Activity);
        assert_eq!(en, "what it is about contains “/pricing” or what it is about contains “/precios”");
        assert_eq!(es, "de qué trata contiene «/pricing» o de qué trata contiene «/precios»");
    }

    #[test]
    fn every_field_that_a_condition_may_name_has_words() {
        let words = Words::of(Language::Es);
        for (path, _) in STAGE.fields() {
            let is_flag = FLAGS.iter().any(|(known, ..)| *known == path);
            assert!(is_flag || words.field(path).is_some(), "{path} has no words");
        }
    }

    #[test]
    fn what_visitors_do_most_is_not_told_by_its_kind() {
        let words = Words::of(Language::En);
        for kind in KINDS.iter().filter(|kind| kind.starts_with("booking.") || kind.starts_with("webinar.")) {
            assert!(!words.deed(kind).contains('.'), "{kind}");
        }
    }

    #[test]
    fn lengths_are_told_in_the_largest_unit_that_is_whole() {
        let told = |ms| Words::of(Language::En).length(ms);
        assert_eq!(told(86_400_000), "1 day");
        assert_eq!(told(90 * 86_400_000), "90 days");
        assert_eq!(told(36 * 3_600_000), "36 hours");
        assert_eq!(told(15 * 60_000), "15 minutes");
        assert_eq!(told(1_500), "1 s");
        assert_eq!(Words::of(Language::Es).length(3_600_000), "1 hora");
    }
}
