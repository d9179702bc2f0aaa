//! What is wrong with an answer, and the sentence that says so beside the field.

use crate::base::localized::Localized;

/// What is wrong with one answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FieldError {
    /// Nothing was typed or chosen.
    Missing,
    /// The address has no `@`.
    NoAt,
    /// The address ends without a top-level domain.
    NoEnding,
    /// The address is wrong in another way.
    NotAnAddress,
    /// No mail server takes mail for the address.
    NoMailServer,
    /// An address of a provider that throws mail away.
    Disposable,
    /// A private address, where one of a company is needed.
    FreeMail,
    /// A private address, where one of a company would be better; sent again it is taken.
    FreeMailWarning,
    /// Longer than so many characters.
    TooLong(usize),
    /// Shorter than so many characters.
    TooShort(usize),
    /// Not a whole number.
    NotANumber,
    /// A number below this one.
    Below(i64),
    /// A number above this one.
    Above(i64),
    /// Not a day.
    NotADay,
    /// A day before this one (`2026-11-23`).
    Before(String),
    /// A day after this one (`2026-11-23`).
    After(String),
    /// Fewer choices than this.
    TooFew(i64),
    /// More choices than this.
    TooMany(i64),
    /// Not a telephone number.
    NotAPhone,
    /// Not the address of a website.
    NotAWebsite,
    /// Not one of the choices.
    NotAChoice,
    /// Not of the form that the field asks for.
    NotOfItsForm,
    /// Characters that nobody types.
    NotPlain,
    /// The consent without which the form makes no sense.
    NotAgreed,
    /// What the form's author says about it.
    Own(Localized),
}

impl FieldError {
    /// What is wrong with a text that is no address.
    pub fn of_address(text: &str) -> Self {
        match text.rsplit_once('@') {
            None => Self::NoAt,
            Some((_, domain)) if !domain.contains('.') => Self::NoEnding,
            Some(_) => Self::NotAnAddress,
        }
    }

    /// Whether the author's own sentence says it better: not where nothing was typed, nor where the kind of the field
    /// says everything.
    pub(super) fn gives_way(&self) -> bool {
        match self {
            Self::TooShort(_)
            | Self::Below(_)
            | Self::Above(_)
            | Self::Before(_)
            | Self::After(_)
            | Self::TooFew(_)
            | Self::TooMany(_)
            | Self::NotANumber
            | Self::NotADay
            | Self::NotAPhone
            | Self::NotAWebsite
            | Self::NotOfItsForm => true,
            Self::Missing
            | Self::NoAt
            | Self::NoEnding
            | Self::NotAnAddress
            | Self::NoMailServer
            | Self::Disposable
            | Self::FreeMail
            | Self::FreeMailWarning
            | Self::TooLong(_)
            | Self::NotAChoice
            | Self::NotPlain
            | Self::NotAgreed
            | Self::Own(_) => false,
        }
    }

    /// The sentence beside the field.
    pub fn words(&self) -> Localized {
        let say = |en: &str, es: &str| Localized::new(en, es);
        match self {
            Self::Missing => say("Please fill this in.", "Rellena este campo, por favor."),
            Self::NoAt => say(
                "This address has no @, as in you@company.com.",
                "A esta dirección le falta la @, como en tu@empresa.com.",
            ),
            Self::NoEnding => say(
                "This address is missing its ending, such as .com or .es.",
                "A esta dirección le falta el final, como .com o .es.",
            ),
            Self::NotAnAddress => say(
                "No mail would arrive at this address. Please look at it again.",
                "A esta dirección no llegaría ningún correo. Revísala, por favor.",
            ),
            Self::NoMailServer => say(
                "No mail arrives at what stands after the @. Please look at it again.",
                "A lo que sigue a la @ no llega ningún correo. Revísalo, por favor.",
            ),
            Self::Disposable => say(
                "Mail to this address is thrown away. Please use one that you read.",
                "Los correos a esta dirección se tiran. Usa una que leas, por favor.",
            ),
            Self::FreeMail => {
                say("Please use the address of your company.", "Usa la dirección de tu empresa, por favor.")
            }
            Self::FreeMailWarning => say(
                "If you have an address of your company, please use it. If not, just send it again.",
                "Si tienes una dirección de tu empresa, úsala, por favor. Si no, envíalo otra vez.",
            ),
            Self::TooLong(most) => Localized::new(
                format!("At most {most} characters, please."),
                format!("Como máximo {most} caracteres, por favor."),
            ),
            Self::TooShort(least) => Localized::new(
                format!("At least {least} characters, please."),
                format!("Al menos {least} caracteres, por favor."),
            ),
            Self::NotANumber => say("Please write a whole number.", "Escribe un número entero, por favor."),
            Self::Below(least) => Localized::new(
                format!("Please write {least} or more."),
                format!("Escribe {least} o más, por favor."),
            ),
            Self::Above(most) => Localized::new(
                format!("Please write {most} or less."),
                format!("Escribe {most} o menos, por favor."),
            ),
            Self::NotADay => say("Please choose a day.", "Elige un día, por favor."),
            Self::Before(day) => Localized::new(
                format!("Please choose {day} or a later day."),
                format!("Elige el {day} o un día posterior, por favor."),
            ),
            Self::After(day) => Localized::new(
                format!("Please choose {day} or an earlier day."),
                format!("Elige el {day} o un día anterior, por favor."),
            ),
            Self::TooFew(least) => Localized::new(
                format!("Please choose at least {least}."),
                format!("Elige al menos {least}, por favor."),
            ),
            Self::TooMany(most) => Localized::new(
                format!("Please choose at most {most}."),
                format!("Elige como máximo {most}, por favor."),
            ),
            Self::NotAPhone => say(
                "Please write the number with its country code, such as +34 600 000 000.",
                "Escribe el número con su prefijo, como +34 600 000 000.",
            ),
            Self::NotAWebsite => say(
                "Please write the address of a website, such as company.com.",
                "Escribe la dirección de una web, como empresa.com.",
            ),
            Self::NotAChoice => say("Please choose from the list.", "Elige de la lista, por favor."),
            Self::NotOfItsForm => {
                say("This does not look right yet. Please look at it again.", "Revisa esto, por favor.")
            }
            Self::NotPlain => say("Please use plain letters.", "Usa solo letras normales, por favor."),
            Self::NotAgreed => say(
                "Please tick the box: without it we may not write to you.",
                "Marca la casilla, por favor: sin ella no podemos escribirte.",
            ),
            Self::Own(words) => words.clone(),
        }
    }
}
