//! The database of a server under test: a file in its directory or, with
//! `CHINWAG_TEST_STORE=postgres`, a database of its own on the test PostgreSQL.

use std::path::Path;
use std::{env, fs, thread};

use sqlx::{AssertSqlSafe, Connection, PgConnection};
use tokio::runtime::Runtime;

use crate::support::services;

/// Whether the tests run on PostgreSQL.
pub fn is_postgres() -> bool {
    match env::var("CHINWAG_TEST_STORE").as_deref() {
        Ok("postgres") => true,
        Ok("sqlite") | Err(_) => false,
        Ok(other) => panic!("CHINWAG_TEST_STORE is sqlite or postgres, and not {other}"),
    }
}

/// Whether the tests run on PostgreSQL, so that a test about the SQLite file must be skipped;
/// prints that it is.
pub fn is_no_file(test: &str) -> bool {
    if is_postgres() {
        println!("{test} was SKIPPED: it is about the SQLite file");
    }
    is_postgres()
}

/// The URL of the database that belongs to a directory; the same one every time.
pub fn url_in(directory: &Path) -> String {
    match is_postgres() {
        true => postgres_in(directory),
        false => sqlite_in(directory),
    }
}

pub fn sqlite_in(directory: &Path) -> String {
    format!("sqlite:{}", directory.join("chat.db").display())
}

/// Where a server on PostgreSQL keeps its files: the place that a server on SQLite has by default.
pub fn files_in(directory: &Path) -> Option<String> {
    is_postgres().then(|| format!("file:{}", directory.join("chat.db.files").display()))
}

/// Drops a server's PostgreSQL database at the end, if it has one.
pub struct Lease {
    url: Option<String>,
}

impl Lease {
    pub fn of(directory: &Path) -> Lease {
        Lease { url: fs::read_to_string(directory.join(URL_FILE)).ok() }
    }

    /// Keeps the database, for the next server on the same directory.
    pub fn keep(mut self) {
        self.url = None;
    }
}

impl Drop for Lease {
    /// The test PostgreSQL does not have connections enough for the servers of all tests.
    fn drop(&mut self) {
        let Some(url) = self.url.take() else { return };
        let dropped = blocking(async move {
            let (server, name) = url.rsplit_once('/').unwrap();
            let mut connection = PgConnection::connect(&format!("{server}/postgres")).await?;
            let drop = AssertSqlSafe(format!("drop database {name} with (force)"));
            sqlx::raw_sql(drop).execute(&mut connection).await?;
            connection.close().await
        });
        if let Err(error) = dropped {
            eprintln!("the database of a test was left: {error}");
        }
    }
}

const URL_FILE: &str = "database-url";

fn postgres_in(directory: &Path) -> String {
    let file = directory.join(URL_FILE);
    fs::read_to_string(&file).unwrap_or_else(|_| {
        let server = services::postgres().expect("a PostgreSQL for CHINWAG_TEST_STORE=postgres");
        let url = blocking(async move { services::database(&server).await });
        fs::write(&file, &url).unwrap();
        url
    })
}

/// Runs a future on a thread of its own: the caller may be in a runtime, where nothing may block.
fn blocking<T: Send + 'static>(future: impl Future<Output = T> + Send + 'static) -> T {
    thread::spawn(move || Runtime::new().unwrap().block_on(future)).join().unwrap()
}
