//! The `chinwag` program: settings, logs, and serving until it is told to stop.

use std::error::Error;
use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;

use chinwag::{Config, Server, StartError};
use clap::Parser;
use tokio::signal::unix::{SignalKind, signal};
use tracing::{Level, Metadata};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::prelude::*;

/// The exit code of a setting that cannot be; clap's own, too.
const BAD_SETTING: u8 = 2;

#[tokio::main]
async fn main() -> ExitCode {
    let config = Config::parse();
    start_logging();
    match run(config).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("chinwag: {error}");
            match error.downcast_ref() {
                Some(StartError::Listen { .. } | StartError::Store { .. }) | None => {
                    ExitCode::FAILURE
                }
                Some(_) => ExitCode::from(BAD_SETTING),
            }
        }
    }
}

async fn run(config: Config) -> Result<(), Box<dyn Error>> {
    // Heard from the start: a signal during the start ends it in order, too.
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let server = Server::start(config).await?;
    let (address, access) = (server.address(), server.access());
    // Whoever started the server may have closed its output.
    let _ = writeln!(io::stdout(), "chinwag listening on http://{address} (access: {access})");
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
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
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
