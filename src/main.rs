//! The `chinwag` program: settings, logs, and serving until it is told to stop.

use std::error::Error;
use std::fmt;
use std::io::{self, IsTerminal, Write};
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use chinwag::{Backup, Command, Config, CopyError, CopyStep, Program, Server, StartError, Url};
use tokio::signal::unix::{SignalKind, signal};
use tracing::{Level, Metadata};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::prelude::*;

/// The exit code of a setting that cannot be; clap's own, too.
const BAD_SETTING: u8 = 2;

/// What is logged without `RUST_LOG`. PostgreSQL notes at every start that a table is there already.
const LOGGED: &str = "info,sqlx::postgres::notice=warn";

/// How often a copy says how far it is.
const SAY_EVERY: Duration = Duration::from_secs(1);

#[tokio::main]
async fn main() -> ExitCode {
    let Program { config, command } = Program::of_process();
    start_logging();
    let done = match command {
        None => serve(config).await,
        Some(Command::Backup { database_url, file }) => back_up(&database_url, &file).await,
        Some(Command::Copy { from, to }) => copy(&from, &to).await,
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("chinwag: {error}");
            match is_bad_setting(&*error) {
                true => ExitCode::from(BAD_SETTING),
                false => ExitCode::FAILURE,
            }
        }
    }
}

fn is_bad_setting(error: &(dyn Error + 'static)) -> bool {
    let start = error.downcast_ref();
    let passing = |error: &_| matches!(error, StartError::Listen { .. } | StartError::Store { .. });
    start.is_some_and(|error| !passing(error))
        || matches!(error.downcast_ref(), Some(CopyError::Unfit { .. }))
}

async fn back_up(database: &Url, file: &Path) -> Result<(), Box<dyn Error>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    // Dropped, it leaves nothing behind.
    let backup = tokio::select! {
        backup = chinwag::backup(database, file) => backup?,
        _ = terminate.recv() => return Err("ended before the backup was whole".into()),
        _ = interrupt.recv() => return Err("ended before the backup was whole".into()),
    };
    let Backup { bytes, chats, messages } = backup;
    let file = file.display();
    say(format_args!("backed up to {file}: {bytes} bytes, {chats} chats, {messages} messages"));
    Ok(())
}

/// Says how far it is once a second, and at the beginning and the end of each table.
async fn copy(from: &Url, to: &Url) -> Result<(), Box<dyn Error>> {
    let (mut said, mut begun) = (Instant::now(), "");
    chinwag::copy(from, to, |step| match step {
        CopyStep::Read { table, rows } => say(format_args!("read {table}: {rows}")),
        CopyStep::Copied { table, rows, of } => {
            let begins = rows > 0 && begun != table;
            if begins || rows == of || said.elapsed() >= SAY_EVERY {
                say(format_args!("copied {table}: {rows} of {of}"));
                (said, begun) = (Instant::now(), table);
            }
        }
        CopyStep::Compared { table, rows, of, same } => {
            let verdict = if same { "the same" } else { "DIFFERENT" };
            say(format_args!("compared {table:<14}{of:>12} read{rows:>12} written  {verdict}"));
        }
    })
    .await?;
    say(format_args!("all is copied"));
    Ok(())
}

/// Whoever started the program may have closed its output.
fn say(what: fmt::Arguments<'_>) {
    let _ = writeln!(io::stdout(), "{what}");
}

async fn serve(config: Config) -> Result<(), Box<dyn Error>> {
    // Heard from the start: a signal during the start ends it in order, too.
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let server = Server::start(config).await?;
    let (address, access) = (server.address(), server.access());
    say(format_args!("chinwag listening on http://{address} (access: {access})"));
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    tracing::info!("shutting down");
    server.shutdown().await;
    Ok(())
}

/// Logs go to standard error: for people on a terminal, as JSON lines elsewhere. `RUST_LOG`
/// chooses what is logged.
fn start_logging() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(LOGGED));
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr);
    let shows_no_frame = filter_fn(|about| !shows_frames(about));
    match io::stderr().is_terminal() {
        true => log.finish().with(shows_no_frame).init(),
        false => log.json().finish().with(shows_no_frame).init(),
    }
}

/// The frames of a WebSocket hold tokens and messages, which are for no log.
fn shows_frames(about: &Metadata<'_>) -> bool {
    *about.level() == Level::TRACE && about.target().starts_with("tungstenite")
}
