//! `embudo flow`: test a flow, talk to it in the terminal, draw it.

mod chat;
mod test;

use std::process::ExitCode;

use anyhow::{Context, bail};

use super::check::{gather, place};
use crate::app::{Definitions, Sources};
use crate::base::diagnostic::Report;
use crate::base::language::Language;
use crate::base::time::Timestamp;
use crate::base::yaml;
use crate::chat::Flows;
use crate::chat::flow::Flow;
use crate::chat::graph::{self, Graph};
use crate::chat::rehearsal::Scene;
use crate::chat::script::Suite;
use crate::config::Config;

#[derive(clap::Args)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Play the flows' own tests, with a clock that is moved by hand.
    Test(test::Arguments),
    /// Talk to a flow.
    Chat {
        /// The flow's name.
        flow: String,
        /// A scene of the flow's tests; without one, somebody who is known well.
        #[arg(long)]
        scene: Option<String>,
        /// en or es.
        #[arg(long)]
        language: Option<String>,
        /// How many of the team are there.
        #[arg(long)]
        online: Option<u32>,
        /// How sure it is who she is, 0 to 4.
        #[arg(long, value_parser = clap::value_parser!(u8).range(0..=4))]
        trust: Option<u8>,
        /// The step to begin with.
        #[arg(long)]
        start_at: Option<String>,
    },
    /// Print the JSON Schema of flow files, for editors.
    Schema,
    /// Draw a flow.
    Graph {
        /// The flow's name.
        flow: String,
        /// As what.
        #[arg(long, value_enum, default_value_t = Drawing::Svg)]
        format: Drawing,
        /// en or es: the language of what is said in it.
        #[arg(long, default_value = "en")]
        language: String,
    },
}

/// What a flow is drawn as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Drawing {
    /// A picture that browsers show.
    Svg,
    /// A chart in text, which code hosts draw.
    Mermaid,
}

/// Runs `embudo flow …`.
pub fn run(arguments: &Arguments, config: &Config) -> anyhow::Result<ExitCode> {
    match &arguments.command {
        Command::Test(arguments) => test::run(arguments, config),
        Command::Chat { flow, scene, language, online, trust, start_at } => {
            let flows = flows(config, Vec::new())?;
            let flow = named(&flows, flow)?;
            if let Some(step) = start_at.as_deref().filter(|step| flow.step(step).is_none()) {
                bail!("there is no step \"{step}\" in {}", flow.id);
            }
            let mut scene = match scene {
                Some(name) => scene_of_tests(config, flow, name)?,
                None => Scene::usual(flows.all(), Timestamp::from_jiff(jiff::Timestamp::now())),
            };
            scene.language = language.as_deref().map_or(scene.language, Language::parse);
            scene.online = online.unwrap_or(scene.online);
            scene.trust = trust.unwrap_or(scene.trust);
            chat::run(flow, scene, start_at.as_deref())?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Schema => {
            super::tell(&format!("{:#}\n", crate::chat::schema::schema()));
            Ok(ExitCode::SUCCESS)
        }
        Command::Graph { flow, format, language } => {
            let flows = flows(config, Vec::new())?;
            let graph = Graph::of(named(&flows, flow)?, Language::parse(language));
            super::tell(&match format {
                Drawing::Svg => graph::svg(&graph),
                Drawing::Mermaid => graph::mermaid(&graph),
            });
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// The flows of the settings, the given ones among them.
fn flows(config: &Config, given: Vec<(String, String)>) -> anyhow::Result<Flows> {
    let report = Report::new();
    let mut sources = Sources::of(config, &report);
    place(&mut sources.flows, given);
    let read = Definitions::read(&sources, &report);
    read.flows.with_context(|| format!("a flow is wrong:\n{}", report.text()))
}

fn named<'f>(flows: &'f Flows, name: &str) -> anyhow::Result<&'f Flow> {
    let all: Vec<&str> = flows.all().iter().map(|flow| flow.id.as_str()).collect();
    let found = flows.find(name).map(AsRef::as_ref);
    let others = match all.as_slice() {
        [] => "there are none in the folder of `definitions.flows`".to_owned(),
        some => format!("there is {}", some.join(", ")),
    };
    found.with_context(|| format!("there is no flow \"{name}\"; {others}"))
}

/// A scene out of the files of tests beside the flows.
fn scene_of_tests(config: &Config, flow: &Flow, name: &str) -> anyhow::Result<Scene> {
    let report = Report::new();
    let mut files = Vec::new();
    gather(&config.path_of(&config.definitions.flows).join("tests"), &report, &mut files);
    let suites: Vec<Suite> = files
        .iter()
        .filter_map(|(path, text)| Suite::read(&yaml::parse(path, text, &report)?, &report))
        .filter(|suite| suite.flow.value == flow.id)
        .collect();
    let names: Vec<&str> = suites.iter().flat_map(|suite| suite.scenes.keys().map(String::as_str)).collect();
    let found = suites.iter().find_map(|suite| suite.scenes.get(name)).cloned();
    found.with_context(|| {
        format!("the tests of {} have no scene \"{name}\"; there is {}", flow.id, names.join(", "))
    })
}
