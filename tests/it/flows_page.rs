//! The flows in the console: what they say of themselves, what is wrong with them, changing one, trying it out, and going
//! back to what stood there before.

use std::path::PathBuf;

use embudo::accounts::Role;
use embudo::base::ids::{VisitorId, new_key};
use embudo::base::language::Language;
use embudo::base::signing::sha256_hex;
use embudo::base::time::MINUTE_MS;
use embudo::chat::body::Said;
use embudo::chat::{self, Page, Visit};
use embudo::contacts::Consent;

use crate::console::{Agent, agent};
use crate::support::app::{SITE, TestApp, set};

const SMALL: &str = "flow: small
title: Small talk
languages: [en, es]

trigger:
  when: opened

defaults: {exhausted: bye, timeout: {after: 5m, goto: quiet}}
events: {human_requested: bye, stop_requested: bye}

steps:
  more:
    ask: More?
    choices: {a: An apple, b: A book}

  bye:
    say: Goodbye.
    end: done

  quiet:
    say: See you.
    end: left

translations:
  es:
    more.ask: ¿Algo más?
    more.choices: {a: Una manzana, b: Un libro}
    bye.say: Adiós.
    quiet.say: Hasta luego.
";

const TESTS: &str = "flow: small
tests:
  - test: she says goodbye
    script:
      - bot: {ask: more}
      - visitor: An apple
      - bot: Goodbye.
      - bot: {end: done}
";

/// An app with one flow in a folder of its own.
struct Shop {
    app: TestApp,
    folder: tempfile::TempDir,
}

impl Shop {
    async fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("small.yaml"), SMALL).expect("written");
        std::fs::create_dir(folder.path().join("tests")).expect("made");
        std::fs::write(folder.path().join("tests/small.yaml"), TESTS).expect("written");
        let flows = folder.path().display().to_string();
        let app = TestApp::start_with(|settings| {
            set(settings, "definitions", "flows", flows);
            set(settings, "definitions", "watch_ms", 0);
            set(settings, "server", "workers", 2);
        })
        .await;
        Self { app, folder }
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("small.yaml")
    }

    fn text(&self) -> String {
        std::fs::read_to_string(self.file()).expect("read")
    }

    /// What stands in the folder beside the tests.
    fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.folder.path()).expect("listed").flatten();
        let mut names: Vec<String> =
            entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    async fn open(&self) -> embudo::base::ids::ConversationId {
        let visit = Visit {
            site: "faro".to_owned(),
            visitor: Some(VisitorId::new()),
            consent: Consent::Analytics,
            page: Page { url: format!("{SITE}/"), ..Page::default() },
            language: Language::En,
            zone: "Europe/Madrid".to_owned(),
            is_hosted: false,
        };
        let opened = chat::open(&self.app.app.room, &visit, Some("small"), self.app.now()).await;
        opened.expect("opened").conversation.id
    }

    async fn pick(&self, conversation: embudo::base::ids::ConversationId, choice: &str) {
        let said = Said::Choice { question: "more".to_owned(), choice: choice.to_owned() };
        chat::say(&self.app.app.room, conversation, &new_key(), &said, self.app.now()).await.expect("said");
    }

    async fn saves(&self, who: &Agent, text: &str) -> crate::support::answer::Answer {
        let opened = sha256_hex(self.text());
        who.submits("/console/flows/small/save", &[("text", text), ("opened", &opened)]).await
    }

    fn runs(&self) -> String {
        let flows = self.app.app.room.flows.now();
        let flow = flows.find("small").expect("it runs");
        let words = flow.step("bye").expect("a step").verb.words();
        words[0].plain(Language::En).to_owned()
    }
}

fn place(answer: &crate::support::answer::Answer) -> &str {
    answer.header("location")
}

#[tokio::test]
async fn the_list_and_the_graph_tell_how_conversations_went() {
    let shop = Shop::start().await;
    let viewer = agent(&shop.app, Role::Viewer).await;
    let empty = viewer.sees("/console/flows/small").await;
    assert!(empty.contains("nobody came"), "{empty}");
    for _ in 0..3 {
        let conversation = shop.open().await;
        shop.pick(conversation, "a").await;
    }
    shop.open().await;
    let lost = shop.open().await;
    shop.app.later(6 * MINUTE_MS).await;
    assert!(chat::find(&mut shop.app.app.stores.db.read(), lost).await.expect("read").is_some());
    shop.open().await;

    let list = viewer.sees("/console/flows").await;
    assert!(list.contains("Small talk") && list.contains("EN · ES"), "{list}");
    assert!(list.contains("When somebody opens the chat") && list.contains(">Runs<"), "{list}");
    assert!(
        list.contains("Changed on disk") && list.contains(">100%<"),
        "all that are over came to an end: {list}"
    );
    assert!(list.contains(">6<"), "conversations: {list}");

    let page = viewer.sees("/console/flows/small").await;
    assert!(page.contains("class=\"flow-graph\"") && !page.contains("style="), "{page}");
    assert!(page.contains("6 came"), "{page}");
    assert!(page.contains("href=\"/console/flows/small?step&#x3D;more#step\""), "{page}");
    assert!(page.contains("more → bye: 3"), "the way tells how many took it: {page}");
    assert!(page.contains("class=\"way w6\""), "and is the widest: {page}");
    assert!(
        page.contains("<th scope=\"row\" class=\"cell-main\">more</th>"),
        "the ways stand in a table, too: {page}"
    );
    let old = viewer.sees("/console/flows/small?version=0000000000000000").await;
    assert!(old.contains("nobody came"), "of another version there is none: {old}");

    let step = viewer.sees("/console/flows/small?step=more").await;
    for words in ["¿Algo más?", "An apple", "Una manzana", "Line 12"] {
        assert!(step.contains(words), "{words} is missing: {step}");
    }
    assert!(step.contains("More?") && step.contains("small.yaml"), "{step}");
    assert!(!step.contains("Change it here"), "a viewer changes nothing");
    viewer.get("/console/flows/nothing").await.expect(404);
}

#[tokio::test]
async fn what_is_wrong_on_disk_stands_at_its_line_and_what_ran_before_is_drawn() {
    let shop = Shop::start().await;
    let marta = agent(&shop.app, Role::Marketing).await;
    assert!(!marta.sees("/console/flows/small").await.contains("bad-text"));
    std::fs::write(shop.file(), SMALL.replace("goto: quiet", "goto: quit")).expect("written");
    shop.app.app.reload_flows().await.expect("looked at");
    let list = marta.sees("/console/flows").await;
    assert!(list.contains("File is wrong") && list.contains("bad-text"), "{list}");
    assert!(list.contains("What ran before still runs"), "{list}");
    assert!(marta.sees("/console").await.contains("href=\"/console/flows\""));
    let page = marta.sees("/console/flows/small").await;
    assert!(page.contains("class=\"flow-graph\"") && page.contains("edit?line=8#line"), "{page}");
    assert!(page.contains("href=\"/console/checks/G201\"") && page.contains("did you mean"), "{page}");
    assert!(page.contains("The tests run as soon as no file is wrong"), "{page}");
    let meaning = marta.sees("/console/checks/G201").await;
    assert!(meaning.contains("A step that does not exist"), "{meaning}");
    marta.get("/console/checks/Z999").await.expect(404);
    // A file of which not even the name can be read goes by its own.
    std::fs::write(shop.folder.path().join("odd.yaml"), "steps: [").expect("written");
    let list = marta.sees("/console/flows").await;
    assert!(list.contains("href=\"/console/flows/odd\"") && list.contains("Does not run"), "{list}");
    assert!(marta.sees("/console/flows/odd").await.contains("Y001"));
}

#[tokio::test]
async fn a_change_is_checked_tested_written_whole_and_kept_with_its_author() {
    let shop = Shop::start().await;
    let marta = agent(&shop.app, Role::Marketing).await;
    let mike = agent(&shop.app, Role::Sdr).await;
    let changed = SMALL.replace("title: Small talk", "title: Small words").replace("An apple", "A pear");
    for path in ["check", "save"] {
        mike.submits(&format!("/console/flows/small/{path}"), &[("text", &changed)]).await.expect(403);
    }
    mike.get("/console/flows/small/edit").await.expect(403);
    let opened = marta.sees("/console/flows/small/edit").await;
    assert!(opened.contains(&sha256_hex(SMALL)) && opened.contains("ask: More?"), "{opened}");

    // A test that fails keeps it out of the file, and is shown.
    let page = shop.saves(&marta, &changed).await.expect(422).body;
    assert!(page.contains("1 test fails.") && page.contains("she says goodbye"), "{page}");
    assert!(page.contains("A pear"), "what was typed stays: {page}");
    assert_eq!(shop.text(), SMALL);

    // Browsers end lines with both signs; the file does not.
    let changed = changed.replace("A pear", "An apple").replace("say: See you.", "say: See you soon.");
    let checked = marta
        .submits("/console/flows/small/check", &[("text", &changed.replace('\n', "\r\n"))])
        .await
        .expect(200)
        .body;
    assert!(checked.contains("1 test passes.") && checked.contains("Not saved"), "{checked}");
    assert_eq!(shop.text(), SMALL, "looking writes nothing");
    let answer = shop.saves(&marta, &changed.replace('\n', "\r\n")).await.expect(303);
    assert_eq!(place(&answer), "/console/flows/small?done=flow_saved");
    assert_eq!(shop.text(), changed);
    assert_eq!(shop.names(), ["small.yaml", "tests"], "nothing is left beside it");
    assert_eq!(shop.app.app.room.flows.now().find("small").expect("it runs").title, "Small words");
    let list = marta.sees("/console/flows").await;
    assert!(list.contains("Small words") && list.contains("marketing"), "{list}");
    let admin = agent(&shop.app, Role::Admin).await;
    let audit = admin.sees("/console/audit").await;
    assert!(audit.contains("<td>flow<br>") && audit.contains(">small<"), "the audit names it: {audit}");
    let file = admin.get("/console/audit.csv").await.expect(200).body;
    assert!(file.contains(",changed,flow,small,"), "{file}");

    let history = marta.sees("/console/flows/small/history").await;
    assert_eq!(history.matches("class=\"line-link\"").count(), 2, "{history}");
    assert!(history.contains("Changed on disk") && history.contains("In the file now"), "{history}");
    let audit = shop.app.rows("select details from audit where action = 'changed'").await;
    let details: String = audit[0].get("details").expect("what was done");
    assert!(details.contains("small") && details.contains(&sha256_hex(&changed)), "{details}");
    assert_eq!(
        place(&shop.saves(&marta, &changed).await.expect(303)),
        "/console/flows/small?done=flow_same",
        "saving the same changes nothing"
    );
    assert_eq!(shop.app.count("flow_texts").await, 2);
}

#[tokio::test]
async fn a_broken_text_is_refused_with_all_its_problems() {
    let shop = Shop::start().await;
    let marta = agent(&shop.app, Role::Marketing).await;
    let refused = [
        (
            SMALL.replace("goto: quiet", "goto: quit").replace("    bye.say: Adiós.\n", ""),
            vec!["G201", "T401"],
        ),
        (SMALL.replace("flow: small", "flow: other"), vec!["this is the file of"]),
        (SMALL.replace("steps:", "steps: ["), vec!["Y001"]),
        ("# nothing\n".to_owned(), vec!["the file is empty"]),
        (String::new(), vec!["the file is empty"]),
    ];
    for (text, words) in refused {
        let page = shop.saves(&marta, &text).await.expect(422).body;
        for word in words {
            assert!(page.contains(word), "{word} is missing: {page}");
        }
    }
    assert_eq!(shop.text(), SMALL);
    assert_eq!(shop.app.count("flow_texts").await, 1);
    assert_eq!(shop.runs(), "Goodbye.");
    marta.submits("/console/flows/nothing/save", &[("text", SMALL)]).await.expect(404);
    marta.submits("/console/flows/live_chat/save", &[("text", SMALL)]).await.expect(404);
}

#[tokio::test]
async fn whoever_is_slower_sees_what_differs_and_overwrites_nothing_unseen() {
    let shop = Shop::start().await;
    let marta = agent(&shop.app, Role::Marketing).await;
    let admin = agent(&shop.app, Role::Admin).await;
    let opened = sha256_hex(SMALL);
    let hers = SMALL.replace("See you.", "See you soon.");
    let other = SMALL.replace("Small talk", "Small words");
    std::fs::write(shop.file(), &other).expect("written");
    let save = [("text", hers.as_str()), ("opened", opened.as_str())];
    let page = marta.submits("/console/flows/small/save", &save).await.expect(409).body;
    assert!(page.contains("Somebody else was faster") && page.contains("diff-line gone"), "{page}");
    assert!(page.contains("See you soon."), "her text stays: {page}");
    assert_eq!(shop.text(), other);
    // Having seen it she may.
    assert!(page.contains(&sha256_hex(&other)));
    shop.saves(&marta, &hers).await.expect(303);
    assert_eq!(shop.text(), hers);
    let history = marta.sees("/console/flows/small/history").await;
    let kept = history.matches("class=\"line-link\"").count();
    assert_eq!(kept, 3, "what stood there in between is kept, too: {history}");

    // Of two at once one is told.
    let opened = sha256_hex(&hers);
    let (one, two) = (hers.replace("soon", "then"), hers.replace("soon", "later"));
    let (first, second) = (
        [("text", one.as_str()), ("opened", opened.as_str())],
        [("text", two.as_str()), ("opened", opened.as_str())],
    );
    let (first, second) = tokio::join!(
        marta.submits("/console/flows/small/save", &first),
        admin.submits("/console/flows/small/save", &second),
    );
    let mut answers = [first.status, second.status];
    answers.sort_unstable();
    assert_eq!(answers, [303, 409]);
}

#[tokio::test]
async fn an_earlier_text_is_compared_and_brought_back_as_a_new_one() {
    let shop = Shop::start().await;
    let marta = agent(&shop.app, Role::Marketing).await;
    let viewer = agent(&shop.app, Role::Viewer).await;
    let changed = SMALL.replace("See you.", "See you soon.");
    shop.app.clock.advance(MINUTE_MS);
    shop.saves(&marta, &changed).await.expect(303);
    // A remark on disk is a text of its own, although the same flow runs.
    std::fs::write(shop.file(), format!("# a remark\n{changed}")).expect("written");
    shop.app.clock.advance(MINUTE_MS);
    shop.app.app.reload_flows().await.expect("looked at");
    assert_eq!(shop.app.count("flow_texts").await, 3);
    let history = viewer.sees("/console/flows/small/history").await;
    let ids: Vec<&str> = history
        .split("href=\"/console/flows/small/history/")
        .skip(1)
        .filter_map(|rest| rest.split('"').next())
        .collect();
    assert_eq!(ids.len(), 3, "{history}");
    let first = format!("/console/flows/small/history/{}", ids[2]);
    let page = viewer.sees(&first).await;
    assert!(page.contains("diff-line gone") && page.contains("# a remark"), "{page}");
    assert!(!page.contains("Bring this text back"), "a viewer brings nothing back");
    let beside = viewer.sees(&format!("{first}?against={}", ids[1])).await;
    assert!(beside.contains("See you soon.") && !beside.contains("+ # a remark"), "{beside}");
    viewer.submits(&format!("{first}/restore"), &[]).await.expect(403);
    shop.app.clock.advance(MINUTE_MS);
    let answer = marta.submits(&format!("{first}/restore"), &[]).await.expect(303);
    assert_eq!(place(&answer), "/console/flows/small/history?done=flow_restored");
    assert_eq!(shop.text(), SMALL);
    let history = marta.sees("/console/flows/small/history").await;
    assert!(history.contains("brought back"), "{history}");
    assert_eq!(shop.app.count("flow_texts").await, 4);
    // Of another flow, or of none.
    marta.get("/console/flows/live_chat").await.expect(404);
    marta.get("/console/flows/small/history/0197").await.expect(404);
    marta.submits("/console/flows/small/history/0197/restore", &[]).await.expect(404);
}

#[tokio::test]
async fn a_flow_is_tried_out_and_nothing_of_it_is_kept() {
    let shop = Shop::start().await;
    let marta = agent(&shop.app, Role::Marketing).await;
    let viewer = agent(&shop.app, Role::Viewer).await;
    let before = shop.app.census().await;
    let page = viewer.sees("/console/flows/small/try").await;
    assert!(page.contains("More?") && page.contains("value=\"pick more a\""), "{page}");
    let path = "/console/flows/small/try";
    let page = viewer.submits(path, &[("next", "pick more a"), ("language", "es")]).await.expect(200).body;
    assert!(page.contains("said-bubble\">Adiós.") && page.contains("It is over."), "{page}");
    assert!(page.contains("step lit") && page.contains(">pick more a</textarea>"), "{page}");
    let page = viewer.submits(path, &[("moves", "pick more a"), ("next", "back")]).await.expect(200).body;
    assert!(page.contains("value=\"pick more b\"") && !page.contains("said-bubble\">Goodbye."), "{page}");
    let page = viewer.submits(path, &[("next", "wait 5"), ("moves", "shout x")]).await.expect(200).body;
    assert!(page.contains("said-bubble\">See you."), "time goes by as it is told to: {page}");
    let nasty = "<b>{{contact.email}}</b>";
    let page = viewer.submits(path, &[("next", "say"), ("said", nasty)]).await.expect(200).body;
    assert!(page.contains("&lt;b&gt;{{contact.email}}"), "{page}");
    // Refused where it makes no sense, and forgotten.
    let page = viewer.submits(path, &[("next", "take 7")]).await.expect(200).body;
    assert!(page.contains("This is not possible here.") && !page.contains(">take 7<"), "{page}");

    // A draft, for whoever may write one.
    let draft = SMALL.replace("More?", "Anything more?");
    let page = marta.submits(path, &[("text", &draft)]).await.expect(200).body;
    assert!(page.contains("A trial of your draft") && page.contains("Anything more?"), "{page}");
    let page = viewer.submits(path, &[("text", &draft)]).await.expect(200).body;
    assert!(!page.contains("Anything more?"), "{page}");
    let wrong = SMALL.replace("goto: quiet", "goto: quit");
    let page = marta.submits(path, &[("text", &wrong)]).await.expect(422).body;
    assert!(page.contains("G201") && page.contains("It can be tried as soon as nothing is wrong"), "{page}");
    assert_eq!(shop.app.census().await, before);
    assert_eq!(shop.text(), SMALL);
}
