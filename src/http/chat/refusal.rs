//! Refusals in the visitor's language.
//!
//! The widget shows a refusal's `detail` to whoever talks, so at these doors it is said to her: in the language of her
//! conversation, which its token carries, else in the one that she asks for. Codes, titles and further members stay what they
//! are at every door. What only a program can get wrong is told to whoever writes the program, in English.

use actix_web::HttpRequest;
use serde::Deserialize;

use crate::base::language::Language;
use crate::base::signing::{Purpose, TokenError};
use crate::http::Shared;
use crate::http::error::Problem;
use crate::http::pages::wait_of;
use crate::http::request::{self, bearer};

/// Problems of programs: no widget of ours has them.
pub const OF_PROGRAMS: [&str; 5] = [
    "chat.client_id_reused",
    "chat.sequence_unknown",
    "request.malformed",
    "request.not_found",
    "request.too_large",
];

/// Where the words stand (`render/texts/LANGUAGE/problems.yaml`).
const WORDS: &str = "problems.said";

/// Who begins a conversation says where and in which language.
#[derive(Deserialize)]
struct Speaks {
    #[serde(default)]
    language: String,
    #[serde(default)]
    site: String,
}

/// The language of whoever talks in a conversation.
pub fn language(app: &Shared, request: &HttpRequest) -> Language {
    let read = |token| match app.room.keys.verify(Purpose::Conversation, token, app.clock.now()) {
        Ok(claims) => claims.language,
        Err(TokenError::Expired(claims)) => claims.language,
        Err(TokenError::Forged) => None,
    };
    bearer(request).and_then(read).or_else(|| request::language(request)).unwrap_or_default()
}

/// The language of whoever begins one, as the conversation would have it.
pub fn language_of(app: &Shared, request: &HttpRequest, body: &[u8]) -> Language {
    let speaks =
        serde_json::from_slice(body).unwrap_or(Speaks { language: String::new(), site: String::new() });
    let of_site = || app.sites.find(&speaks.site).ok().map(|site| site.language);
    let asked = || request::language(request);
    Language::of_tag(&speaks.language).or_else(of_site).or_else(asked).unwrap_or_default()
}

/// The problem as a visitor reads it.
pub fn told(app: &Shared, language: Language, problem: Problem) -> Problem {
    if OF_PROGRAMS.contains(&problem.code()) {
        return problem;
    }
    let texts = app.templates.texts();
    let mut values: Vec<(&str, String)> =
        ["characters", "most"].iter().filter_map(|name| Some((*name, problem.extra(name)?))).collect();
    values.extend(wait_of(texts, language, &problem).map(|wait| ("wait", wait)));
    let key = match problem.extra("reason") {
        Some(reason) => format!("{WORDS}.{}.{reason}", problem.code()),
        // One of the reasons that only a program has.
        None if problem.code() == "chat.message_invalid" => return problem,
        None => format!("{WORDS}.{}", problem.code()),
    };
    let text = texts.get(language, &key, &values);
    match text.or_else(|| texts.get(language, &format!("{WORDS}.other"), &[])) {
        Some(text) => problem.saying(text),
        None => problem,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::http::openapi::document;
    use crate::render::Templates;

    #[test]
    fn a_visitor_can_read_every_refusal_of_these_doors_in_both_languages() {
        let document = document();
        let mut codes = BTreeSet::new();
        let paths = document["paths"].as_object().expect("paths");
        for (_, item) in paths.iter().filter(|(path, _)| path.starts_with("/v1/chat")) {
            let answers =
                item.as_object().into_iter().flatten().filter_map(|(_, of)| of["responses"].as_object());
            for answer in answers.flat_map(|answers| answers.values()) {
                let schema = &answer["content"]["application/problem+json"]["schema"]["allOf"][1];
                let named = schema["properties"]["code"]["enum"].as_array();
                codes.extend(named.into_iter().flatten().filter_map(|code| code.as_str().map(str::to_owned)));
            }
        }
        assert!(codes.len() > 12, "{codes:?}");
        let templates = Templates::embedded().expect("they are valid");
        for code in codes.iter().filter(|code| !OF_PROGRAMS.contains(&code.as_str())) {
            let reasons: &[&str] =
                if code == "chat.message_invalid" { &[".empty", ".long", ".again"] } else { &[""] };
            for (reason, language) in
                reasons.iter().flat_map(|one| Language::ALL.map(|language| (one, language)))
            {
                let key = format!("{WORDS}.{code}{reason}");
                assert!(templates.texts().get(language, &key, &[]).is_some(), "{key} in {}", language.code());
            }
        }
    }
}
