//! Job titles, read as seniority and department in English and Spanish.
//!
//! People write "Dir. de Ventas", "VP Sales" or "Head of L&D"; rules want `director` and `sales`.

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

/// The seniority of a title; nothing for an empty one.
pub fn seniority(title: &str) -> Option<Seniority> {
    let words = plain(title);
    if words.trim().is_empty() {
        return None;
    }
    let found = SENIORITIES.iter().find(|(names, _)| names.iter().any(|name| has(&words, name)));
    Some(found.map_or(Seniority::Staff, |(_, seniority)| *seniority))
}

/// The department of a title, if one of its words tells.
pub fn department(title: &str) -> Option<&'static str> {
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
}
