//! The few words that the engine itself says, where no flow has words of its own.

use std::sync::LazyLock;

use regex::Regex;

use super::body::Said;
use crate::base::language::Language;

/// An occasion on which the engine has to say something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phrase {
    PickOne,
    NotAnEmail,
    NotAPhone,
    NotANumber,
    NotAnAddress,
    NotADate,
    NotDays,
    NotATime,
    OutOfRange,
    NotTheCode,
    SendAgain,
    CodeSentAgain,
    CodeTooSoon,
    TooShort,
    TooLong,
    PickASlot,
    SlotTaken,
    NotBooked,
    NoneLeft,
    WaitForAny,
    WaitForOther,
    WaitYes,
    WaitNo,
    WillTell,
    WhichEmail,
    StillHere,
    BackToBot,
    Changed,
    HowWasIt,
}

/// What somebody wishes who types a few words and nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    /// To talk to a person.
    Person,
    /// To be left alone.
    Peace,
}

/// The wish in what was typed, if it is nothing but a wish: "I want to talk to a human", "basta". A longer text that
/// speaks of people is an answer like any other.
pub fn wish(typed: &str) -> Option<Wish> {
    static PERSON: LazyLock<Regex> = LazyLock::new(|| {
        let article = "(?:a |an |the |una? |el |la )?(?:real |live |actual )?";
        let person = "(?:human(?: being)?|person|agent|representative|operator|humano|persona(?: real| de verdad)?|agente|operadora?)";
        let anybody = "(?:somebody|someone|one of you|asesora?|alguien|vosotros)";
        let like = "(?:i want to|i need to|i wanna|i(?:'d| would) like to|can i|could i|may i|let me|quiero|querría|quisiera|\
                    necesito|puedo|podría|me gustaría)";
        let talk = "(?:talk|speak|chat|hablar|chatear) (?:to|with|con)";
        let get = "(?:i want|i need|i'd like|give me|get me|connect me (?:to|with)|quiero|necesito|pásame con|pasame con|ponme con)";
        let please = "(?:,? please|,? por favor)?";
        let hello = "(?:(?:hi|hello|hey|hola|buenas(?: tardes| noches)?|buenos días)(?: there)?[,.!]? )?";
        let asked = format!("(?:(?:{like} )?{talk}|{get}) {article}(?:{person}|{anybody})");
        Regex::new(&format!("^{hello}(?:{asked}|{article}{person}){please}$"))
            .expect("a constant that a test has compiled")
    });
    const PEACE: [&str; 8] =
        ["stop", "leave me alone", "no more", "quit", "para", "basta", "déjame en paz", "dejame en paz"];
    /// Longer than the longest wish.
    const LONGEST: usize = 80;
    if typed.len() > LONGEST {
        return None;
    }
    let typed = typed.trim().trim_matches(['.', '!', '?', '¿', '¡']).replace('’', "'").to_lowercase();
    if PEACE.contains(&typed.as_str()) {
        return Some(Wish::Peace);
    }
    PERSON.is_match(&typed).then_some(Wish::Person)
}

/// Whether what was said asks for a person, by the button or in words.
pub fn wishes_a_person(said: &Said) -> bool {
    match said {
        Said::HumanRequested => true,
        Said::Text { text } | Said::Answer { value: text, .. } => wish(text) == Some(Wish::Person),
        Said::Choice { .. } | Said::Slot { .. } | Said::StopRequested => false,
    }
}

/// Whether what was said asks to be left alone, by the button or in words.
pub fn wishes_peace(said: &Said) -> bool {
    match said {
        Said::StopRequested => true,
        Said::Text { text } | Said::Answer { value: text, .. } => wish(text) == Some(Wish::Peace),
        Said::Choice { .. } | Said::Slot { .. } | Said::HumanRequested => false,
    }
}

impl Phrase {
    pub fn text(self, language: Language) -> &'static str {
        let (en, es) = match self {
            Phrase::PickOne => ("Please pick one of the answers.", "Elige una de las respuestas, por favor."),
            Phrase::NotAnEmail => (
                "That does not look like an e-mail address. It should read like name@company.com.",
                "Eso no parece una dirección de correo. Debería ser como nombre@empresa.com.",
            ),
            Phrase::NotAPhone => (
                "That does not look like a phone number. Digits, spaces and a leading + are fine.",
                "Eso no parece un número de teléfono. Valen cifras, espacios y un + al principio.",
            ),
            Phrase::NotANumber => ("Please answer with a number.", "Responde con un número, por favor."),
            Phrase::NotAnAddress => (
                "That does not look like a web address. It should read like www.company.com.",
                "Eso no parece una dirección web. Debería ser como www.empresa.com.",
            ),
            Phrase::NotADate => (
                "I cannot read that as a day. Please write it like 24/12/2026.",
                "No lo entiendo como una fecha. Escríbela como 24/12/2026, por favor.",
            ),
            Phrase::NotDays => (
                "I cannot read that as days. Please write them like 24/12/2026 – 28/12/2026.",
                "No lo entiendo como fechas. Escríbelas como 24/12/2026 – 28/12/2026, por favor.",
            ),
            Phrase::NotATime => (
                "I cannot read that as a time. Please write it like 14:30.",
                "No lo entiendo como una hora. Escríbela como 14:30, por favor.",
            ),
            Phrase::OutOfRange => (
                "That is outside of what is possible here. Please pick another one.",
                "Eso queda fuera de lo posible. Elige otra opción, por favor.",
            ),
            Phrase::NotTheCode => (
                "Those are not the digits from the mail. Please look again: there are six of them.",
                "No son las cifras del correo. Míralo otra vez, por favor: son seis.",
            ),
            Phrase::SendAgain => ("Send me another code", "Envíame otro código"),
            Phrase::CodeSentAgain => (
                "Another code is on its way. Only the newest one works.",
                "Va otro código en camino. Solo vale el más reciente.",
            ),
            Phrase::CodeTooSoon => (
                "A code went out a moment ago, and they can only be sent now and then. Please look in the mailbox, and in the spam folder, too.",
                "Hace un momento salió un código, y solo se pueden enviar de vez en cuando. Mira en tu correo, también en la carpeta de spam.",
            ),
            Phrase::TooShort => ("A few more words, please.", "Unas palabras más, por favor."),
            Phrase::TooLong => {
                ("That is a little long. Can you shorten it?", "Es un poco largo. ¿Puedes acortarlo?")
            }
            Phrase::PickASlot => (
                "Please pick one of the times, or say that none fits.",
                "Elige una de las horas, o di que ninguna te va bien.",
            ),
            Phrase::SlotTaken => (
                "Somebody was quicker and took that time. These are still free:",
                "Alguien se ha adelantado y ha reservado esa hora. Estas siguen libres:",
            ),
            Phrase::NotBooked => (
                "That time cannot be booked any more. These are free:",
                "Esa hora ya no se puede reservar. Estas están libres:",
            ),
            Phrase::NoneLeft => (
                "That time cannot be booked any more. Tell me when it suits you, and we will find another.",
                "Esa hora ya no se puede reservar. Dime cuándo te viene bien y buscamos otra.",
            ),
            Phrase::WaitForAny => (
                "There is no free time at the moment. Shall I have you told by mail as soon as there is one?",
                "Ahora mismo no hay ninguna hora libre. ¿Te avisamos por correo en cuanto haya una?",
            ),
            Phrase::WaitForOther => (
                "Nothing that fits, then. Shall I have you told by mail when other times are free?",
                "Ninguna te va bien, entonces. ¿Te avisamos por correo cuando haya otras horas libres?",
            ),
            Phrase::WaitYes => ("Yes, tell me", "Sí, avisadme"),
            Phrase::WaitNo => ("No, thanks", "No, gracias"),
            Phrase::WillTell => (
                "Done. You get one mail when there is a free time, and nothing else because of it.",
                "Hecho. Recibirás un correo cuando haya una hora libre, y nada más por esto.",
            ),
            Phrase::WhichEmail => (
                "Which e-mail address may the invitation go to?",
                "¿A qué dirección de correo envío la invitación?",
            ),
            Phrase::StillHere => (
                "I am here. You can also ask for a person at any time.",
                "Sigo aquí. También puedes pedir hablar con una persona en cualquier momento.",
            ),
            Phrase::BackToBot => {
                ("You are back with me, the assistant.", "Vuelves a hablar conmigo, el asistente.")
            }
            Phrase::Changed => (
                "Sorry, something has just changed on our side. Let us go on from here.",
                "Perdona, algo acaba de cambiar por nuestra parte. Sigamos desde aquí.",
            ),
            Phrase::HowWasIt => {
                ("How was this conversation for you?", "¿Qué te ha parecido esta conversación?")
            }
        };
        match language {
            Language::En => en,
            Language::Es => es,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_types_a_wish_and_nothing_else_has_it_heard() {
        for person in [
            "I want to talk to a human please",
            "agent",
            "Human!",
            "can I speak with someone?",
            "I need a real person",
            "quiero hablar con una persona",
            "¿Puedo hablar con alguien?",
            "ponme con un agente, por favor",
            "una persona por favor",
            "Hola, una persona por favor",
            "Hi, can I speak with someone?",
        ] {
            assert_eq!(wish(person), Some(Wish::Person), "{person}");
        }
        for peace in ["stop", "Basta.", "déjame en paz"] {
            assert_eq!(wish(peace), Some(Wish::Peace), "{peace}");
        }
        for answer in [
            "someone",
            "hola",
            "Hola, personas mayores",
            "We want every person to read more",
            "I talk to a person in sales every week about this",
            "personas mayores",
            "estate agent",
            "stopwatch",
            "",
        ] {
            assert_eq!(wish(answer), None, "{answer}");
        }
    }
}
