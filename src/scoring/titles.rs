//! Job titles, read as seniority and department in English and Spanish.
//!
//! People write "Dir. de Ventas", "VP Sales" or "Head of L&D"; rules want `director` and `sales`. A company that knows other
//! titles writes them into a file of its own ([`Titles`]), which is asked before the table here.

use crate::base::diagnostic::{Mark, Report};
use crate::base::yaml::{self, View, is_name};

/// How far up somebody stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seniority {
    /// Chief officers, owners, founders, general managers.
    CLevel,
    /// Vice presidents.
    Vp,
    /// Directors and heads of something.
    Director,
    /// Managers and team leads.
    Manager,
    /// Everybody else with a title.
    Staff,
}

impl Seniority {
    /// The word that conditions use.
    pub fn word(self) -> &'static str {
        match self {
            Self::CLevel => "c_level",
            Self::Vp => "vp",
            Self::Director => "director",
            Self::Manager => "manager",
            Self::Staff => "staff",
        }
    }
}

impl Seniority {
    const ALL: [Self; 5] = [Self::CLevel, Self::Vp, Self::Director, Self::Manager, Self::Staff];
}

/// What a company has written down of titles: words, each with what it stands for, the longest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Titles {
    seniorities: Vec<(String, Seniority)>,
    departments: Vec<(String, String)>,
}

impl Titles {
    /// Reads the file: `seniority: {director: [head of school]}`, `department: {learning: [library]}`. What is wrong goes
    /// to the report.
    pub fn parse(path: &str, text: &str, report: &Report) -> Option<Self> {
        let doc = yaml::parse(path, text, report)?;
        let mut map = doc.view(report).map()?;
        let mut titles = Self::default();
        let mut seen = Vec::new();
        if let Some(levels) = map.optional("seniority").and_then(View::map) {
            for (word, view) in levels.entries() {
                let known = Seniority::ALL.into_iter().find(|known| known.word() == word.value);
                if known.is_none() {
                    let words = Seniority::ALL.map(Seniority::word);
                    report
                        .error(&word.at, "L113", format!("\"{}\" is no seniority", word.value))
                        .did_you_mean(&word.value, words);
                }
                let names = names(view, &mut seen);
                titles.seniorities.extend(names.into_iter().filter_map(|name| Some((name, known?))));
            }
        }
        let mut seen = Vec::new();
        if let Some(departments) = map.optional("department").and_then(View::map) {
            for (word, view) in departments.entries() {
                if !is_name(&word.value) {
                    report
                        .error(&word.at, "L113", format!("\"{}\" is no name of a department", word.value))
                        .hint("small letters, digits, `_` and `-`: conditions compare it with contact.department");
                }
                let names = names(view, &mut seen);
                titles.departments.extend(names.into_iter().map(|name| (name, word.value.clone())));
            }
        }
        map.finish();
        titles.seniorities.sort_by_key(|(name, _)| std::cmp::Reverse(name.len()));
        titles.departments.sort_by_key(|(name, _)| std::cmp::Reverse(name.len()));
        Some(titles)
    }

    /// Whether it says anything of the fact: `seniority` or `department`.
    pub fn tells(&self, fact: &str) -> bool {
        match fact {
            "seniority" => !self.seniorities.is_empty(),
            "department" => !self.departments.is_empty(),
            _ => false,
        }
    }

    /// The same for these facts alone.
    #[must_use]
    pub fn only(self, facts: &[&str]) -> Self {
        let is_asked = |fact: &str| facts.contains(&fact);
        Self {
            seniorities: if is_asked("seniority") { self.seniorities } else { Vec::new() },
            departments: if is_asked("department") { self.departments } else { Vec::new() },
        }
    }

    /// The seniority of a title; nothing for an empty one.
    pub fn seniority(&self, title: &str) -> Option<Seniority> {
        let words = plain(title);
        let own = self.seniorities.iter().find(|(name, _)| has(&words, name));
        own.map(|(_, level)| *level).or_else(|| seniority(title))
    }

    /// The department of a title, if one of its words tells.
    pub fn department(&self, title: &str) -> Option<&str> {
        let words = plain(title);
        let own = self.departments.iter().find(|(name, _)| has(&words, name));
        own.map(|(_, department)| department.as_str()).or_else(|| department(title))
    }
}

/// Words of titles as they are compared; each stands once in its part of the file.
fn names<'a>(view: View<'a>, seen: &mut Vec<(String, &'a Mark)>) -> Vec<String> {
    let mut names = Vec::new();
    for view in view.list().unwrap_or_default() {
        let Some(written) = view.str() else { continue };
        let name = plain(&written).trim().to_owned();
        if name.is_empty() {
            view.wrong::<()>("a word of job titles");
            continue;
        }
        if let Some((_, first)) = seen.iter().find(|(known, _)| *known == name) {
            view.error("L114", format!("\"{written}\" stands twice"))
                .hint(format!("the first one is at {first}"));
        }
        seen.push((name.clone(), view.at()));
        names.push(name);
    }
    names
}

/// Words in titles, the most telling first. A vice president is no president.
const SENIORITIES: &[(&[&str], Seniority)] = &[
    (
        &["vp", "svp", "evp", "vice president", "vicepresident", "vicepresidente", "vicepresidenta"],
        Seniority::Vp,
    ),
    (
        &[
            "ceo",
            "cfo",
            "coo",
            "cto",
            "cmo",
            "cio",
            "cro",
            "chro",
            "chief",
            "founder",
            "cofounder",
            "owner",
            "president",
            "fundador",
            "fundadora",
            "cofundador",
            "cofundadora",
            "presidente",
            "presidenta",
            "dueno",
            "duena",
            "propietario",
            "propietaria",
            "director general",
            "directora general",
            "gerente general",
            "managing director",
        ],
        Seniority::CLevel,
    ),
    (&["director", "directora", "dir", "head", "responsable global"], Seniority::Director),
    (
        &[
            "manager",
            "lead",
            "leader",
            "gerente",
            "jefe",
            "jefa",
            "responsable",
            "coordinador",
            "coordinadora",
            "supervisor",
        ],
        Seniority::Manager,
    ),
];

/// Words for departments, the narrow ones first.
const DEPARTMENTS: &[(&str, &[&str])] = &[
    (
        "learning",
        &[
            "learning",
            "training",
            "l&d",
            "formacion",
            "capacitacion",
            "aprendizaje",
            "desarrollo de personas",
        ],
    ),
    (
        "people",
        &[
            "hr",
            "human resources",
            "people",
            "talent",
            "rrhh",
            "recursos humanos",
            "personas",
            "talento",
            "chro",
        ],
    ),
    ("sales", &["sales", "revenue", "ventas", "comercial", "cro"]),
    ("marketing", &["marketing", "brand", "growth", "cmo", "mercadotecnia"]),
    (
        "finance",
        &[
            "finance",
            "financial",
            "finanzas",
            "financiero",
            "financiera",
            "cfo",
            "accounting",
            "contabilidad",
        ],
    ),
    ("operations", &["operations", "ops", "operaciones", "coo"]),
    (
        "technology",
        &["technology", "engineering", "it", "cto", "cio", "tecnologia", "sistemas", "ingenieria"],
    ),
    ("purchasing", &["purchasing", "procurement", "compras"]),
];

/// The seniority of a title by the table here; nothing for an empty one.
fn seniority(title: &str) -> Option<Seniority> {
    let words = plain(title);
    if words.trim().is_empty() {
        return None;
    }
    let found = SENIORITIES.iter().find(|(names, _)| names.iter().any(|name| has(&words, name)));
    Some(found.map_or(Seniority::Staff, |(_, seniority)| *seniority))
}

/// The department of a title by the table here, if one of its words tells.
fn department(title: &str) -> Option<&'static str> {
    let words = plain(title);
    DEPARTMENTS
        .iter()
        .find(|(_, names)| names.iter().any(|name| has(&words, name)))
        .map(|(department, _)| *department)
}

fn has(words: &str, name: &str) -> bool {
    words.contains(&format!(" {name} "))
}

/// Lower case without accents and punctuation, one blank between words and around the whole.
fn plain(title: &str) -> String {
    let small = title.to_lowercase();
    let letters = small.chars().map(|c| match c {
        'á' | 'à' | 'ä' => 'a',
        'é' | 'è' => 'e',
        'í' | 'ï' => 'i',
        'ó' | 'ö' => 'o',
        'ú' | 'ü' => 'u',
        'ñ' => 'n',
        c if c.is_alphanumeric() || c == '&' => c,
        _ => ' ',
    });
    let spaced: String = letters.collect();
    format!(" {} ", spaced.split_whitespace().collect::<Vec<_>>().join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn titles_of_the_story_are_understood_in_both_languages() {
        for (title, level, team) in [
            ("Dir. de Ventas", Some(Seniority::Director), Some("sales")),
            ("VP Finance", Some(Seniority::Vp), Some("finance")),
            ("Vicepresidenta de Finanzas", Some(Seniority::Vp), Some("finance")),
            ("Vice President, People", Some(Seniority::Vp), Some("people")),
            ("Directora de Formación", Some(Seniority::Director), Some("learning")),
            ("Director de Operaciones de Ventas", Some(Seniority::Director), Some("sales")),
            ("Head of L&D", Some(Seniority::Director), Some("learning")),
            ("Fundadora", Some(Seniority::CLevel), None),
            ("Jefe de Compras", Some(Seniority::Manager), Some("purchasing")),
            ("Librarian", Some(Seniority::Staff), None),
            ("", None, None),
        ] {
            assert_eq!((seniority(title), department(title)), (level, team), "{title}");
        }
    }

    #[test]
    fn a_companys_own_titles_come_before_the_table_and_the_longest_first() {
        let report = Report::new();
        let text = "seniority:\n  c_level: [Decana]\n  director: [Head of School, \"Jefa de Estudios\"]\n  staff: [becaria]\n\
                    department:\n  learning: [biblioteca, estudios]\n  legal: [Rechtsabteilung, asesoría jurídica]\n";
        let titles =
            Titles::parse("titles.yaml", text, &report).unwrap_or_else(|| panic!("{}", report.text()));
        assert!(report.is_clean(), "{}", report.text());
        for (title, level, team) in [
            ("Decana de la Facultad", Some(Seniority::CLevel), None),
            ("jefa de estudios", Some(Seniority::Director), Some("learning")),
            ("Jefe de Compras", Some(Seniority::Manager), Some("purchasing")),
            ("Directora de la Biblioteca", Some(Seniority::Director), Some("learning")),
            ("Becaria del director", Some(Seniority::Staff), None),
            ("Asesoria juridica", Some(Seniority::Staff), Some("legal")),
            ("VP Sales", Some(Seniority::Vp), Some("sales")),
            ("", None, None),
        ] {
            assert_eq!((titles.seniority(title), titles.department(title)), (level, team), "{title}");
        }
        let half = titles.clone().only(&["seniority"]);
        assert_eq!(half.department("Rechtsabteilung"), None);
        assert!(half.tells("seniority") && !half.tells("department"));
    }

    #[test]
    fn every_mistake_of_a_file_of_titles_is_told_at_its_place() {
        let report = Report::new();
        let text = "seniority:\n  directr: [decana]\n  vp: [vice rector, VICE-RECTOR]\n\
                    department:\n  Legal Team: [law]\n  sales: [\"!\"]\nregion: {north: [oslo]}\n";
        Titles::parse("titles.yaml", text, &report);
        let found: Vec<String> = report
            .diagnostics()
            .iter()
            .map(|d| format!("{}:{}:{} {}", d.path, d.line, d.col, d.code))
            .collect();
        let expected = [
            "titles.yaml:2:3 L113",
            "titles.yaml:3:21 L114",
            "titles.yaml:5:3 L113",
            "titles.yaml:6:11 Y004",
            "titles.yaml:7:1 Y003",
        ];
        assert_eq!(found, expected, "{}", report.text());
    }
}
