//! `embudo serve`.

use std::fs::{File, TryLockError};
use std::net::TcpListener;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use crate::app::App;
use crate::base::time::Clock;
use crate::config::Config;
use crate::storage::db::in_the_background;
use crate::{http, ingest, jobs, telemetry};

#[derive(clap::Args)]
pub struct Arguments {
    /// What this process does: `web` answers requests, `worker` does the work that waits.
    #[arg(long, value_delimiter = ',', default_value = "web,worker")]
    roles: Vec<Role>,
}

/// What a process does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Role {
    Web,
    Worker,
}

/// Serves until the process is told to stop.
pub fn run(arguments: &Arguments, config: Config) -> anyhow::Result<ExitCode> {
    telemetry::start(&config.log);
    // Files of one folder and sessions in one process: a second server would know nothing of the first.
    let is_alone = config.storage.postgres.is_empty();
    let _claim = is_alone.then(|| claim(&config.storage.data, "EMBUDO__STORAGE__DATA=FOLDER")).transpose()?;
    super::block_on(async {
        let app = Arc::new(App::build(config, Clock::system()).await?);
        // Nobody may enter yet: whoever sees what the server prints is to be the first. It stands in no log.
        let first = match arguments.roles.contains(&Role::Web) {
            true => http::console::first::link(&app).await?,
            false => None,
        };
        serve(app, &arguments.roles, None, move || first.iter().for_each(|link| welcome(link))).await
    })
}

/// Says how the first person comes in.
fn welcome(link: &str) {
    super::tell(&format!(
        "\nNobody may enter the console yet. Make the first account with this link; it works for a day, and as long as \
         there is none:\n\n  {link}\n\n"
    ));
}

/// Serves `app` on `listener`, else on the configured address, until SIGTERM or SIGINT; calls `ready` once it answers.
pub async fn serve(
    app: Arc<App>,
    roles: &[Role],
    listener: Option<TcpListener>,
    ready: impl FnOnce(),
) -> anyhow::Result<ExitCode> {
    let mut stop = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut hangup = signal(SignalKind::hangup())?;
    app.watch_flows();
    let server = match roles.contains(&Role::Web) {
        true => {
            let listener = listener.map_or_else(
                || listen(&app.config.server.listen, "EMBUDO__SERVER__LISTEN=127.0.0.1:PORT"),
                Ok,
            )?;
            Some(http::serve(app.clone(), listener)?)
        }
        false => None,
    };
    let handle = server.as_ref().map(|server| server.handle());
    let web = server.map(tokio::spawn);
    let (stop_work, stopped) = watch::channel(false);
    let carrier = app.clone();
    let carried = stop_work.subscribe();
    let carry = async move { ingest::carry(carrier.following(), carried).await };
    let carry = tokio::spawn(in_the_background(carry));
    let (counter, counted) = (app.clone(), stop_work.subscribe());
    let count = async move { counter.write_counts(counted).await };
    let count = tokio::spawn(in_the_background(count));
    let reader = app.clone();
    let read = stop_work.subscribe();
    let follow = async move { ingest::follow(reader.following(), read).await };
    let follow = roles.contains(&Role::Worker).then(|| tokio::spawn(in_the_background(follow)));
    let work = roles.contains(&Role::Worker).then(|| tokio::spawn(jobs::run(app.worker(), stopped)));
    tracing::info!(server.address = %app.config.server.listen, "Serving");
    ready();
    loop {
        tokio::select! {
            _ = stop.recv() => break,
            _ = interrupt.recv() => break,
            _ = hangup.recv() => match app.reload_flows().await {
                Ok(reloaded) => tracing::info!(outcome = ?reloaded, "Looked at the flows again"),
                Err(error) => tracing::error!(error = %error, "the flows cannot be read again"),
            },
        }
    }
    tracing::info!("Stopping");
    if let (Some(handle), Some(web)) = (handle, web) {
        handle.stop(true).await;
        web.await??;
    }
    // The turn that is under way is finished; what is left stands in the queue.
    stop_work.send_replace(true);
    if let Some(work) = work {
        work.await?;
    }
    if let Some(follow) = follow {
        follow.await?;
    }
    count.await?;
    carry.await?;
    Ok(ExitCode::SUCCESS)
}

/// Takes a data folder for this process until it ends, and says what to do when another one has it.
pub fn claim(data: &Path, otherwise: &str) -> anyhow::Result<File> {
    let folder = || data.display();
    std::fs::create_dir_all(data).with_context(|| format!("{} cannot be made", folder()))?;
    let path = data.join("lock");
    let file = File::create(&path).with_context(|| format!("{} cannot be written", path.display()))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => anyhow::bail!(
            "another Embudo is running on {}. Stop it, or choose another folder with {otherwise}",
            folder()
        ),
        Err(TryLockError::Error(error)) => {
            Err(error).with_context(|| format!("{} cannot be locked", path.display()))
        }
    }
}

/// Binds the address, and says what to do when it is taken: `otherwise` is how another one is chosen.
pub fn listen(address: &str, otherwise: &str) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).with_context(|| {
        format!(
            "cannot listen on {address}. If another program (or another Embudo) has the port, stop it or choose \
             another with {otherwise}"
        )
    })
}
