//! What an address and its answers are held against before anybody is let in: the list of providers that throw mail away,
//! the form's own policy on private addresses, and whether a mail server is there at all.
//!
//! The cheap layers stand before it (`http/forms`): origin, nonce and fill time, honeypot, limits. What is only odd is
//! not refused but set apart ([`Reason`]), so that a person can look and let it in.

mod exchanges;

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::{LazyLock, Mutex};
use std::time::SystemTime;

pub use exchanges::{Exchanges, resolver};

use super::form::{Answers, FieldError, FieldKind, Form, FreeMail, Invalid};
use crate::base::time::Timestamp;

/// Domains of the services whose addresses are thrown away most often, sorted. The services that change their domains
/// every week are caught by no list that is built in: a file of the operator's own adds to it and takes from it, and is read
/// again whenever it changes.
const DISPOSABLE: &str = include_str!("disposable.txt");

static KNOWN: LazyLock<HashSet<&'static str>> = LazyLock::new(|| DISPOSABLE.lines().collect());

/// Links in an answer of several lines from which on it is odd.
const MANY_LINKS: usize = 3;

/// Why a submission is set apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// A field was filled in that no person sees.
    Honeypot,
    /// The form is being sent far more often than ever.
    Flood,
    /// Addresses of websites where a name belongs.
    Links,
}

impl Reason {
    /// The word for it, as it is stored.
    pub fn word(self) -> &'static str {
        match self {
            Self::Honeypot => "honeypot",
            Self::Flood => "flood",
            Self::Links => "links",
        }
    }
}

/// The layers that look at the address.
pub struct Screen {
    own: Option<Own>,
    exchanges: Option<Exchanges>,
}

impl Screen {
    /// With the operator's own list (read again whenever it changes) and, if wanted, with mail servers looked up.
    pub fn new(own_list: Option<PathBuf>, exchanges: Option<Exchanges>) -> Self {
        let own = own_list.map(|path| Own { path, read: Mutex::default() });
        Self { own, exchanges }
    }

    /// Looks at checked answers. `is_warned`: the visitor has seen a warning and sent the form again.
    ///
    /// # Errors
    /// [`Invalid`] if the address cannot be taken.
    pub async fn look(
        &self,
        form: &Form,
        answers: &Answers,
        is_warned: bool,
        now: Timestamp,
    ) -> Result<Option<Reason>, Invalid> {
        let (email, refuse) = (&answers.email, |error| Err(Invalid::email(error)));
        if self.is_disposable(email.domain()) {
            return refuse(FieldError::Disposable);
        }
        match form.free_mail {
            FreeMail::Block if email.is_free_mail() => return refuse(FieldError::FreeMail),
            FreeMail::Warn if email.is_free_mail() && !is_warned => {
                return refuse(FieldError::FreeMailWarning);
            }
            FreeMail::Allow | FreeMail::Warn | FreeMail::Block => {}
        }
        if let Some(exchanges) = &self.exchanges
            && !exchanges.take_mail(email.domain(), now).await
        {
            return refuse(FieldError::NoMailServer);
        }
        Ok(is_odd(form, answers).then_some(Reason::Links))
    }

    fn is_disposable(&self, domain: &str) -> bool {
        let own = |name: &str| self.own.as_ref().and_then(|own| own.says(name));
        // `x.mailinator.com` is as good as `mailinator.com`; the nearest word counts.
        let mut name = domain;
        loop {
            if let Some(says) = own(name) {
                return says;
            }
            if KNOWN.contains(name) {
                return true;
            }
            match name.split_once('.') {
                Some((_, parent)) if parent.contains('.') => name = parent,
                Some(_) | None => return false,
            }
        }
    }
}

/// Whether the answers look like what programs leave in forms.
fn is_odd(form: &Form, answers: &Answers) -> bool {
    let links = |text: &str| text.matches("://").count() + text.matches("www.").count();
    form.fields.iter().chain(&form.queue).any(|field| {
        let count = answers.fields.get(&field.name).map_or(0, |text| links(text));
        match field.kind {
            FieldKind::Text => count > 0,
            FieldKind::Textarea => count >= MANY_LINKS,
            _ => false,
        }
    })
}

/// The operator's own list: a domain a line, `!` before one that is fine, `#` before a remark.
struct Own {
    path: PathBuf,
    read: Mutex<(Option<SystemTime>, HashSet<String>, HashSet<String>)>,
}

impl Own {
    /// What the list says of a domain, if it says anything.
    fn says(&self, domain: &str) -> Option<bool> {
        let mut read = self.read.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let changed = std::fs::metadata(&self.path).and_then(|file| file.modified()).ok();
        if changed.is_some() && changed != read.0 {
            match std::fs::read_to_string(&self.path) {
                Ok(text) => {
                    let (fine, bad) = sorted_out(&text);
                    *read = (changed, fine, bad);
                }
                // What was read before goes on being right.
                Err(error) => tracing::warn!(error = %error, "the list of disposable domains cannot be read"),
            }
        }
        if read.1.contains(domain) {
            return Some(false);
        }
        read.2.contains(domain).then_some(true)
    }
}

fn sorted_out(text: &str) -> (HashSet<String>, HashSet<String>) {
    let lines = text.lines().map(|line| line.split('#').next().unwrap_or_default().trim().to_lowercase());
    let (fine, bad): (Vec<String>, Vec<String>) =
        lines.filter(|line| !line.is_empty()).partition(|line| line.starts_with('!'));
    (
        fine.into_iter().map(|line| line.trim_start_matches('!').to_owned()).collect(),
        bad.into_iter().collect(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_sorted_and_holds_no_provider_that_people_use() {
        assert!(DISPOSABLE.lines().is_sorted() && KNOWN.len() > 100);
        for used in
            ["gmail.com", "outlook.com", "hotmail.es", "icloud.com", "proton.me", "yahoo.es", "gmx.de"]
        {
            assert!(!KNOWN.contains(used), "{used}");
        }
    }

    #[test]
    fn the_operators_own_list_goes_before_the_known_one_and_is_read_again_when_it_changes() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("disposable.txt");
        let screen = Screen::new(Some(path.clone()), None);
        assert!(screen.is_disposable("mailinator.com") && screen.is_disposable("x.mailinator.com"));
        assert!(!screen.is_disposable("acme.example") && !screen.is_disposable("com"));
        std::fs::write(&path, "acme.example # a joke\n!mailinator.com\n").expect("written");
        assert!(screen.is_disposable("acme.example") && screen.is_disposable("sub.acme.example"));
        assert!(!screen.is_disposable("mailinator.com") && !screen.is_disposable("x.mailinator.com"));
        std::fs::write(&path, "# nothing\n").expect("written");
        let later = SystemTime::now() + std::time::Duration::from_secs(5);
        std::fs::File::options()
            .append(true)
            .open(&path)
            .and_then(|file| file.set_modified(later))
            .expect("touched");
        assert!(!screen.is_disposable("acme.example") && screen.is_disposable("mailinator.com"));
    }
}
