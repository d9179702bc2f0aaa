//! `embudo demo`: the whole product with a sample company, in one folder, without any service.

mod company;
mod folder;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use super::serve::{Role, claim, listen, serve};
use crate::app::App;
use crate::config::Config;
use crate::telemetry;

#[derive(clap::Args)]
pub struct Arguments {
    /// The folder that holds everything of the demo. Delete it to begin anew.
    #[arg(long, default_value = "embudo-demo")]
    folder: PathBuf,
    /// The port to listen on.
    #[arg(long, default_value_t = 8080)]
    port: u16,
}

/// Runs the demo until it is told to stop.
pub fn run(arguments: &Arguments, file: Option<PathBuf>) -> anyhow::Result<ExitCode> {
    // The address is taken before anything is written.
    let listener = listen(&format!("127.0.0.1:{}", arguments.port), "--port PORT")?;
    let _claim = claim(&arguments.folder.join("data"), "--folder FOLDER")?;
    let settings = folder::prepare(&arguments.folder, arguments.port)?;
    let mut config = Config::load(Some(&file.unwrap_or(settings)), std::env::vars())?;
    config.is_demo = true;
    telemetry::start(&config.log);
    super::block_on(async {
        let clock = super::clock(&config);
        let app = Arc::new(App::build(config, clock).await?);
        company::settle_in(&app).await?;
        let told = app.clone();
        serve(app, &[Role::Web, Role::Worker], Some(listener), move || tell(&told)).await
    })
}

fn tell(app: &App) {
    let mails = if app.desk.mailer.leaves() { "are sent" } else { "are kept; see the outbox" };
    println!(
        "\nEmbudo is running with its sample company, Librería Faro.\n\n  \
         site      {site}/\n  \
         console   {site}/console\n  \
         outbox    {site}/console/outbox   (mails {mails})\n  \
         log in    {mike}   password  {password}\n            \
         {yuri}   (account executive)   {admin}   (admin), same password\n\n  \
         folder    {folder}\n\nStop with Ctrl-C.\n",
        site = app.own_origin(),
        mike = company::MIKE,
        yuri = company::YURI,
        admin = company::ADMIN,
        password = company::PASSWORD,
        folder = app.config.storage.data.display(),
    );
}
