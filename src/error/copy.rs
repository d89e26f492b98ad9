//! What goes wrong with backups, copies, exports and imports.

use std::path::PathBuf;

use crate::config::Url;

/// Why a database was not backed up, copied, exported or imported, or why another command could not
/// use it.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// The command does not work with this kind of database.
    #[error("{url}: {why}")]
    Unfit { url: Url, why: &'static str },
    #[error("{url}: {source}")]
    Database { url: Url, source: sqlx::Error },
    #[error("{}: {source}", file.display())]
    File { file: PathBuf, source: std::io::Error },
    #[error("{}: already there", .0.display())]
    AlreadyThere(PathBuf),
    #[error("{}: no such database", .0.display())]
    NoDatabase(PathBuf),
    /// The backup differs from what was read.
    #[error("the backup is damaged, and the database with it: {0}")]
    Damaged(String),
    #[error("{0} is in use: stop the server first")]
    InUse(Url),
    #[error("{0} is no database of Chinwag's")]
    Foreign(Url),
    #[error("{0} is of an older version of Chinwag: start and stop a server of this version on it")]
    Older(Url),
    #[error("{0} is of a newer version of Chinwag: use that version's program")]
    Newer(Url),
    /// The readers of the event log would miss events.
    #[error(
        "{0} holds events that are not in Kafka yet: start the server on it with --kafka-brokers \
         until chinwag_event_log_lag_events is 0; or, for the log to go without them, run \
         \"update events set logged = true\" on it with sqlite3"
    )]
    Unlogged(Url),
    #[error("{0} holds data already, and not that of an unfinished copy; nothing was changed")]
    NotEmpty(Url),
    #[error(
        "{0} holds an unfinished copy of another database, or of this one before it changed; \
         drop it and create it anew to begin again"
    )]
    OtherOrigin(Url),
    #[error(
        "what {url} holds differs from what was copied, in: {tables}; has anyone written to it? \
         Drop it and create it anew to begin again"
    )]
    Differs { url: Url, tables: String },
    #[error("there is no chat or user of this id; list-chats and list-users show the ids")]
    NothingToExport,
    /// The import was undone: nothing of the export is in the database.
    #[error("{}, line {lines}: {why}; nothing was imported", file.display())]
    Unimportable { file: PathBuf, lines: String, why: String },
}

impl CopyError {
    /// Returns a function that turns an error of this database into a `CopyError`.
    pub(crate) fn of(url: &Url) -> impl Fn(sqlx::Error) -> CopyError + use<> {
        let url = url.clone();
        move |source| CopyError::Database { url: url.clone(), source }
    }
}
