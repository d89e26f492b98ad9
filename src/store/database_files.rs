//! Checks whether the files of a SQLite database are still where they were opened. A program that
//! has a deleted or replaced file open can still write to it, and what it writes is lost.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use tokio_util::sync::CancellationToken;

use crate::logs;

const TAKEN: &str = "the database file was deleted or replaced";

const NO_LOG: &str = "there can be no write-ahead log beside it, as on some network file systems: \
                      put the file on a local disk";

/// A file's device and number.
type Id = (u64, u64);

/// The files as they were when the database was opened.
#[derive(Debug)]
pub(super) struct Files {
    opened: Vec<(PathBuf, Id)>,
    lost: CancellationToken,
}

impl Files {
    /// The files of a database that has been opened, and of its log. Errors: SQLite has opened it
    /// without a log, which SQLite itself does not report.
    pub fn of(database: &Path) -> Result<Files, sqlx::Error> {
        // Use the real name: SQLite follows links, too.
        let database = fs::canonicalize(database)?;
        let mut log = database.clone().into_os_string();
        log.push("-wal");
        let log = PathBuf::from(log);
        let log_id = identify(&log).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => sqlx::Error::Configuration(NO_LOG.into()),
            _ => error.into(),
        })?;
        let database_id = identify(&database)?;
        let opened = vec![(database, database_id), (log, log_id)];
        Ok(Files { opened, lost: CancellationToken::new() })
    }

    /// Errors: a file was deleted or replaced. From then on this always fails.
    pub fn check(&self) -> Result<(), sqlx::Error> {
        for (name, id) in &self.opened {
            match identify(name) {
                Ok(found) if found == *id => {}
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
                _ => self.lose(name),
            }
        }
        match self.is_lost() {
            true => {
                Err(io::Error::new(io::ErrorKind::NotFound, "the database file is gone").into())
            }
            false => Ok(()),
        }
    }

    /// Whether a file has been found to be gone.
    pub fn is_lost(&self) -> bool {
        self.lost.is_cancelled()
    }

    /// Returns once a file has been found to be gone.
    pub async fn lost(&self) {
        self.lost.cancelled().await;
    }

    fn lose(&self, name: &Path) {
        self.lost.cancel();
        let file = name.display().to_string();
        logs::seldom("the database file is gone", move |_| {
            tracing::error!(file, "{TAKEN}: nothing is stored any more, and the server ends");
        });
    }
}

fn identify(file: &Path) -> io::Result<Id> {
    fs::metadata(file).map(|found| (found.dev(), found.ino()))
}
