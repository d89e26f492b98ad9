//! The program around the server: its settings, its commands, its logs, and serving until it is
//! told to stop. It is no part of what others embed.

mod commands;
mod logging;
mod signals;

use std::error::Error;
use std::fmt::{Display, Formatter};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::process::ExitCode;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::signal::unix::{SignalKind, signal};

use crate::config::{Config, Limits, Program};
use crate::domain::{TokenError, TokenFault};
use crate::error::{CopyError, StartError};
use crate::server::Server;
use commands::{complain, say};
use logging::Logging;
use signals::End;

/// The exit code of a setting that cannot be; clap's own, too.
const BAD_SETTING: u8 = 2;

/// The exit code of a server whose database file was taken away from under it.
const DATABASE_LOST: u8 = 3;

/// The program: what its arguments say, from its start to its exit code.
#[tokio::main]
pub async fn run() -> ExitCode {
    let Program { config, log_filter_file, command, settings } = Program::of_process();
    let logging = match Logging::start(log_filter_file) {
        Ok(logging) => logging,
        Err(why) => {
            complain(format_args!("chinwag: {why}"));
            return ExitCode::from(BAD_SETTING);
        }
    };
    let done = match command {
        None => serve(config, &logging).await,
        Some(command) => commands::run(command, &config, &settings).await,
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(format_args!("chinwag: {error}"));
            match &*error {
                error if error.is::<DatabaseLost>() => ExitCode::from(DATABASE_LOST),
                error if is_bad_setting(error) => ExitCode::from(BAD_SETTING),
                _ => ExitCode::FAILURE,
            }
        }
    }
}

fn is_bad_setting(error: &(dyn Error + 'static)) -> bool {
    let start = error.downcast_ref();
    let passing = |error: &_| matches!(error, StartError::Listen { .. } | StartError::Store { .. });
    start.is_some_and(|error| !passing(error))
        || matches!(error.downcast_ref(), Some(TokenFault::Settings(_)))
        || error.is::<TokenError>()
        || matches!(error.downcast_ref(), Some(CopyError::Unfit { .. }))
}

/// Why a server ended that nobody told to.
#[derive(Debug)]
struct DatabaseLost;

impl Display for DatabaseLost {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        f.write_str("the database file was deleted or replaced while the server had it open")
    }
}

impl Error for DatabaseLost {}

async fn serve(config: Config, logging: &Logging) -> Result<(), Box<dyn Error>> {
    let mut end = End::of_server()?;
    // From now on it does not kill.
    let mut hang_up = signal(SignalKind::hangup())?;
    tracing::info!(version = env!("CARGO_PKG_VERSION"), "starting");
    allow_files(config.limits.max_connections);
    let database = config.database_url.place();
    // What a start has not finished ends with the process: migrations are transactions, locks go
    // with their files and connections.
    let server = tokio::select! {
        server = Server::start(config) => server?,
        () = end.told() => return Ok(()),
    };
    let urls: Vec<_> = server.addresses().iter().map(|it| format!("http://{it}")).collect();
    let (urls, access) = (urls.join(" and "), server.access());
    let first = reached(server.address());
    say(format_args!(
        "chinwag listening on {urls} (access: {access})\n\
         demo page: http://{first}/\n\
         reference: http://{first}/docs\n\
         database: {database}"
    ));
    let ended = loop {
        tokio::select! {
            () = end.told() => break Ok(()),
            () = server.database_lost() => break Err(DatabaseLost.into()),
            _ = hang_up.recv() => {
                logging.reload();
                server.reload().await;
            }
        }
    };
    tracing::info!("shutting down");
    server.shutdown().await;
    ended
}

/// Where a browser on this machine reaches what listens at an address: none goes to 0.0.0.0.
fn reached(mut address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        address.set_ip(match address {
            SocketAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            SocketAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        });
    }
    address
}

/// Takes as many open files as this process may have, and warns if there may be more connections;
/// where nobody has said how many, it is worth no warning.
fn allow_files(max_connections: usize) {
    let mut files = getrlimit(Resource::Nofile);
    let all = Rlimit { current: files.maximum, ..files };
    if setrlimit(Resource::Nofile, all).is_ok() {
        files = all;
    }
    // None is as many as there can be.
    if let Some(files) = files.current.filter(|files| *files < max_connections as u64) {
        const WHAT: &str = "the limit of open files is below --max-connections";
        match max_connections == Limits::default().max_connections {
            true => tracing::info!(files, max_connections, "{WHAT}"),
            false => tracing::warn!(files, max_connections, "{WHAT}"),
        }
    }
}
