//! `config/crm.yaml`: the CRMs that are told of booked calls, and what goes where.

use std::collections::BTreeMap;

use super::sources::Source;
use super::{CRMS, Crm, Thing};
use crate::base::diagnostic::Report;
use crate::base::language::Language;
use crate::base::secret::Secret;
use crate::base::yaml::{self, View};
use crate::notify::secret;
use crate::stages::Names;

/// The connections.
#[derive(Debug, Clone, Default)]
pub struct Connections {
    pub all: Vec<Connection>,
}

/// One CRM that is told.
#[derive(Clone)]
pub struct Connection {
    /// What commands, the console and addresses call it.
    pub name: String,
    pub(crate) crm: &'static dyn Crm,
    /// What its addresses begin with, without a slash at the end.
    pub(super) base: String,
    pub(super) token: Secret,
    /// How webhooks prove whence they come: a name and a password (Pipedrive).
    pub(super) login: Option<(String, Secret)>,
    /// The key that webhooks are signed with (HubSpot).
    pub(super) client_secret: Option<Secret>,
    /// The last part of the webhook's address.
    pub(super) hook: Option<Secret>,
    /// The language of what people read there.
    pub(super) language: Language,
    /// Of deals that are opened for a call (ISO 4217).
    pub currency: String,
    /// Whoever enters one of these stages is sent, also without a call.
    pub(super) people_in: Vec<String>,
    /// Only whoever granted this purpose is sent.
    pub(super) consent: Option<String>,
    /// Our stages, as the contact's own field has them.
    pub(super) lifecycle: BTreeMap<String, String>,
    pub(super) pipeline: Option<String>,
    /// Our stages, as the deal's pipeline has them.
    pub(super) stages: BTreeMap<String, String>,
    /// The stages of deals that are won and lost, where those are stages.
    pub(super) won: Option<String>,
    pub(super) lost: Option<String>,
    /// The kind of activity that a call is.
    pub(super) activity: Option<String>,
    /// Its users, by the addresses of our accounts.
    pub(super) owners: BTreeMap<String, String>,
    /// Its fields that hold our ids.
    pub(super) ids: BTreeMap<Thing, String>,
    /// Its fields, and what goes into them.
    pub(super) fields: BTreeMap<Thing, Vec<(String, Source)>>,
    /// The version in paths, where that is one's choice.
    pub(super) version: Option<String>,
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connection")
            .field("name", &self.name)
            .field("kind", &self.crm.word())
            .field("base", &self.base)
            .finish_non_exhaustive()
    }
}

impl Connections {
    /// Reads the file; everything that is wrong goes to the report. `names` are the lifecycle's stages.
    pub fn parse(path: &str, text: &str, names: &Names, report: &Report) -> Option<Self> {
        let doc = yaml::parse(path, text, report)?;
        let mut map = doc.view(report).map()?;
        let list = map.optional("connections").and_then(View::list).unwrap_or_default();
        map.finish();
        let mut all: Vec<Connection> = Vec::new();
        for view in list {
            let Some(connection) = connection(view, names) else { continue };
            if all.iter().any(|known| known.name == connection.name) {
                view.error("R101", format!("two connections are called \"{}\"", connection.name))
                    .hint("the name is what says which one is meant: give this one another");
            }
            all.push(connection);
        }
        (!report.has_errors()).then_some(Self { all })
    }

    /// The connection of a name.
    pub fn find(&self, name: &str) -> Option<&Connection> {
        self.all.iter().find(|connection| connection.name == name)
    }
}

impl Connection {
    /// The word for the kind of CRM.
    pub fn kind(&self) -> &'static str {
        self.crm.word()
    }

    /// What the makers of the CRM call it.
    pub fn title(&self) -> &'static str {
        self.crm.title()
    }

    /// The host that is asked.
    pub fn host(&self) -> String {
        let host = url::Url::parse(&self.base).ok().and_then(|url| url.host_str().map(str::to_owned));
        host.unwrap_or_default()
    }

    /// Whether webhooks are taken from it.
    pub fn hears(&self) -> bool {
        self.hook.is_some()
    }

    /// The last part of the webhook's address.
    pub fn hook(&self) -> Option<&Secret> {
        self.hook.as_ref()
    }
}

fn connection(view: View<'_>, names: &Names) -> Option<Connection> {
    let mut map = view.map()?;
    let name = map
        .required("name")
        .and_then(|name| name.parsed("a name", |text| yaml::is_name(text).then(|| text.to_owned())));
    let words: Vec<&'static str> = CRMS.iter().map(|crm| crm.word()).collect();
    let kind = map.required("kind").and_then(|view| view.one_of(&words));
    let crm = CRMS.iter().copied().find(|crm| Some(crm.word()) == kind);
    let base = match (map.optional("url"), crm) {
        (Some(view), _) => secret(view, "an http or https address", is_address),
        (None, Some(crm)) => {
            let base = crm.base();
            if base.is_none() {
                view.error("R102", format!("{} is not at the same address for everybody", crm.word()))
                    .hint("write its address as `url`: https://acme.myfreshworks.com/crm/sales/api");
            }
            base.map(str::to_owned)
        }
        (None, None) => None,
    };
    let token =
        map.required("token").and_then(|view| secret(view, "a token", |text| is_plain(text, 4, 2_000)));
    let login = map.optional("login").and_then(View::str);
    let password =
        map.optional("password").and_then(|view| secret(view, "a password", |text| is_plain(text, 8, 200)));
    let client_secret = map
        .optional("client_secret")
        .and_then(|view| secret(view, "the app's client secret", |text| is_plain(text, 8, 200)));
    let hook = map.optional("hook").and_then(|view| {
        secret(view, "at least 24 letters and digits", |text| {
            (24..=200).contains(&text.len())
                && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))
        })
    });
    let language = map.optional("language").and_then(|view| view.one_of(&["en", "es"]));
    let currency = map.optional("currency").and_then(|view| {
        view.parsed("a currency such as EUR (ISO 4217)", |text| {
            (text.len() == 3 && text.chars().all(|c| c.is_ascii_uppercase())).then(|| text.to_owned())
        })
    });
    let people_in = map.optional("people_in").map(|view| stages_in(view, names)).unwrap_or_default();
    let consent = map
        .optional("consent")
        .and_then(|view| view.parsed("a purpose", |text| yaml::is_name(text).then(|| text.to_owned())));
    let lifecycle = map.optional("lifecycle").map(|view| by_stage(view, names)).unwrap_or_default();
    let pipeline = map.optional("pipeline").and_then(View::str);
    let deal_stages = map.optional("stages");
    let stages = deal_stages.map(|view| by_stage(view, names)).unwrap_or_default();
    let (won, lost) = (map.optional("won").and_then(View::str), map.optional("lost").and_then(View::str));
    let activity = map.optional("activity").and_then(View::str);
    let owners = map.optional("owners").map(texts).unwrap_or_default();
    let ids = map.optional("ids").map(ids).unwrap_or_default();
    let fields = map.optional("fields").map(fields).unwrap_or_default();
    let version = map.optional("version").and_then(|view| {
        view.parsed("a version such as v3 or 2026-03", |text| {
            (!text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-'))
                .then(|| text.to_owned())
        })
    });
    map.finish();
    let twins = deal_stages.filter(|_| has_twins(&stages));
    if let Some(view) = twins {
        view.error("R104", "two of our stages lead to one stage of the deal")
            .hint("nobody could tell which one is meant when it comes back: leave one out");
    }
    match crm?.word() {
        "pipedrive" if hook.is_some() && (login.is_none() || password.is_none()) => {
            view.error("R105", "Pipedrive's webhooks prove themselves by a name and a password")
                .hint("set `login` and `password`, and write the same into the webhook's HTTP Auth");
        }
        "hubspot" if hook.is_some() && client_secret.is_none() => {
            view.error("R105", "HubSpot's webhooks are signed with the app's client secret")
                .hint("set `client_secret`: it stands beside the app's token");
        }
        "freshsales" if activity.is_none() => {
            view.error("R106", "a call is a sales activity of a type, and the type has a number")
                .hint("set `activity` to one of the ids of GET …/selector/sales_activity_types");
        }
        "freshsales" if won.is_none() || lost.is_none() => {
            view.error("R106", "won and lost are stages of a deal, and each has a number")
                .hint("set `won` and `lost` to ids of GET …/selector/deal_stages");
        }
        _ => {}
    }
    if crm?.word() == "freshsales" {
        let numbers = stages.values().chain(lifecycle.values()).chain(&won).chain(&lost).chain(&activity);
        for word in numbers.filter(|word| word.parse::<i64>().is_err()) {
            view.error("R106", format!("\"{word}\" is no number: Freshsales names stages and types by ids"))
                .hint("see GET …/selector/deal_stages, lifecycle_stages and sales_activity_types");
        }
    }
    if crm?.word() == "pipedrive" {
        for word in stages
            .values()
            .chain(&pipeline)
            .chain(owners.values())
            .filter(|word| word.parse::<i64>().is_err())
        {
            view.error(
                "R106",
                format!("\"{word}\" is no number: Pipedrive names stages, pipelines and users by ids"),
            )
            .hint("the address of the pipeline's page ends with its number");
        }
        if won.is_some() || lost.is_some() {
            view.error("R106", "Pipedrive's deals are won and lost by themselves, not by a stage")
                .hint("take `won` and `lost` out");
        }
    }
    Some(Connection {
        name: name?,
        crm: crm?,
        base: base?.trim_end_matches('/').to_owned(),
        token: Secret::new(token?),
        login: login.zip(password.map(Secret::new)),
        client_secret: client_secret.map(Secret::new),
        hook: hook.map(Secret::new),
        language: match language {
            Some("es") => Language::Es,
            _ => Language::En,
        },
        currency: currency.unwrap_or_else(|| "EUR".to_owned()),
        people_in,
        consent,
        lifecycle,
        pipeline,
        stages,
        won,
        lost,
        activity,
        owners,
        ids,
        fields,
        version,
    })
}

fn is_address(text: &str) -> bool {
    url::Url::parse(text).is_ok_and(|url| {
        matches!(url.scheme(), "http" | "https")
            && url.has_host()
            && url.username().is_empty()
            && url.query().is_none()
            && url.fragment().is_none()
    })
}

/// A text that may stand in a header.
fn is_plain(text: &str, least: usize, most: usize) -> bool {
    (least..=most).contains(&text.len()) && text.chars().all(|c| c.is_ascii_graphic())
}

fn has_twins(stages: &BTreeMap<String, String>) -> bool {
    let mut seen: Vec<&String> = stages.values().collect();
    seen.sort_unstable();
    seen.windows(2).any(|pair| pair.first() == pair.last())
}

/// A stage of ours; aliases are taken for their stages.
fn stage(text: &str, view: View<'_>, at: &crate::base::diagnostic::Mark, names: &Names) -> Option<String> {
    let stage = names.aliases.get(text).map_or(text, String::as_str);
    if names.stages.as_ref().is_some_and(|stages| !stages.iter().any(|known| known == stage)) {
        view.report
            .error(at, "R103", format!("there is no stage \"{text}\""))
            .did_you_mean(text, names.words().unwrap_or_default());
        return None;
    }
    Some(stage.to_owned())
}

fn stages_in(view: View<'_>, names: &Names) -> Vec<String> {
    let texts = view.list().unwrap_or_default().into_iter().filter_map(View::spanned);
    texts.filter_map(|text| stage(&text.value, view, &text.at, names)).collect()
}

fn by_stage(view: View<'_>, names: &Names) -> BTreeMap<String, String> {
    let Some(map) = view.map() else { return BTreeMap::new() };
    let entries = map.entries().into_iter();
    entries
        .filter_map(|(key, value)| Some((stage(&key.value, value, &key.at, names)?, value.str()?)))
        .collect()
}

fn texts(view: View<'_>) -> BTreeMap<String, String> {
    let Some(map) = view.map() else { return BTreeMap::new() };
    map.entries()
        .into_iter()
        .filter_map(|(key, value)| Some((key.value.to_lowercase(), value.str()?)))
        .collect()
}

fn ids(view: View<'_>) -> BTreeMap<Thing, String> {
    let Some(mut map) = view.map() else { return BTreeMap::new() };
    let mut ids = BTreeMap::new();
    for thing in [Thing::Company, Thing::Contact, Thing::Deal] {
        if let Some(field) = map.optional(thing.word()).and_then(field_name) {
            ids.insert(thing, field);
        }
    }
    map.finish();
    ids
}

/// The name of a field over there: their letters, digits and few signs.
fn field_name(view: View<'_>) -> Option<String> {
    view.parsed("the name of a field over there", |text| is_field(text).then(|| text.to_owned()))
}

fn is_field(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 100
        && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.'))
}

fn fields(view: View<'_>) -> BTreeMap<Thing, Vec<(String, Source)>> {
    let Some(mut map) = view.map() else { return BTreeMap::new() };
    let mut fields = BTreeMap::new();
    for thing in Thing::ALL {
        let Some(entries) = map.optional(thing.word()).and_then(View::map) else { continue };
        let mut of_thing = Vec::new();
        for (key, value) in entries.entries() {
            if !is_field(&key.value) {
                view.report.error(&key.at, "R107", format!("\"{}\" is no name of a field", key.value)).done();
                continue;
            }
            let Some(text) = value.spanned() else { continue };
            match Source::parse(&text.value, thing) {
                Some(source) => of_thing.push((key.value.clone(), source)),
                None => {
                    let offered = Source::offered(thing);
                    value
                        .error(
                            "R107",
                            format!("nothing called \"{}\" goes into a {}", text.value, thing.word()),
                        )
                        .did_you_mean(&text.value, offered.iter().map(String::as_str));
                }
            }
        }
        fields.insert(thing, of_thing);
    }
    map.finish();
    fields
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::yaml;

    fn names() -> Names {
        let doc = yaml::parse("l", include_str!("../../config/lifecycle.yaml"), &Report::new());
        Names::read(&doc.expect("a tree"))
    }

    fn codes(text: &str) -> Vec<String> {
        let report = Report::new();
        let read = Connections::parse("crm.yaml", text, &names(), &report);
        assert_eq!(read.is_none(), report.has_errors());
        report.diagnostics().iter().map(|d| format!("{}:{} {}", d.line, d.col, d.code)).collect()
    }

    #[test]
    fn the_shipped_file_is_valid_and_so_is_what_it_shows() {
        let shipped = include_str!("../../config/crm.yaml");
        assert_eq!(codes(shipped), Vec::<String>::new());
        // What stands there as an example, taken at its word.
        let shown: String = shipped
            .lines()
            .skip_while(|line| !line.starts_with("connections"))
            .map(|line| line.strip_prefix("connections: []").map_or(line, |_| "connections:"))
            .map(|line| format!("{}\n", line.strip_prefix('#').unwrap_or(line)))
            .collect();
        let shown = shown.replace("env:", "");
        let shown = shown.replace("PIPEDRIVE_HOOK", "abcdefghijklmnopqrstuvwxyz");
        let shown = shown.replace("PIPEDRIVE_PASSWORD", "a-long-password");
        assert_eq!(codes(&shown), Vec::<String>::new(), "{shown}");
        let read = Connections::parse("c", &shown, &names(), &Report::new()).expect("right");
        assert_eq!(read.all.len(), 1);
        assert!(!format!("{read:?}").contains("PIPEDRIVE_TOKEN"), "a token is not printed");
    }

    #[test]
    fn a_mistake_is_told_where_it_stands_and_says_no_secret() {
        let one = |rest: &str| {
            codes(&format!("connections:\n  - {{name: x, kind: pipedrive, token: abcdef{rest}}}\n"))
        };
        assert_eq!(one(""), Vec::<String>::new());
        assert_eq!(one(", stages: {sqx: 1}"), ["2:56 R103"]);
        assert_eq!(one(", stages: {sql: 1, sal: 1}"), ["2:55 R104"]);
        assert_eq!(one(", stages: {prospect: new}"), ["2:5 R106"]);
        assert_eq!(one(", hook: abcdefghijklmnopqrstuvwxyz"), ["2:5 R105"]);
        assert_eq!(one(", hook: short"), ["2:53 Y004"]);
        assert_eq!(one(", fields: {company: {a: contact.email}}"), ["2:69 R107"]);
        assert_eq!(one(", fields: {person: {a: contact.email}}"), ["2:56 Y003"]);
        assert_eq!(one(", won: 3"), ["2:5 R106"]);
        assert_eq!(
            codes("connections:\n  - {name: x, kind: freshsales, token: abcdef}\n"),
            ["2:5 R102", "2:5 R106"]
        );
        assert_eq!(codes("connections:\n  - {name: x, kind: salesforce, token: abcdef}\n"), ["2:21 Y004"]);
        let twice = "  - {name: x, kind: hubspot, token: abcdef}\n";
        assert_eq!(codes(&format!("connections:\n{twice}{twice}")), ["3:5 R101"]);
        let report = Report::new();
        Connections::parse(
            "c",
            "connections:\n  - {name: x, kind: hubspot, token: hu ter2}\n",
            &names(),
            &report,
        );
        assert!(
            report.has_errors() && !report.diagnostics().iter().any(|found| found.message.contains("ter2"))
        );
    }
}
