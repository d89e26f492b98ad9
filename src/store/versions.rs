//! Checks whether a database was made by this version of Chinwag, for commands that use it without
//! a server.

use std::cmp::Ordering;

use sqlx::migrate::{Migration, Migrator};

use crate::config::Url;
use crate::error::CopyError;

/// A migration that was applied to a database: its version and checksum.
pub(super) type Applied = (i64, Vec<u8>);

pub(super) const LIST_APPLIED: &str =
    "select version, checksum from _sqlx_migrations where success order by version";

/// Whether a database with these applied migrations was made by Chinwag, in any version.
pub(super) fn are_chinwags(migrations: &Migrator, applied: &[Applied]) -> bool {
    let same = |(migration, (version, checksum)): (&Migration, &Applied)| {
        migration.version == *version && *migration.checksum == **checksum
    };
    !applied.is_empty() && migrations.iter().zip(applied).all(same)
}

/// Checks the result of [`LIST_APPLIED`]. Errors: the database was made by another program, or by
/// another version of this one.
pub(super) fn check(
    url: &Url,
    migrations: &Migrator,
    applied: Result<Vec<Applied>, sqlx::Error>,
) -> Result<(), CopyError> {
    let applied = match applied {
        Err(error) if is_of_others(&error) => Vec::new(),
        applied => applied.map_err(CopyError::of(url))?,
    };
    if !are_chinwags(migrations, &applied) {
        return Err(CopyError::Foreign(url.clone()));
    }
    match applied.len().cmp(&migrations.iter().count()) {
        Ordering::Less => Err(CopyError::Older(url.clone())),
        Ordering::Equal => Ok(()),
        Ordering::Greater => Err(CopyError::Newer(url.clone())),
    }
}

/// Whether the table does not exist, or the file is no database.
fn is_of_others(error: &sqlx::Error) -> bool {
    const NO_TABLE: [&str; 2] = ["1", "42P01"];
    const NO_DATABASE: &str = "26";
    let code = error.as_database_error().and_then(|error| error.code());
    code.is_some_and(|code| NO_TABLE.contains(&&*code) || code == NO_DATABASE)
}
