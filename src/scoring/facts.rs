//! What scoring and the stages know about a contact.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;
use serde_json::Value;

use super::tags::Tag;
use super::titles::{Seniority, Titles};
use crate::base::email::Email;
use crate::base::expr::Context;
use crate::base::ids::ActivityId;
use crate::base::time::Timestamp;
use crate::companies::{self, head_count};

/// Something a visitor or contact did, as `activities` holds it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Activity {
    /// Its id.
    pub id: ActivityId,
    /// What happened, such as `webinar.registered`.
    pub kind: String,
    /// What it was about, such as the webinar's id or the page's path.
    pub subject: Option<String>,
    /// Further details.
    pub props: BTreeMap<String, Value>,
    /// When.
    pub at: Timestamp,
    /// What it is about, once [`Tags::put_on`](super::tags::Tags::put_on) has been asked.
    #[serde(skip)]
    pub tag: Option<Arc<Tag>>,
}

impl Activity {
    /// Whether it is of a kind, or carries a tag that makes it one.
    pub fn is(&self, kind: &str) -> bool {
        self.kind == kind || self.made().any(|made| made == kind)
    }

    /// The kinds that its tag makes of it.
    pub fn made(&self) -> impl Iterator<Item = &str> {
        self.tag.iter().flat_map(|tag| tag.kinds()).map(String::as_str)
    }

    /// Something that happens at `now`.
    pub fn new(kind: &str, subject: impl Into<Option<String>>, props: Value, now: Timestamp) -> Self {
        let props = match props {
            Value::Object(props) => props.into_iter().collect(),
            _ => BTreeMap::new(),
        };
        Self {
            id: ActivityId::new(),
            kind: kind.to_owned(),
            subject: subject.into(),
            props,
            at: now,
            tag: None,
        }
    }

    /// A whole or broken number among the details; 0 when there is none.
    pub fn number(&self, name: &str) -> f64 {
        self.props.get(name).and_then(Value::as_f64).unwrap_or(0.0)
    }
}

/// Facts about the person, as far as rules can ask for them. An unknown text is empty, an unknown number 0.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Facts {
    /// The address' domain.
    pub email_domain: String,
    /// Whether the address is not of a free mail provider.
    pub corporate_email: bool,
    /// What they do, in their words.
    pub job_title: String,
    /// `c_level`, `vp`, `director`, `manager` or `staff`.
    pub seniority: String,
    /// `sales`, `people`, `finance` …
    pub department: String,
    /// How many people work there.
    pub employees: i64,
    /// The company's industry.
    pub industry: String,
    /// ISO 3166-1 alpha-2.
    pub country: String,
    /// Where in the country: as it was said, else of the latest visit (ISO 3166-2, such as `ES-MD`).
    pub region: String,
    /// `en` or `es`.
    pub language: String,
    /// The company that they work for.
    pub company: Company,
    /// Answers to the four questions, by slot: `budget`, `authority`, `need`, `timeline`.
    pub bant: BTreeMap<String, String>,
    /// Whether she objects to being profiled: what she did counts for nothing then.
    pub profiling_off: bool,
}

/// Facts about the company, as far as rules can ask for them. An unknown text is empty, an unknown number 0.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Company {
    /// The domain of its people's addresses.
    pub domain: String,
    /// How many people work there.
    pub employees: i64,
    /// What it does, in small letters.
    pub industry: String,
    /// ISO 3166-1 alpha-2.
    pub country: String,
    /// What sort of company it is, in small letters.
    pub kind: String,
    /// The band of its yearly revenue.
    pub revenue: String,
    /// Whether it has bought from us.
    pub is_customer: bool,
}

/// Where [`Facts::values`] says that somebody objects to being profiled: no condition can name it.
pub(super) const PROFILING_OFF: &str = "#profiling_off";

/// The four qualifying questions.
pub const BANT: [&str; 4] = ["budget", "authority", "need", "timeline"];

/// Answers that mean no or not known, as the flows' choices and people put them.
const NO: &[&str] =
    &["no", "none", "not_yet", "unsure", "other", "later", "browsing", "ninguno", "ninguna", "nada", "0"];

impl Facts {
    /// Facts from the address and the fields that are stored about a contact (`job_title`, `employees`, `bant.need` …).
    pub fn of(email: &Email, language: &str, fields: &BTreeMap<String, String>) -> Self {
        Self::read(email, language, fields, &Titles::default())
    }

    /// The same by the job titles of a company.
    pub fn read(email: &Email, language: &str, fields: &BTreeMap<String, String>, titles: &Titles) -> Self {
        let text = |name: &str| fields.get(name).map(|value| value.trim().to_owned()).unwrap_or_default();
        let job_title = text("job_title");
        let or = |given: String, read: Option<&str>| {
            if given.is_empty() { read.unwrap_or("").to_owned() } else { given }
        };
        Self {
            email_domain: email.domain().to_owned(),
            corporate_email: !email.is_free_mail(),
            seniority: or(text("seniority"), titles.seniority(&job_title).map(Seniority::word)),
            department: or(text("department"), titles.department(&job_title)),
            employees: head_count(&text("employees")),
            industry: text("industry").to_lowercase(),
            country: text("country").to_uppercase(),
            region: text("region"),
            language: language.to_owned(),
            bant: BANT
                .iter()
                .map(|slot| ((*slot).to_owned(), or(text(&format!("bant.{slot}")), Some(&text(slot)))))
                .filter(|(_, answer)| !answer.is_empty())
                .collect(),
            company: Company::default(),
            job_title,
            profiling_off: false,
        }
    }

    /// Takes what is known of the company; it stands for what the person has not said herself.
    #[must_use]
    pub fn of_company(self, company: &companies::Company, is_customer: bool) -> Self {
        let text = |value: &Option<String>| value.clone().unwrap_or_default();
        self.works_for(Company {
            domain: company.domain.clone(),
            employees: company.employees.unwrap_or_default(),
            industry: text(&company.industry),
            country: text(&company.country),
            kind: text(&company.kind),
            revenue: text(&company.revenue),
            is_customer,
        })
    }

    /// As [`of_company`](Self::of_company), of facts about a company.
    #[must_use]
    pub fn works_for(mut self, company: Company) -> Self {
        if self.employees == 0 {
            self.employees = company.employees;
        }
        if self.industry.is_empty() {
            self.industry.clone_from(&company.industry);
        }
        self.company = company;
        self
    }

    /// The facts as conditions name them.
    pub fn values(&self) -> Context {
        let mut values = Context::new();
        values
            .set("contact.email_domain", self.email_domain.as_str())
            .set("contact.corporate_email", self.corporate_email)
            .set("contact.job_title", self.job_title.as_str())
            .set("contact.seniority", self.seniority.as_str())
            .set("contact.department", self.department.as_str())
            .set("contact.employees", self.employees)
            .set("contact.industry", self.industry.as_str())
            .set("contact.country", self.country.as_str())
            .set("contact.region", self.region.as_str())
            .set("contact.language", self.language.as_str())
            .set("company.domain", self.company.domain.as_str())
            .set("company.employees", self.company.employees)
            .set("company.industry", self.company.industry.as_str())
            .set("company.country", self.company.country.as_str())
            .set("company.kind", self.company.kind.as_str())
            .set("company.revenue", self.company.revenue.as_str())
            .set("company.is_customer", self.company.is_customer)
            .set(PROFILING_OFF, self.profiling_off)
            .set("bant_known", self.bant_known())
            .set("bant_positive", self.bant_positive());
        for slot in BANT {
            let answer = self.bant.get(slot).cloned().unwrap_or_default();
            values.set(&format!("bant.{slot}"), answer);
        }
        values
    }

    /// Takes the country and the region of the latest visit that tells one, where nobody said.
    pub fn learn_from(&mut self, activities: &[Activity]) {
        let latest = |name: &str| {
            let told = |activity: &&Activity| activity.props.get(name).is_some_and(Value::is_string);
            let latest = activities.iter().filter(told).max_by_key(|activity| activity.at);
            latest.and_then(|activity| activity.props.get(name)).and_then(Value::as_str)
        };
        if self.country.is_empty() {
            self.country = latest("country").unwrap_or_default().to_uppercase();
        }
        if self.region.is_empty() {
            self.region = latest("region").unwrap_or_default().to_owned();
        }
    }

    /// How many of the four questions are answered.
    pub fn bant_known(&self) -> usize {
        self.bant.len()
    }

    /// How many of the four questions are answered with anything but a no.
    pub fn bant_positive(&self) -> usize {
        self.bant.values().filter(|answer| !NO.contains(&answer.to_lowercase().as_str())).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(fields: &[(&str, &str)]) -> Facts {
        let fields = fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Facts::of(&Email::parse("nikki@acme.example").expect("valid"), "en", &fields)
    }

    #[test]
    fn a_job_title_fills_seniority_and_department_unless_they_were_given() {
        let read = facts(&[("job_title", "Directora de Formación")]);
        assert_eq!((read.seniority.as_str(), read.department.as_str()), ("director", "learning"));
        let given = facts(&[("job_title", "Directora de Formación"), ("department", "people")]);
        assert_eq!(given.department, "people");
    }

    #[test]
    fn a_no_is_known_but_not_positive() {
        let facts = facts(&[("bant.budget", "no"), ("need", "Reading clubs"), ("bant.authority", " ")]);
        assert_eq!((facts.bant_known(), facts.bant_positive()), (2, 1));
    }
}
