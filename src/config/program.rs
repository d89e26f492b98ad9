//! What the program can be told to do.

use std::env;
use std::path::PathBuf;
use std::time::Duration;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::parser::ValueSource;
use clap::{
    Arg, ArgGroup, ArgMatches, Args, CommandFactory, Error, FromArgMatches, Parser, Subcommand,
};
use uuid::Uuid;

use super::{Config, Url, database};

/// The longest life of a token that is made by hand, in seconds.
const MAX_LIFETIME: u64 = 10 * 365 * 24 * 60 * 60;

/// The command line of the program: without a command it serves.
#[derive(Debug, Parser)]
#[command(name = "chinwag", version, about, args_conflicts_with_subcommands = true)]
pub struct Program {
    #[command(flatten)]
    pub config: Config,

    /// A file that says what is logged, as RUST_LOG does and in its place; it is read again at
    /// SIGHUP
    #[arg(long, value_name = "FILE", env = "CHINWAG_LOG_FILTER_FILE")]
    pub log_filter_file: Option<PathBuf>,

    #[command(subcommand)]
    pub command: Option<Command>,

    /// The settings as texts, without secrets.
    #[arg(skip)]
    pub settings: Vec<(String, String)>,
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
        let mut settings = shown(&matches);
        let program = Program::from_arg_matches_mut(&mut matches);
        let mut program = program.unwrap_or_else(|error| error.exit());
        let is_of_server = matches!(
            program.command,
            None | Some(Command::Health { url: None } | Command::Check { what: Check::Config })
        );
        if is_of_server
            && !listens
            && let Some(port) = port_of_platform()
        {
            let listen = format!("0.0.0.0:{port}");
            let shown = settings.iter_mut().filter(|(name, _)| name == "listen");
            shown.for_each(|(_, value)| value.clone_from(&listen));
            program.config.listen = vec![listen];
        }
        program.settings = settings;
        program
    }
}

/// The settings by their names, without secrets. Those that are not set are missing.
fn shown(matches: &ArgMatches) -> Vec<(String, String)> {
    let settings = Program::command();
    let settings = settings.get_arguments().filter(|setting| setting.get_env().is_some());
    let shown = settings.filter_map(|setting| {
        let id = setting.get_id().as_str();
        let values = matches.get_raw(id)?.map(|value| value.to_string_lossy());
        // A setting whose variable is not shown in the help has a password in it, or is one.
        let value = match id {
            _ if !setting.is_hide_env_values_set() => Vec::from_iter(values).join(","),
            "database_url" | "files_url" | "redis_url" | "webhook_url" => {
                Vec::from_iter(values.map(|value| Url::from(&*value).to_string())).join(",")
            }
            _ => "(set, and not shown)".to_owned(),
        };
        Some((setting.get_long()?.to_owned(), value))
    });
    shown.collect()
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

/// What to do instead of serving.
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

    /// Write a chat, what a user has said, or everything as lines of JSON to the standard output
    ///
    /// A server may use the database meanwhile. With everything come the hashes of passwords; keep
    /// that as you keep the database. Files are named, and their bytes are not in it.
    #[command(group = ArgGroup::new("what").required(true))]
    Export {
        /// The database: sqlite:FILE or postgres://USER@HOST/DATABASE
        #[arg(long, env = "CHINWAG_DATABASE_URL", default_value_t = Config::default().database_url,
            value_parser = database, hide_env_values = true)]
        database_url: Url,

        /// Everything
        #[arg(long, group = "what")]
        all: bool,

        /// A chat, by its id, and who is or was in it
        #[arg(long, value_name = "ID", group = "what")]
        chat: Option<Uuid>,

        /// What a user has said and is part of, by the user's id
        #[arg(long, value_name = "ID", group = "what")]
        user: Option<String>,
    },

    /// Read what export has written into a database, a new one too
    ///
    /// Stop the server first. All is read, or nothing. Users and chats that are there already stay
    /// as they are.
    Import {
        /// The database: sqlite:FILE or postgres://USER@HOST/DATABASE
        #[arg(long, env = "CHINWAG_DATABASE_URL", default_value_t = Config::default().database_url,
            value_parser = database, hide_env_values = true)]
        database_url: Url,

        /// The file; - is the standard input
        file: PathBuf,
    },

    /// Ask a server whether it is ready: exits with 0 if it is, else with 1 and the reason
    ///
    /// For the health check of an image that has no shell.
    Health {
        /// The server, such as http://127.0.0.1:3000. Without it, the one that CHINWAG_LISTEN or
        /// PORT makes listen on this machine
        #[arg(long)]
        url: Option<String>,
    },

    /// Print a token of the host application for a user, signed with CHINWAG_JWT_SECRET
    ///
    /// For trying things out, and for services that act as one user. The first of
    /// CHINWAG_JWT_AUDIENCE and of CHINWAG_JWT_ISSUER is in it.
    Token {
        /// The user's external_id: who the user is to the host application
        #[arg(long, value_name = "EXTERNAL_ID")]
        user: String,

        /// How long it is good for: 30m, 1h, 7d
        #[arg(long = "for", value_name = "TIME", default_value = "1h", value_parser = lifetime)]
        lifetime: Duration,
    },

    /// Look at the events that the webhook did not take for a day, and send them again or drop them
    Webhooks {
        /// The database: sqlite:FILE or postgres://USER@HOST/DATABASE
        #[arg(long, env = "CHINWAG_DATABASE_URL", default_value_t = Config::default().database_url,
            value_parser = database, hide_env_values = true)]
        database_url: Url,

        #[command(subcommand)]
        what: Webhooks,
    },

    /// Look at a token, or at the settings, as a server would that had the same CHINWAG_ variables
    Check {
        #[command(subcommand)]
        what: Check,
    },
}

/// What to do with the events that are parked.
#[derive(Debug, Subcommand)]
pub enum Webhooks {
    /// Print them, one a line: id, stream, number, tries, failing since, problem
    List,

    /// Queue them again; a server that is running sends them within a second
    Resend(Which),

    /// Forget them: the webhook never gets them
    Drop(Which),
}

/// Which of the events that are parked.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub struct Which {
    /// One of them, by its id
    #[arg(long)]
    pub id: Option<Uuid>,

    /// All of them
    #[arg(long)]
    pub all: bool,
}

/// What can be checked.
#[derive(Debug, Subcommand)]
pub enum Check {
    /// Say whose a token is and until when, or why it would be refused (exit code 1)
    Token {
        /// The token, or the API key; `-` reads it from the standard input, where no other user of
        /// the machine can see it
        token: String,
    },

    /// Print the settings without secrets, or what is wrong with them (exit code 2)
    Config,
}

/// Reads a number and its unit: s, m, h or d.
fn lifetime(text: &str) -> Result<Duration, String> {
    let units = [("s", 1), ("m", 60), ("h", 60 * 60), ("d", 24 * 60 * 60)];
    let parsed = units.iter().find_map(|(unit, seconds)| {
        let number: u64 = text.strip_suffix(unit)?.parse().ok()?;
        number.checked_mul(*seconds).filter(|seconds| (1..=MAX_LIFETIME).contains(seconds))
    });
    let why = "must be a number and s, m, h or d, such as 30m or 7d, and 10 years at most";
    parsed.map(Duration::from_secs).ok_or(why.into())
}
