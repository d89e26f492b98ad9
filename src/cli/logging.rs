//! The program's logs.

use std::env;
use std::fs;
use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};

use tracing::{Level, Metadata};
use tracing_subscriber::filter::{LevelFilter, filter_fn};
use tracing_subscriber::prelude::*;
use tracing_subscriber::{EnvFilter, Registry, fmt, reload};

use super::commands::complain;

/// What is logged without `RUST_LOG`. PostgreSQL notes at every start that a table is there
/// already.
const LOGGED: &str = "info,sqlx::postgres::notice=warn";

/// Logs go to standard error: for people on a terminal, as JSON lines elsewhere. What is logged is
/// said by a file, or by `RUST_LOG`.
pub struct Logging {
    file: Option<PathBuf>,
    filter: reload::Handle<EnvFilter, Registry>,
}

impl Logging {
    /// Errors: a file that cannot be read or is not understood.
    pub fn start(file: Option<PathBuf>) -> Result<Logging, String> {
        let filter = match &file {
            Some(file) => read_filter_of(file)?,
            None => filter_of_environment(),
        };
        let (filter, handle) = reload::Layer::new(filter);
        // A line that cannot be written is lost: saying so on the standard error, as the library
        // does by default, would panic.
        let is_terminal = io::stderr().is_terminal();
        let lines =
            is_terminal.then(|| fmt::layer().with_writer(io::stderr).log_internal_errors(false));
        let json = (!is_terminal)
            .then(|| fmt::layer().json().with_writer(io::stderr).log_internal_errors(false));
        let log = tracing_subscriber::registry().with(filter).with(lines).with(json);
        log.with(filter_fn(|about| !shows_frames(about))).init();
        Ok(Logging { file, filter: handle })
    }

    /// Reads the file again. One that cannot be used changes nothing.
    pub fn reload(&self) {
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
        complain(format_args!("chinwag: RUST_LOG is not understood, `info` is taken: {why}"));
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
