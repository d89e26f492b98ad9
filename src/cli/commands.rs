//! The commands of the program.

use std::error::Error;
use std::fmt::Arguments;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use super::signals::End;
use crate::config::{Check, Command, Config, Url, Webhooks, Which};
use crate::domain::{self, TokenHolder};
use crate::doors::http;
use crate::server::Server;
use crate::store::{self, Backup, CopyStep, Export, Imported, ParkedWebhook, ParkedWebhooks};

/// How often a copy says how far it is.
const SAY_EVERY: Duration = Duration::from_secs(1);

/// Does what a command says. Errors are sentences for whoever has given it.
pub async fn run(
    command: Command,
    config: &Config,
    settings: &[(String, String)],
) -> Result<(), Box<dyn Error>> {
    match command {
        Command::Backup { database_url, file } => back_up(&database_url, &file).await,
        Command::Copy { from, to } => copy(&from, &to).await,
        Command::Export { database_url, all: _, chat, user } => {
            export(&database_url, chat, user).await
        }
        Command::Import { database_url, file } => import(&database_url, &file).await,
        Command::Health { url } => http::health(url.as_deref(), config).await.map_err(Into::into),
        Command::Token { user, lifetime } => make_token(config, &user, lifetime),
        Command::Webhooks { database_url, what } => webhooks(&database_url, what).await,
        Command::Check { what: Check::Token { token } } => check_token(config, &token).await,
        Command::Check { what: Check::Config } => check_config(config, settings).await,
    }
}

async fn back_up(database: &Url, file: &Path) -> Result<(), Box<dyn Error>> {
    let mut end = End::of_command()?;
    // Dropped, it leaves nothing behind.
    let backup = tokio::select! {
        backup = store::backup(database, file) => backup?,
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
    store::copy(from, to, |step| match step {
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
    let rows = store::export(database, &what, &mut out).await?;
    complain(format_args!("exported {rows} rows"));
    Ok(())
}

async fn import(database: &Url, file: &Path) -> Result<(), Box<dyn Error>> {
    for Imported { table, read, written } in store::import(database, file).await? {
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
    say(format_args!("{}", domain::host_token(config, user, lifetime)?));
    Ok(())
}

async fn check_token(config: &Config, token: &str) -> Result<(), Box<dyn Error>> {
    let token = match token {
        "-" => io::read_to_string(io::stdin())?,
        token => token.to_owned(),
    };
    match domain::check_token(config, token.trim()).await? {
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
pub fn say(what: Arguments<'_>) {
    let _ = writeln!(io::stdout(), "{what}");
}

/// Says it on the standard error, which may have been closed, or be a file on a full disk.
pub fn complain(what: Arguments<'_>) {
    let _ = writeln!(io::stderr(), "{what}");
}
