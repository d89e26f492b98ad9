//! The `chinwag` program: settings, logs, and serving until it is told to stop.

use std::env;
use std::error::Error;
use std::fmt::{Arguments, Display, Formatter};
use std::fs;
use std::future;
use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use chinwag::{
    Backup, Check, Command, Config, CopyError, CopyStep, Export, Imported, ParkedWebhook,
    ParkedWebhooks, Program, Server, StartError, TokenError, TokenFault, TokenHolder, Url,
    Webhooks, Which,
};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing::{Level, Metadata};
use tracing_subscriber::filter::{LevelFilter, filter_fn};
use tracing_subscriber::prelude::*;
use tracing_subscriber::{EnvFilter, Registry, fmt, reload};

#[cfg(target_env = "musl")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The exit code of a setting that cannot be; clap's own, too.
const BAD_SETTING: u8 = 2;

/// The exit code of a server whose database file was taken away from under it.
const DATABASE_LOST: u8 = 3;

/// What is logged without `RUST_LOG`. PostgreSQL notes at every start that a table is there
/// already.
const LOGGED: &str = "info,sqlx::postgres::notice=warn";

/// How often a copy says how far it is.
const SAY_EVERY: Duration = Duration::from_secs(1);

#[tokio::main]
async fn main() -> ExitCode {
    let Program { config, log_filter_file, command, settings } = Program::of_process();
    let logging = match Logging::start(log_filter_file) {
        Ok(logging) => logging,
        Err(why) => {
            eprintln!("chinwag: {why}");
            return ExitCode::from(BAD_SETTING);
        }
    };
    let done = match command {
        None => serve(config, &logging).await,
        Some(Command::Backup { database_url, file }) => back_up(&database_url, &file).await,
        Some(Command::Copy { from, to }) => copy(&from, &to).await,
        Some(Command::Export { database_url, all: _, chat, user }) => {
            export(&database_url, chat, user).await
        }
        Some(Command::Import { database_url, file }) => import(&database_url, &file).await,
        Some(Command::Health { url }) => {
            chinwag::health(url.as_deref(), &config).await.map_err(Into::into)
        }
        Some(Command::Token { user, lifetime }) => make_token(&config, &user, lifetime),
        Some(Command::Webhooks { database_url, what }) => webhooks(&database_url, what).await,
        Some(Command::Check { what: Check::Token { token } }) => check_token(&config, &token).await,
        Some(Command::Check { what: Check::Config }) => check_config(&config, &settings).await,
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("chinwag: {error}");
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

async fn back_up(database: &Url, file: &Path) -> Result<(), Box<dyn Error>> {
    let mut end = End::of_command()?;
    // Dropped, it leaves nothing behind.
    let backup = tokio::select! {
        backup = chinwag::backup(database, file) => backup?,
        () = end.told() => return Err("ended before the backup was whole".into()),
    };
    let Backup { bytes, chats, messages, files } = backup;
    let file = file.display();
    say(format_args!("backed up to {file}: {bytes} bytes, {chats} chats, {messages} messages"));
    if files > 0 {
        say(format_args!(
            "{files} files are not in it: now copy the folder beside the database, named as that \
             with .files after it, or what --files-url names"
        ));
    }
    Ok(())
}

/// Says how far it is once a second, and at the beginning and the end of each table.
async fn copy(from: &Url, to: &Url) -> Result<(), Box<dyn Error>> {
    let (mut said, mut begun, mut files) = (Instant::now(), "", 0);
    chinwag::copy(from, to, |step| match step {
        CopyStep::Read { table, rows } => {
            if table == "files" {
                files = rows;
            }
            say(format_args!("read {table}: {rows}"));
        }
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
    if files > 0 {
        say(format_args!(
            "{files} files are where they were: name that folder to the server by \
             --files-url file:FOLDER, or move what is in it to where --files-url says"
        ));
    }
    Ok(())
}

async fn export(
    database: &Url,
    chat: Option<uuid::Uuid>,
    user: Option<String>,
) -> Result<(), Box<dyn Error>> {
    let what = match (chat, user) {
        (Some(id), _) => Export::Chat(id),
        (_, Some(id)) => Export::User(id),
        _ => Export::All,
    };
    let mut out = BufWriter::with_capacity(1 << 16, io::stdout().lock());
    let rows = chinwag::export(database, &what, &mut out).await?;
    eprintln!("exported {rows} rows");
    Ok(())
}

async fn import(database: &Url, file: &Path) -> Result<(), Box<dyn Error>> {
    for Imported { table, read, written } in chinwag::import(database, file).await? {
        say(format_args!("{table}: {read} read, {written} written"));
    }
    say(format_args!("all is imported"));
    Ok(())
}

async fn webhooks(database: &Url, what: Webhooks) -> Result<(), Box<dyn Error>> {
    let mut parked = ParkedWebhooks::open(database).await?;
    let (done, count, Which { id, .. }) = match what {
        Webhooks::List => return list_webhooks(parked).await,
        Webhooks::Resend(which) => ("queued again", parked.resend(which.id).await?, which),
        Webhooks::Drop(which) => ("dropped", parked.drop(which.id).await?, which),
    };
    match (count, id) {
        (0, Some(id)) => Err(format!("no event with the id {id} is parked").into()),
        (count, _) => {
            say(format_args!("{done}: {count}"));
            Ok(())
        }
    }
}

async fn list_webhooks(mut parked: ParkedWebhooks) -> Result<(), Box<dyn Error>> {
    let mut last = None;
    loop {
        let page = parked.list(last).await?;
        for parked in &page {
            let ParkedWebhook { id, stream, number, attempts, problem, .. } = parked;
            let since = parked.failing_since();
            say(format_args!("{id} {stream} {number} {attempts} {since} {problem}"));
        }
        last = page.last().map(|parked| parked.id);
        if last.is_none() {
            return Ok(());
        }
    }
}

fn make_token(config: &Config, user: &str, lifetime: Duration) -> Result<(), Box<dyn Error>> {
    say(format_args!("{}", chinwag::host_token(config, user, lifetime)?));
    Ok(())
}

async fn check_token(config: &Config, token: &str) -> Result<(), Box<dyn Error>> {
    let token = match token {
        "-" => io::read_to_string(io::stdin())?,
        token => token.to_owned(),
    };
    match chinwag::check_token(config, token.trim()).await? {
        TokenHolder::Service => say(format_args!("the API key: the service, for good")),
        TokenHolder::Host { external_id, until } => {
            say(format_args!("the user with the external_id {external_id}, until {until}"));
        }
        TokenHolder::User { id, until } => say(format_args!("the user {id}, until {until}")),
    }
    Ok(())
}

async fn check_config(
    config: &Config,
    settings: &[(String, String)],
) -> Result<(), Box<dyn Error>> {
    Server::check(config).await?;
    settings.iter().for_each(|(name, value)| say(format_args!("{name}: {value}")));
    Ok(())
}

/// Says it on the standard output, which may have been closed.
fn say(what: Arguments<'_>) {
    let _ = writeln!(io::stdout(), "{what}");
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
    // What a start has not finished ends with the process: migrations are transactions, locks go
    // with their files and connections.
    let server = tokio::select! {
        server = Server::start(config) => server?,
        () = end.told() => return Ok(()),
    };
    let urls: Vec<_> = server.addresses().iter().map(|it| format!("http://{it}")).collect();
    let (urls, access) = (urls.join(" and "), server.access());
    say(format_args!("chinwag listening on {urls} (access: {access})"));
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

/// The signals that ask for the end: SIGTERM and SIGINT; of a command, too, SIGHUP when its
/// terminal is closed.
struct End {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Option<Signal>,
}

impl End {
    /// Of a command. From now on they do not kill.
    fn of_command() -> io::Result<End> {
        let hang_up = hangs_up().then(|| signal(SignalKind::hangup())).transpose()?;
        Ok(End { hang_up, ..End::of_server()? })
    }

    /// Of a server, which reads its files again at SIGHUP. From now on they do not kill.
    fn of_server() -> io::Result<End> {
        Ok(End {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hang_up: None,
        })
    }

    async fn told(&mut self) {
        let hang_up = async {
            match &mut self.hang_up {
                Some(signal) => signal.recv().await,
                None => future::pending().await,
            }
        };
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
            _ = hang_up => {}
        }
    }
}

/// Whether SIGHUP would end this process: under `nohup` it is ignored, and is to stay so.
fn hangs_up() -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    ignored.is_some_and(|mask| u64::from_str_radix(mask.trim(), 16).is_ok_and(|mask| mask & 1 == 0))
}

/// Takes as many open files as this process may have, and warns if there may be more connections.
fn allow_files(max_connections: usize) {
    let mut files = getrlimit(Resource::Nofile);
    let all = Rlimit { current: files.maximum, ..files };
    if setrlimit(Resource::Nofile, all).is_ok() {
        files = all;
    }
    // None is as many as there can be.
    if let Some(files) = files.current.filter(|files| *files < max_connections as u64) {
        tracing::warn!(
            files,
            max_connections,
            "the limit of open files is below --max-connections"
        );
    }
}

/// Logs go to standard error: for people on a terminal, as JSON lines elsewhere. What is logged is
/// said by a file, or by `RUST_LOG`.
struct Logging {
    file: Option<PathBuf>,
    filter: reload::Handle<EnvFilter, Registry>,
}

impl Logging {
    /// Errors: a file that cannot be read or is not understood.
    fn start(file: Option<PathBuf>) -> Result<Logging, String> {
        let filter = match &file {
            Some(file) => read_filter_of(file)?,
            None => filter_of_environment(),
        };
        let (filter, handle) = reload::Layer::new(filter);
        let is_terminal = io::stderr().is_terminal();
        let lines = is_terminal.then(|| fmt::layer().with_writer(io::stderr));
        let json = (!is_terminal).then(|| fmt::layer().json().with_writer(io::stderr));
        let log = tracing_subscriber::registry().with(filter).with(lines).with(json);
        log.with(filter_fn(|about| !shows_frames(about))).init();
        Ok(Logging { file, filter: handle })
    }

    /// Reads the file again. One that cannot be used changes nothing.
    fn reload(&self) {
        let Some(file) = &self.file else {
            return;
        };
        let read = read_filter_of(file);
        let taken = read.and_then(|it| self.filter.reload(it).map_err(|error| error.to_string()));
        match taken {
            Ok(()) => tracing::info!("what is logged was read again"),
            Err(why) => tracing::warn!(why, "what is logged stays as it was"),
        }
    }
}

fn read_filter_of(file: &Path) -> Result<EnvFilter, String> {
    let text = fs::read_to_string(file).map_err(|error| error.to_string());
    let filter = text.and_then(|text| read_filter(text.trim()));
    filter.map_err(|why| format!("the log filter file {}: {why}", file.display()))
}

fn filter_of_environment() -> EnvFilter {
    let wanted = env::var_os(EnvFilter::DEFAULT_ENV).unwrap_or_default();
    read_filter(&wanted.to_string_lossy()).unwrap_or_else(|why| {
        eprintln!("chinwag: RUST_LOG is not understood, `info` is taken: {why}");
        EnvFilter::new(LOGGED)
    })
}

fn read_filter(text: &str) -> Result<EnvFilter, String> {
    if text.is_empty() {
        return Ok(EnvFilter::new(LOGGED));
    }
    // A mistyped level would be taken for the name of a module, and silence all others.
    let is_name = |word: &&str| word.chars().all(|c| c.is_alphanumeric() || c == '_' || c == ':');
    let is_level = |word: &str| word.is_empty() || word.parse::<LevelFilter>().is_ok();
    let mut words = text.split(',').map(str::trim).filter(is_name);
    match words.find(|word| !is_level(word) && !word.starts_with("chinwag")) {
        Some(word) => Err(format!("`{word}` is no level; a part is `{word}=trace`")),
        None => EnvFilter::builder().parse(text).map_err(|error| error.to_string()),
    }
}

/// The frames of a WebSocket hold tokens and messages, which are for no log.
fn shows_frames(about: &Metadata<'_>) -> bool {
    *about.level() == Level::TRACE && about.target().starts_with("tungstenite")
}
