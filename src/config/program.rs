//! What the program can be told to do.

use std::env;
use std::path::PathBuf;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, CommandFactory, Error, FromArgMatches, Parser, Subcommand};

use super::{Config, Url, database};

/// The command line of the program: without a command it serves.
#[derive(Debug, Parser)]
#[command(name = "chinwag", version, about, args_conflicts_with_subcommands = true)]
pub struct Program {
    #[command(flatten)]
    pub config: Config,

    #[command(subcommand)]
    pub command: Option<Command>,
}

impl Program {
    /// What this process was told on its command line and by its environment. A variable that is
    /// empty is as good as none: a compose file cannot leave one out. Wrong ones end the process.
    pub fn of_process() -> Program {
        let command = Program::command().mut_args(unless_empty);
        let command = command.mut_subcommands(|command| command.mut_args(unless_empty));
        let matches: Result<ArgMatches, Error> = command.try_get_matches();
        let mut matches = matches.unwrap_or_else(|error| without_password(error).exit());
        let listens = matches.value_source("listen") != Some(ValueSource::DefaultValue);
        let program = Program::from_arg_matches_mut(&mut matches);
        let mut program = program.unwrap_or_else(|error| error.exit());
        if program.command.is_none()
            && !listens
            && let Some(port) = port_of_platform()
        {
            program.config.listen = vec![format!("0.0.0.0:{port}")];
        }
        program
    }
}

/// The error without the password of a URL that is wrong, or that stands where none is wanted.
fn without_password(mut error: Error) -> Error {
    for kind in [ContextKind::InvalidValue, ContextKind::InvalidArg, ContextKind::InvalidSubcommand]
    {
        if let Some(ContextValue::String(value)) = error.get(kind) {
            let shown = Url::from(value.as_str()).to_string();
            error.insert(kind, ContextValue::String(shown));
        }
    }
    error
}

/// The port that a hosting platform wants its program to serve on. A wrong one ends the process.
fn port_of_platform() -> Option<u16> {
    let port = env::var_os("PORT").filter(|port| !port.is_empty())?;
    let port = port.to_string_lossy();
    let why = "the variable PORT must be a number from 0 to 65535; with --listen it is not read";
    let wrong = |_| Program::command().error(ErrorKind::ValueValidation, why).exit();
    Some(port.trim().parse().unwrap_or_else(wrong))
}

fn unless_empty(arg: Arg) -> Arg {
    let is_empty = |name| env::var_os(name).is_some_and(|value| value.is_empty());
    match arg.get_env().is_some_and(is_empty) {
        true => arg.env(None),
        false => arg,
    }
}

/// What else than to serve.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Copy the SQLite database into a new file, also while a server writes to it
    ///
    /// The file holds everything that was acknowledged before the command began. It appears under
    /// its name when it is whole, checked and on the disk. To restore it, start a server on it.
    Backup {
        /// The database: sqlite:FILE
        #[arg(long, env = "CHINWAG_DATABASE_URL", default_value_t = Config::default().database_url,
            value_parser = database, hide_env_values = true)]
        database_url: Url,

        /// The file to make; there must be none of this name
        file: PathBuf,
    },

    /// Move everything from SQLite to PostgreSQL, for when one machine is no longer enough
    ///
    /// Stop the server first: a database that is in use is refused, and nobody can open it until
    /// the command ends. It is only read. The other one must be empty; no server starts on it
    /// until all has been copied, read back and found to be the same. Ended before that, the same
    /// command goes on where it was. Rooms that end with their last visitor are not copied.
    Copy {
        /// The database to read: sqlite:FILE
        #[arg(long, value_name = "URL", value_parser = database)]
        from: Url,

        /// The database to fill: postgres://USER@HOST/DATABASE, with the password in ~/.pgpass or
        /// PGPASSWORD, or after the user as :PASSWORD
        #[arg(long, value_name = "URL", value_parser = database)]
        to: Url,
    },
}
