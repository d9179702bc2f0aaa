//! Where a call takes place: a text or a link, which may name the call (`https://meet.example/{{booking.id}}`), so that
//! each call has a room of its own. Nothing of the visitor's gets into it.

/// What a location may name.
#[derive(Debug, Clone, Copy)]
pub struct About<'a> {
    /// The booking's id.
    pub booking: &'a str,
    /// The meeting's id.
    pub meeting: &'a str,
    /// The rep's id.
    pub rep: &'a str,
}

/// An example, for checking a template before anybody books.
pub const EXAMPLE: About<'static> =
    About { booking: "01936d5e-7d5c-7000-8000-000000000001", meeting: "discovery", rep: "mike" };

/// Fills in a location's names. A location has no conditions and no helpers: it is a text with ids in it.
///
/// # Errors
/// What is wrong with the template, or which name it does not have.
pub fn of(template: &str, about: About<'_>) -> Result<String, String> {
    let mut filled = String::with_capacity(template.len());
    let mut rest = template;
    while let Some((words, after)) = rest.split_once("{{") {
        let Some((name, behind)) = after.split_once("}}") else {
            return Err("`{{` is not closed".to_owned());
        };
        filled.push_str(words);
        // Only ids are filled in, and they can stand in a link as they are.
        filled.push_str(match name.trim() {
            "booking.id" => about.booking,
            "meeting.id" => about.meeting,
            "rep.id" => about.rep,
            name => return Err(format!("there is no {name}; it can name booking.id, meeting.id and rep.id")),
        });
        rest = behind;
    }
    filled.push_str(rest);
    Ok(filled)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_call_has_a_room_of_its_own() {
        let room = of("https://meet.faro.example/{{rep.id}}/{{booking.id}}", EXAMPLE);
        assert_eq!(
            room.as_deref(),
            Ok("https://meet.faro.example/mike/01936d5e-7d5c-7000-8000-000000000001")
        );
        assert_eq!(of("Room 4, third floor", EXAMPLE).as_deref(), Ok("Room 4, third floor"));
    }

    #[test]
    fn a_name_that_does_not_exist_is_refused() {
        for wrong in ["{{contact.email}}", "{{booking.id", "{{rep}}{{nobody}}", "{{> partial}}"] {
            assert!(of(wrong, EXAMPLE).is_err(), "{wrong}");
        }
    }
}
