//! Who is told about: people by what brought them first, who looks after them, where they are, and their company.

use std::collections::{HashMap, HashSet};

use super::Reached;
use crate::base::ids::ContactId;
use crate::storage::Result;
use crate::storage::db::Queries;
use crate::{hits, params, sql};

/// What stands for "nothing is known" in an address and in a table.
pub const NONE: &str = "(none)";

/// The visit that somebody came with first, of those that she allowed to be kept.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Origin {
    pub channel: Option<String>,
    pub source: Option<String>,
    pub campaign: Option<String>,
    pub country: Option<String>,
}

/// By what people are told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    Source,
    Campaign,
    Owner,
    Country,
    Company,
}

impl By {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Source, Self::Campaign, Self::Owner, Self::Country, Self::Company];

    /// The word in an address.
    pub fn word(self) -> &'static str {
        match self {
            Self::Source => "source",
            Self::Campaign => "campaign",
            Self::Owner => "owner",
            Self::Country => "country",
            Self::Company => "company",
        }
    }

    /// What a word means.
    pub fn of_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|by| by.word() == word)
    }
}

/// Only those of whom something holds, or does not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filter {
    pub by: By,
    pub value: String,
    pub is_not: bool,
}

impl Filter {
    /// Reads `source:google`, `!owner:mike@faro.example`; nothing if it is neither.
    pub fn read(text: &str) -> Option<Self> {
        let (is_not, rest) = text.strip_prefix('!').map_or((false, text), |rest| (true, rest));
        let (by, value) = rest.split_once(':')?;
        let value = value.trim();
        let by = By::of_word(by).filter(|_| !value.is_empty())?;
        Some(Self { by, value: value.to_owned(), is_not })
    }

    /// The same as it is read.
    pub fn text(&self) -> String {
        format!("{}{}:{}", if self.is_not { "!" } else { "" }, self.by.word(), self.value)
    }

    /// Whether it lets somebody through; owners and companies go by either of their names.
    fn lets_in(&self, person: &Person, origin: Option<&Origin>) -> bool {
        let wanted = self.value.to_lowercase();
        let of_origin =
            |pick: fn(&Origin) -> &Option<String>| origin.and_then(|origin| pick(origin).as_deref());
        let known: [Option<&str>; 2] = match self.by {
            By::Source => [of_origin(|origin| &origin.source), None],
            By::Campaign => [of_origin(|origin| &origin.campaign), None],
            By::Country => [of_origin(|origin| &origin.country), None],
            By::Owner => [person.owner_email.as_deref(), person.owner.as_deref()],
            By::Company => [person.domain.as_deref(), person.company.as_deref()],
        };
        let mut known = known.into_iter().flatten().peekable();
        let is_so = match known.peek() {
            None => wanted == NONE,
            Some(_) => known.any(|known| known.to_lowercase() == wanted),
        };
        is_so != self.is_not
    }
}

/// What a filter asks of somebody.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Person {
    owner_email: Option<String>,
    owner: Option<String>,
    domain: Option<String>,
    company: Option<String>,
}

/// Everybody, or only some.
#[derive(Debug, Clone, Default)]
pub struct Only(Option<HashSet<ContactId>>);

impl Only {
    /// Whether somebody is meant.
    pub fn has(&self, contact: ContactId) -> bool {
        self.0.as_ref().is_none_or(|some| some.contains(&contact))
    }

    /// Whether somebody who may not be known is meant. Of strangers nothing holds, so that no filter lets them in.
    pub fn has_perhaps(&self, contact: Option<ContactId>) -> bool {
        match (&self.0, contact) {
            (None, _) => true,
            (Some(some), Some(contact)) => some.contains(&contact),
            (Some(_), None) => false,
        }
    }

    /// Whether everybody is meant.
    pub fn is_everybody(&self) -> bool {
        self.0.is_none()
    }
}

/// What brought each person first. Whoever was merged into another has that one's.
///
/// # Errors
/// As the store says.
pub async fn origins(q: &mut impl Queries) -> Result<HashMap<ContactId, Origin>> {
    let rows = q
        .query(
            sql!(
                "select contact_id, channel, source, campaign, country
                 from (
                     select coalesce(c.merged_into, c.id) as contact_id, s.channel, s.source, s.campaign, s.country,
                         row_number() over (
                             partition by coalesce(c.merged_into, c.id) order by s.started_at, s.id) as place
                     from visits s
                     join visitors v on v.id = s.visitor
                     join contacts c on c.id = v.contact_id
                     where s.consent > 0 and s.bot is null
                 ) as firsts
                 where place = 1"
            ),
            params![],
        )
        .await?;
    let mut found: Vec<(ContactId, [Option<i64>; 4])> = Vec::with_capacity(rows.len());
    for row in &rows {
        let words = [row.get("channel")?, row.get("source")?, row.get("campaign")?, row.get("country")?];
        found.push((row.get("contact_id")?, words));
    }
    let texts =
        hits::texts_of(q, found.iter().flat_map(|(_, words)| words.iter().copied().flatten())).await?;
    let told = |word: Option<i64>| word.and_then(|word| texts.get(&word).cloned());
    let origins = found.into_iter().map(|(contact, [channel, source, campaign, country])| {
        let origin = Origin {
            channel: told(channel),
            source: told(source),
            campaign: told(campaign),
            country: told(country),
        };
        (contact, origin)
    });
    Ok(origins.collect())
}

/// Those whom all filters let through, with the contacts that were merged into them; everybody without a filter.
///
/// # Errors
/// As the store says.
pub async fn only(q: &mut impl Queries, filters: &[Filter]) -> Result<Only> {
    if filters.is_empty() {
        return Ok(Only(None));
    }
    let asks_origin = filters.iter().any(|filter| !matches!(filter.by, By::Owner | By::Company));
    let origins = if asks_origin { origins(q).await? } else { HashMap::new() };
    let rows = q
        .query(
            sql!(
                "select c.id, k.id as kept_id, a.email as owner_email, a.name as owner, co.domain, co.name as company
                 from contacts c
                 join contacts k on k.id = coalesce(c.merged_into, c.id)
                 left join accounts a on a.id = k.owner_id
                 left join companies co on co.id = k.company_id"
            ),
            params![],
        )
        .await?;
    let mut some = HashSet::new();
    for row in &rows {
        let person = Person {
            owner_email: row.get("owner_email")?,
            owner: row.get("owner")?,
            domain: row.get("domain")?,
            company: row.get("company")?,
        };
        let origin = origins.get(&row.get("kept_id")?);
        if filters.iter().all(|filter| filter.lets_in(&person, origin)) {
            some.insert(row.get("id")?);
        }
    }
    Ok(Only(Some(some)))
}

/// Splits what was reached by a property of whoever reached it.
pub fn parted<'a>(
    rows: &'a [Reached],
    origins: &HashMap<ContactId, Origin>,
    pick: fn(&Origin) -> &Option<String>,
) -> HashMap<String, Vec<&'a Reached>> {
    let mut parts: HashMap<String, Vec<&Reached>> = HashMap::new();
    for row in rows {
        let key = origins.get(&row.contact).and_then(|origin| pick(origin).clone());
        parts.entry(key.unwrap_or_else(|| NONE.to_owned())).or_default().push(row);
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lets_in(filter: &str) -> bool {
        let person = Person {
            owner_email: Some("mike@faro.example".to_owned()),
            owner: Some("Mike García".to_owned()),
            domain: None,
            company: None,
        };
        let origin = Origin { source: Some("Google".to_owned()), ..Origin::default() };
        Filter::read(filter).expect(filter).lets_in(&person, Some(&origin))
    }

    #[test]
    fn filters_are_read_and_written_the_same() {
        for text in ["source:google", "!owner:mike@faro.example", "company:(none)", "campaign:a:b"] {
            assert_eq!(Filter::read(text).expect(text).text(), text);
        }
        for text in ["", "source", "source:", "planet:Mars", "source: "] {
            assert_eq!(Filter::read(text), None, "{text}");
        }
    }

    #[test]
    fn a_filter_lets_in_those_of_whom_it_holds_and_its_opposite_the_others() {
        assert!(
            lets_in("source:google") && lets_in("owner:mike garcía") && lets_in("owner:MIKE@faro.example")
        );
        assert!(!lets_in("!source:google") && !lets_in("owner:ana") && !lets_in("company:acme.example"));
        assert!(lets_in("company:(none)") && lets_in("!company:acme.example") && lets_in("campaign:(none)"));
        assert!(!lets_in("source:(none)"));
    }

    #[test]
    fn strangers_are_meant_only_where_everybody_is() {
        let known = ContactId::new();
        let some = Only(Some(HashSet::from([known])));
        assert!(some.has(known) && some.has_perhaps(Some(known)));
        assert!(!some.has(ContactId::new()) && !some.has_perhaps(None));
        assert!(Only::default().has_perhaps(None) && Only::default().is_everybody());
    }
}
