//! Every code that `embudo check` may tell of a flow, with what it means. The pages in `docs/checks/` are made of it.

/// A code and what it means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Code {
    pub code: &'static str,
    /// Its doc comment: the first line says what is wrong, the rest why that matters and what to do.
    pub doc: &'static str,
}

impl Code {
    /// What is wrong, in a line.
    pub fn title(&self) -> &'static str {
        self.doc.lines().next().unwrap_or_default().trim()
    }

    /// Why it matters and what to do about it.
    pub fn text(&self) -> String {
        let rest: Vec<&str> = self.doc.lines().skip(1).map(str::trim).collect();
        rest.join("\n").trim().to_owned()
    }
}

/// The code of a name.
pub fn find(code: &str) -> Option<&'static Code> {
    CODES.iter().find(|known| known.code.eq_ignore_ascii_case(code))
}

macro_rules! codes {
    ($($(#[doc = $doc:literal])+ $code:ident,)+) => {
        /// All codes, in their order.
        pub const CODES: &[Code] = &[$(Code { code: stringify!($code), doc: concat!($($doc, "\n"),+) },)+];
    };
}

codes! {
    /// The file is no YAML
    ///
    /// The file cannot be read as YAML at all, so nothing else can be said about it. Most often a text holds a colon or
    /// begins with `{` or `[`, which mean something to YAML. Put the text in quotes.
    Y001,
    /// A key stands twice
    ///
    /// Of two equal keys the second one would silently win, and what stands under the first would be lost. Take one of
    /// them out, or give it another name.
    Y002,
    /// An unknown key
    ///
    /// Keys come from a closed list, so that a slip of the finger is told and not passed over. The hint names the nearest
    /// key that is known here.
    Y003,
    /// A value of the wrong kind
    ///
    /// Here belongs something else: a length of time such as `30m`, a number, a map, one of a few words. The message says
    /// what.
    Y004,
    /// Something is missing
    ///
    /// A key that cannot be left out is not there.
    Y005,
    /// A text ends where a comment begins
    ///
    /// ` #` begins a comment: what follows is not part of the text. If it should be, put the text in quotes.
    Y101,
    /// A text that other programs read as something else
    ///
    /// `no`, `on`, `10:30` and `1.10` are texts here, but for many programs that read YAML they are `false`, `true`, 630
    /// and 1.1. In quotes they are texts for everybody. The same goes for keys, such as a step `on:` or a choice `no:`,
    /// and for values of variables.
    Y102,
    /// Tabs, or an odd number of spaces
    ///
    /// YAML takes no tabs for indenting. An odd number of spaces is allowed, but mostly one slipped in, and the line
    /// belongs elsewhere than it seems.
    Y103,
    /// Anchors, aliases or tags
    ///
    /// A flow should be readable without running it in one's head: write the value out.
    Y104,
    /// A condition that is none
    ///
    /// The condition is not written in the language of conditions (CEL). `&&`, `||`, `!` stand for and, or, not; `==`
    /// compares.
    E101,
    /// A condition names a field that does not exist
    ///
    /// Conditions can only speak of fields that are declared, so that a slip of the finger is not a condition that never
    /// holds. The hint names the nearest one.
    E102,
    /// A condition calls a function that does not exist
    ///
    /// There is a closed list of functions; `is_open("sales")` is one of them.
    E103,
    /// Types that do not fit in a condition
    ///
    /// A number is compared with a text, or a condition says something else than yes or no.
    E104,
    /// A condition compares with a word that can never come
    ///
    /// The field holds one of a few words, and this is none of them.
    E105,
    /// A step that does not exist
    ///
    /// Something leads to a step that is not in the flow. Conversations would stop there without a word.
    G201,
    /// A called flow that does not exist
    ///
    /// `call` names a flow that is not among the flows.
    G202,
    /// A step that nothing leads to
    ///
    /// No conversation ever comes here. Take the step out, or let a step go to it.
    G203,
    /// A step falls off the end
    ///
    /// After the last step there is nothing: say with `end` how the conversation ends, or with `goto` where it goes on.
    G204,
    /// No end can be reached
    ///
    /// From this step the conversation can go on for ever, but never end.
    G205,
    /// A circle that never waits
    ///
    /// These steps lead to one another, and none of them waits for the visitor or for time, or time alone leads round:
    /// the bot would speak without end, at once or to somebody who has long gone. One of them has to ask something, and
    /// its time-out has to lead out of the circle.
    G206,
    /// Flows that call one another
    ///
    /// A flow calls another one that, at last, calls the first one again. A called flow comes back by ending; one of the
    /// calls has to go.
    G207,
    /// A step with no verb, or with several
    ///
    /// Each step does one thing: `say`, `show`, `ask`, `form`, `set`, `switch`, `split`, `do`, `call`, `wait_for`,
    /// `handoff`, `book`, or only `goto` or `end`. Make two steps of it.
    G208,
    /// An outcome that leads nowhere
    ///
    /// Every verb can end in a closed set of ways, and each of them has to lead somewhere. The same holds for the wish to
    /// talk to a person, which may come at any time.
    G209,
    /// A switch without an else
    ///
    /// If none of the conditions holds, the visitor would fall through. Add `- {else: step}`.
    G210,
    /// A branch that is never taken
    ///
    /// A branch above it is always taken before, or its condition can never hold. `n > 10` leaves nothing for `n > 20`
    /// below it: put the narrower condition above the wider one. `1 == 2` and `kind == "a" && kind == "b"` never hold, and
    /// after `1 == 1` neither another branch nor the `else` has its turn. The same condition twice, `false`, and what
    /// stands below `true` or `else` are errors; everything else is a warning, and the flow runs.
    G211,
    /// All ways out lead to the same step
    ///
    /// The visitor is asked, or a condition looked at, and it makes no difference. If that is meant, `goto` says it more
    /// plainly.
    G212,
    /// A step is gone and nobody says where its conversations go on
    ///
    /// In the running version there is a step of this name, and conversations may stand at it. `migrate: {old: new}` says
    /// at which step they go on.
    G213,
    /// A value that contacts have is no value any more
    ///
    /// It was kept with contacts, and conditions on it will not know it any more. Keep it among the values even if no
    /// question offers it.
    G214,
    /// Two flows of one name
    ///
    /// Conversations, reports and calls know a flow by its name.
    G215,
    /// A variable or field that does not exist
    ///
    /// Texts and questions can only use variables that stand under `vars`, and the fields that are declared.
    D301,
    /// Types that do not fit
    ///
    /// A variable would get a value of another type, or an action something that it does not take.
    D302,
    /// A value that may not be there
    ///
    /// On some way to this text the value is not known, and the text would have a gap. Put it into
    /// `{{#if field}}…{{else}}…{{/if}}`, or ask for it on every way that leads here.
    D303,
    /// A word that the variable does not know
    ///
    /// The variable holds one of a few words, and this is none of them.
    D304,
    /// A variable of no use
    ///
    /// Nothing fills it, or nothing ever looks at it. Flows that run together share their variables: what a flow does with
    /// one of the same name counts for those that it calls, and for those that call it.
    D305,
    /// A field that can only be read
    ///
    /// What is known of the contact, the webinar or the visit is not changed by `set`. A variable with `save: true` is
    /// kept with the contact.
    D306,
    /// Something personal goes where it may not
    ///
    /// The variable is marked `pii: true` (addresses and telephone numbers always are), and the action is not marked for
    /// personal values.
    D307,
    /// A visitor's words in an address
    ///
    /// What somebody typed could change where the link leads. `{{urlencode vars.topic}}` makes it a harmless part of the
    /// address.
    D308,
    /// A translation is missing
    ///
    /// The flow promises this language, and this text is not written in it. Add it under `translations`, or list the
    /// language as `optional`, then the source language is used.
    T401,
    /// A translation is stale
    ///
    /// The text in the source language has changed since somebody last looked, and the translation has not. Translate it
    /// anew; if it is still right, `embudo check --lock` notes that somebody has looked.
    T402,
    /// A translation with other holes
    ///
    /// The translation fills in other values than the text in the source language; one of them forgot something.
    T403,
    /// A translation with other choices
    ///
    /// The translation's choices have other ids than those of the question.
    T404,
    /// A text that is too long to be read in a chat
    ///
    /// Up to 320 characters read well in a bubble, up to 40 on a button. Make two steps of it.
    T405,
    /// Too many choices
    ///
    /// More than six are hard to choose from, and on a phone they push the question out of sight.
    T406,
    /// A filter that does not exist
    ///
    /// There are `{{when field}}` for times and `{{urlencode field}}` for parts of addresses.
    T407,
    /// Something that only the eye or only the ear gets
    ///
    /// A picture needs words for those who do not see it (`alt`), a recording subtitles for those who do not hear it
    /// (WCAG 2.2, 1.1.1 and 1.2.2).
    T408,
    /// A link without https
    ///
    /// Browsers warn of it, and whoever sits between can change what it shows.
    T409,
    /// A hole that a text cannot have
    ///
    /// Texts know `{{field}}`, `{{#if field}}…{{else}}…{{/if}}` and the filters. What stands here is nothing of that, or
    /// is never closed.
    T410,
    /// Texts that the lock does not know
    ///
    /// They have been added since somebody last looked at the translations, so nobody would notice if the source language
    /// changed and the translation did not. `embudo check --lock` takes them in.
    T411,
    /// A question without a time-out
    ///
    /// Somebody will not answer. The flow has to say how long it waits and where it goes on then, here or under
    /// `defaults`.
    S501,
    /// No way on after the last retry
    ///
    /// Somebody will not understand the question. The flow has to say where it goes on after the last try (`exhausted`).
    S502,
    /// A handoff without a way on when nobody is there
    ///
    /// There is not always somebody, and not always in time. `unavailable` and `expired` have to lead somewhere, best to
    /// times that can be booked.
    S503,
    /// A booking without a word about it
    ///
    /// After a call was booked, the flow ends without saying when it is and what comes next.
    S504,
    /// A promotion without a booking
    ///
    /// On some way the contact becomes an SQL without a call having been booked, so that sales would count somebody nobody
    /// will talk to.
    S505,
    /// The same question twice
    ///
    /// On some way a visitor is asked what she has answered before. `skip_known: true` leaves the question out if the
    /// answer is known.
    S506,
    /// A trigger without a limit
    ///
    /// The flow would offer itself to the same person on every page. `frequency` says how often is enough.
    S507,
    /// Two flows with the same trigger and priority
    ///
    /// Which of them comes would be left to the order of their names. Give one of them another `priority`.
    S508,
    /// Business hours without hours or time zone
    ///
    /// Nobody could say whether it is open. Every set of hours names its days and its zone.
    S509,
    /// A name that does not exist in another file
    ///
    /// A meeting, team, recording, webinar, stage, action or set of business hours that is declared nowhere.
    S510,
    /// Something that looks like a secret
    ///
    /// Flows are read by many and stand in version control. Keep secrets in the settings, and change one that stood here.
    S511,
    /// A step that no test reaches
    ///
    /// The flow has tests, and none of them comes here: nobody knows whether it does what it should. A flow that has no
    /// test at all is told once. Tests are files with `flow` and `tests`, beside the flows in `tests/`.
    S512,
}
