//! MJML to HTML that mail programs show alike, once, when the templates are read.
//!
//! What a mail says is put in afterwards, by Handlebars with its escaping: nothing that a visitor typed is ever read as
//! MJML.

use mrml::mjml::Mjml;
use mrml::prelude::render::RenderOptions;

/// The HTML of an MJML source whose texts and attributes may hold `{{…}}`.
///
/// # Errors
/// What is wrong with the source, in words.
pub fn compile(source: &str) -> Result<String, String> {
    let root = Mjml::parse(source).map_err(|error| error.to_string())?;
    let options = RenderOptions { fonts: std::collections::HashMap::new(), ..RenderOptions::default() };
    root.element.render(&options).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holes_come_through_as_they_were_written() {
        let html = compile(
            "<mjml><mj-body><mj-raw>{{#each lines}}</mj-raw><mj-section><mj-column>\
             <mj-text color=\"{{colour}}\">{{this}}</mj-text></mj-column></mj-section><mj-raw>{{/each}}</mj-raw>\
             </mj-body></mjml>",
        )
        .expect("valid");
        for hole in ["{{#each lines}}", "{{colour}}", "{{this}}", "{{/each}}"] {
            assert!(html.contains(hole), "{hole}\n{html}");
        }
        assert!(html.find("{{#each lines}}") < html.find("{{this}}"));
    }

    #[test]
    fn what_is_no_mjml_is_refused_in_words() {
        assert!(!compile("<mjml><mj-body>").expect_err("broken off").is_empty());
    }
}
