//! T, and what stands in texts that should not (D308, S511).

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

use crate::base::diagnostic::Report;

use super::Known;
use crate::chat::flow::Flow;
use crate::chat::steps::{Show, Verb};
use crate::chat::words::Words;

/// Longest text of a bubble and of a choice that reads well, in characters.
const LONG_TEXT: usize = 320;
const LONG_LABEL: usize = 40;
/// Most choices that one question should have.
const MANY: usize = 6;

/// The digests of texts, by flow, `step.field` and language: what they were when somebody last looked at the
/// translations. `bot-flows/translations.lock` keeps it (`embudo check --lock`).
pub type Lock = BTreeMap<String, BTreeMap<String, BTreeMap<String, String>>>;
static UNLOCKED: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();

/// T402 to T409, T411, D308, S511: texts that read badly, lead where they should not, or tell what they should not.
pub fn check(flow: &Flow, known: &Known, report: &Report) {
    let lock = known.lock.as_ref().filter(|_| flow.languages.len() > 1);
    let lock = lock.map(|lock| lock.get(&flow.id).unwrap_or(&UNLOCKED));
    let mut unlocked = Vec::new();
    for step in flow.own_steps() {
        for text in step.verb.words().into_iter().flat_map(Words::versions) {
            if text.length() > LONG_TEXT {
                let message = format!("{} characters are long for a chat bubble", text.length());
                report
                    .warning(&text.at, "T405", message)
                    .hint(format!("{LONG_TEXT} at most read well: make two steps of it"));
            }
            if text.source.contains("http://") {
                report
                    .error(&text.at, "T409", "a link must begin with https://")
                    .hint("browsers warn of what comes without it");
            }
        }
        for (id, words) in step.verb.labels() {
            for text in words.versions().filter(|text| text.length() > LONG_LABEL) {
                let message = format!("the label of \"{id}\" has {} characters", text.length());
                report
                    .warning(&text.at, "T405", message)
                    .hint(format!("{LONG_LABEL} at most fit on a button"));
            }
        }
        for question in step.verb.questions().into_iter().filter(|question| question.choices.len() > MANY) {
            report
                .warning(&step.at, "T406", format!("{} choices are many", question.choices.len()))
                .hint(format!("{MANY} at most can be taken in at once: ask in two steps, or let her type"));
        }
        for words in every(&step.verb) {
            for text in words.versions() {
                for path in text.raw_in_address() {
                    let message = format!("\"{path}\" stands in an address as she typed it");
                    // What else she may have typed is looked at since later: it warns (decision 24).
                    let found = match path.starts_with("vars.") {
                        true => report.error(&text.at, "D308", message),
                        false => report.warning(&text.at, "D308", message),
                    };
                    found.hint(format!("write {{{{urlencode {path}}}}}"));
                }
                if let Some(what) = secret(&text.source) {
                    report
                        .error(&text.at, "S511", format!("this looks like {what}"))
                        .hint("flows are read by many: keep secrets in the settings, and change this one");
                }
            }
            match lock.map(|lock| lock.get(&words.key)) {
                Some(Some(lock)) => stale(words, lock, report),
                Some(None) => {
                    unlocked.extend(words.translations().next().map(|(_, text)| (text, &words.key)))
                }
                None => {}
            }
        }
        pictures(&step.verb, known, report);
    }
    if let [(first, key), more @ ..] = unlocked.as_slice() {
        let rest = if more.is_empty() { String::new() } else { format!(" and {} more texts", more.len()) };
        report
            .warning(&first.at, "T411", format!("the lock does not know \"{key}\"{rest}"))
            .hint("look whether they are translated well, then run `embudo check --lock`");
    }
}

/// T408: what only the eye or only the ear would get.
fn pictures(verb: &Verb, known: &Known, report: &Report) {
    let parts = || verb.parts().iter();
    let shown = parts().filter_map(|verb| match verb {
        Verb::Show(show) => show.picture(),
        _ => None,
    });
    let of_choices = verb.questions().into_iter().flat_map(|question| question.pictures.values());
    for picture in shown.chain(of_choices).filter(|picture| picture.alt.is_none()) {
        report
            .error(&picture.src.at, "T408", "nobody says what this picture shows")
            .hint("add `alt: …`, in words, for those who do not see it");
    }
    for verb in parts() {
        if let Verb::Show(Show::Video { video }) = verb
            && known.silent.contains(&video.value)
        {
            report
                .warning(&video.at, "T408", format!("the recording \"{}\" has no subtitles", video.value))
                .hint("add `captions` to it, for those who do not hear it");
        }
    }
}

/// T402: the source text is another since somebody last looked at this translation, and it is still the old one.
fn stale(words: &Words, lock: &BTreeMap<String, String>, report: &Report) {
    let mut all = words.translations();
    let Some((source, first)) = all.next() else { return };
    let is_same = |language: &str, text: &str| lock.get(language).is_none_or(|known| *known == digest(text));
    if is_same(source.code(), &first.source) {
        return;
    }
    for (language, text) in all.filter(|(language, text)| is_same(language.code(), &text.source)) {
        report
            .warning(
                &text.at,
                "T402",
                format!("\"{}\" has changed, its {} translation has not", words.key, language.code()),
            )
            .hint("translate it anew; if it is right as it is, run `embudo check --lock`");
    }
}

/// What a lock of these flows is.
pub fn lock_of<'f>(flows: impl IntoIterator<Item = &'f Flow>) -> Lock {
    let mut lock = Lock::new();
    for flow in flows.into_iter().filter(|flow| flow.languages.len() > 1) {
        let texts = lock.entry(flow.id.clone()).or_default();
        for words in flow.own_steps().flat_map(|step| every(&step.verb)) {
            let of = words
                .translations()
                .map(|(language, text)| (language.code().to_owned(), digest(&text.source)));
            texts.insert(words.key.clone(), of.collect());
        }
    }
    lock
}

fn digest(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().take(6).map(|byte| format!("{byte:02x}")).collect()
}

/// Every text of a step.
fn every(verb: &Verb) -> Vec<&Words> {
    let labels = verb.labels().into_iter().map(|(_, words)| words);
    let given = verb.given().into_iter().map(|(_, words)| words);
    verb.words().into_iter().chain(labels).chain(given).collect()
}

/// What a word of the text looks like, if it looks like a secret.
fn secret(text: &str) -> Option<&'static str> {
    const BEGINNINGS: [(&str, usize, &str); 8] = [
        ("sk_live_", 16, "a key of a payment service"),
        ("sk-", 20, "a key of a model's service"),
        ("AKIA", 20, "an access key of a cloud"),
        ("ghp_", 20, "a token of a code host"),
        ("github_pat_", 20, "a token of a code host"),
        ("xoxb-", 16, "a token of a chat service"),
        ("eyJ", 40, "a signed token"),
        ("AIza", 30, "a key of a map service"),
    ];
    if text.contains("-----BEGIN") && text.contains("PRIVATE KEY") {
        return Some("a private key");
    }
    let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || "_-.".contains(c)));
    for word in words {
        let known =
            BEGINNINGS.iter().find(|(begin, least, _)| word.starts_with(begin) && word.len() >= *least);
        if let Some((_, _, what)) = known {
            return Some(what);
        }
        let has = |of: fn(&char) -> bool| word.chars().any(|c| of(&c));
        let is_mixed = has(char::is_ascii_lowercase) && has(char::is_ascii_digit);
        let is_hex = word.bytes().all(|byte| byte.is_ascii_hexdigit());
        let is_random =
            is_mixed && has(char::is_ascii_uppercase) && word.bytes().all(|b| b.is_ascii_alphanumeric());
        if word.len() >= 32 && (is_mixed && is_hex || is_random) {
            return Some("a password or a key");
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::secret;

    #[test]
    fn what_looks_like_a_secret_is_told_and_what_people_write_is_not() {
        for text in [
            "Use sk_live_4eC39HqLyjWDarjtT1zdp7dc to pay",
            "key=AKIAIOSFODNN7EXAMPLE",
            "0123456789abcdef0123456789abcdef",
            "-----BEGIN RSA PRIVATE KEY-----",
        ] {
            assert!(secret(text).is_some(), "{text}");
        }
        for text in [
            "Electroencefalografistas y otorrinolaringólogos leen más",
            "https://faro.example/guides/reading-programmes-for-companies-2027.pdf",
            "Call us at 0034 600 123 456 789 012 345",
            "antidisestablishmentarianismantidisestablishmentarianism",
        ] {
            assert_eq!(secret(text), None, "{text}");
        }
    }
}
