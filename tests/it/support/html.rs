//! What a browser would make of a page: its elements with their attributes, by the states of the standard's tokenizer that
//! matter for what is hostile (WHATWG HTML, 13.2.5). Nothing is repaired; a `<` that begins no tag is text.

/// An element's start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Element {
    pub name: String,
    /// Names in small letters; values with their references resolved as far as tests need it.
    pub attributes: Vec<(String, String)>,
}

/// The page: its elements in order, and all text between them.
#[derive(Debug, Default)]
pub struct Page {
    pub elements: Vec<Element>,
    pub text: String,
    pub comments: Vec<String>,
}

/// Reads a page.
pub fn read(html: &str) -> Page {
    let mut page = Page::default();
    let mut rest = html;
    while let Some(at) = rest.find('<') {
        page.text.push_str(&resolved(&rest[..at]));
        let tag = &rest[at + 1..];
        if let Some(comment) = tag.strip_prefix("!--") {
            let end = comment.find("-->").unwrap_or(comment.len());
            page.comments.push(comment[..end].to_owned());
            rest = comment.get(end + 3..).unwrap_or("");
        } else if tag.starts_with('!') || tag.starts_with('?') {
            rest = tag.find('>').map_or("", |end| &tag[end + 1..]);
        } else if let Some(end_tag) = tag.strip_prefix('/') {
            rest = end_tag.find('>').map_or("", |end| &end_tag[end + 1..]);
        } else if tag.starts_with(|c: char| c.is_ascii_alphabetic()) {
            let (element, after) = element(tag);
            rest = after;
            // Until its end nothing within is a tag.
            if matches!(element.name.as_str(), "script" | "style" | "textarea" | "title") {
                let close = format!("</{}", element.name);
                let end = rest.to_ascii_lowercase().find(&close).unwrap_or(rest.len());
                if matches!(element.name.as_str(), "textarea" | "title") {
                    page.text.push_str(&resolved(&rest[..end]));
                }
                rest = &rest[end..];
            }
            page.elements.push(element);
        } else {
            page.text.push('<');
            rest = tag;
        }
    }
    page.text.push_str(&resolved(rest));
    page
}

fn element(tag: &str) -> (Element, &str) {
    let is_end = |c: char| c.is_ascii_whitespace() || c == '/' || c == '>';
    let at = tag.find(is_end).unwrap_or(tag.len());
    let mut element = Element { name: tag[..at].to_ascii_lowercase(), attributes: Vec::new() };
    let mut rest = &tag[at..];
    loop {
        rest = rest.trim_start_matches(|c: char| c.is_ascii_whitespace() || c == '/');
        if rest.is_empty() {
            return (element, rest);
        }
        if let Some(after) = rest.strip_prefix('>') {
            return (element, after);
        }
        let at = rest[1..].find(|c: char| is_end(c) || c == '=').map_or(rest.len(), |at| at + 1);
        let name = rest[..at].to_ascii_lowercase();
        rest = rest[at..].trim_start_matches(|c: char| c.is_ascii_whitespace());
        let mut value = String::new();
        if let Some(after) = rest.strip_prefix('=') {
            let after = after.trim_start_matches(|c: char| c.is_ascii_whitespace());
            let quote = after.chars().next().filter(|c| matches!(c, '"' | '\''));
            match quote {
                Some(quote) => {
                    let inner = &after[1..];
                    let end = inner.find(quote).unwrap_or(inner.len());
                    value = resolved(&inner[..end]);
                    rest = inner.get(end + 1..).unwrap_or("");
                }
                None => {
                    let end =
                        after.find(|c: char| c.is_ascii_whitespace() || c == '>').unwrap_or(after.len());
                    value = resolved(&after[..end]);
                    rest = &after[end..];
                }
            }
        }
        element.attributes.push((name, value));
    }
}

fn resolved(text: &str) -> String {
    [
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&quot;", "\""),
        ("&#x27;", "'"),
        ("&#39;", "'"),
        ("&#x3D;", "="),
        ("&#x60;", "`"),
    ]
    .into_iter()
    .fold(text.to_owned(), |text, (reference, letter)| text.replace(reference, letter))
    .replace("&amp;", "&")
}

#[test]
fn a_page_is_read_as_a_browser_reads_it() {
    let page = read(
        "<!doctype html><p id=a class='b c' data-x=\"1 > 0\">one &lt;two&gt;<!-- <img> --><br/>\
         <script>if (a < b) '<img onerror=1>'</script><textarea></p><i></textarea><IMG SRC=x onerror=alert(1)>3 < 4",
    );
    let names: Vec<&str> = page.elements.iter().map(|element| element.name.as_str()).collect();
    assert_eq!(names, ["p", "br", "script", "textarea", "img"]);
    assert_eq!(page.elements[0].attributes[2], ("data-x".to_owned(), "1 > 0".to_owned()));
    assert_eq!(page.elements[4].attributes[1], ("onerror".to_owned(), "alert(1)".to_owned()));
    assert!(page.text.contains("one <two>") && page.text.contains("3 < 4"), "{}", page.text);
    assert_eq!(page.comments, [" <img> "]);
}
