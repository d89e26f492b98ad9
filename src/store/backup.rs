//! Backups: a live SQLite database, copied into a file of its own.

use std::ffi::OsString;
use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{self, Path, PathBuf};

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection};
use uuid::Uuid;

use super::sqlite;
use crate::config::Url;
use crate::error::CopyError;

/// What a backup holds.
#[derive(Debug)]
pub struct Backup {
    /// The size of the file.
    pub bytes: u64,
    pub chats: i64,
    pub messages: i64,
    /// The files that users have sent; their bytes are not in the backup.
    pub files: i64,
}

/// Copies a SQLite database, which a server may be writing to, into a new file. All that was
/// committed before is in it. The file gets its name only when it is whole, checked and on the
/// disk.
pub async fn backup(database: &Url, file: &Path) -> Result<Backup, CopyError> {
    if !database.is_file() {
        let why = "this command is for SQLite; PostgreSQL is backed up by its own pg_dump";
        return Err(CopyError::Unfit { url: database.clone(), why });
    }
    let failed = CopyError::of(database);
    let source = sqlite::existing(database)?.read_only(true).immutable(false);
    let part = Part::create(file)?;
    let mut source = source.connect().await.map_err(&failed)?;
    // One statement reads one state of the database, and blocks nobody who writes.
    let copied = sqlx::query("vacuum into $1").bind(part.name()?).execute(&mut source).await;
    copied.map_err(|error| match is_of_writing(&error) {
        true => CopyError::File { file: file.to_owned(), source: io::Error::other(error) },
        false => failed(error),
    })?;
    source.close().await.map_err(&failed)?;
    let (chats, messages, files) = check(&part.path, database).await?;
    let bytes = tokio::task::spawn_blocking(|| part.finish()).await.map_err(io::Error::from);
    let bytes = bytes.and_then(|finished| finished);
    let bytes = bytes.map_err(|source| CopyError::File { file: file.to_owned(), source })?;
    Ok(Backup { bytes, chats, messages, files })
}

/// Whether an error of a copy is about the new file: the database itself is only read.
fn is_of_writing(error: &sqlx::Error) -> bool {
    const FULL: &str = "13";
    const IO_WRITE: &str = "778";
    const IO_FSYNC: &str = "1034";
    const IO_TRUNCATE: &str = "1546";
    let code = error.as_database_error().and_then(|error| error.code());
    code.is_some_and(|code| [FULL, IO_WRITE, IO_FSYNC, IO_TRUNCATE].contains(&&*code))
}

/// Checks all of a backup of this database; returns how many chats and messages it holds, and how
/// many files it has rows of.
async fn check(part: &Path, database: &Url) -> Result<(i64, i64, i64), CopyError> {
    let failed = CopyError::of(database);
    let options = SqliteConnectOptions::new().filename(part).read_only(true);
    let mut copy = options.disable_statement_logging().connect().await.map_err(&failed)?;
    let check = sqlx::query_scalar("pragma integrity_check(1)").fetch_one(&mut copy);
    let said: String = check.await.map_err(&failed)?;
    if said != "ok" {
        return Err(CopyError::Damaged(said));
    }
    let sql = "select (select count(*) from chats), (select count(*) from messages)";
    let counts = sqlx::query_as(sql).fetch_one(&mut copy).await.map_err(&failed)?;
    let (chats, messages) = counts;
    // A database of an older version has no such table.
    let sql = "select exists (select 1 from sqlite_master where name = 'files')";
    let files = match sqlx::query_scalar(sql).fetch_one(&mut copy).await.map_err(&failed)? {
        true => sqlx::query_scalar("select count(*) from files").fetch_one(&mut copy).await,
        false => Ok(0),
    };
    let files = files.map_err(&failed)?;
    copy.close().await.map_err(&failed)?;
    Ok((chats, messages, files))
}

/// The end of the name of a [`Part`]'s folder, after the name of the backup and a UUID.
const PART: &str = ".part";

/// The beginning of the names of all files in it.
const BACKUP: &str = "backup";

/// A backup that is not whole yet, in a folder of its own beside its place. When it is dropped, the
/// folder is deleted, with what SQLite puts there. If the process is killed, the next backup in
/// that place deletes the folder.
struct Part {
    folder: PathBuf,
    /// Locked as long as the process lives.
    _lock: File,
    path: PathBuf,
    file: PathBuf,
}

impl Part {
    fn create(file: &Path) -> Result<Part, CopyError> {
        let failed = |source| CopyError::File { file: file.to_owned(), source };
        // SQLite never takes an absolute path for a URI, whatever its first letters are.
        let absolute = path::absolute(file).map_err(&failed)?;
        if fs::symlink_metadata(&absolute).is_ok() {
            return Err(CopyError::AlreadyThere(absolute));
        }
        if let Some(place) = absolute.parent() {
            delete_parts_in(place);
        }
        let (folder, lock) = make_folder(&absolute).map_err(&failed)?;
        let part = Part { path: folder.join(BACKUP), folder, _lock: lock, file: absolute };
        let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&part.path);
        made.map(|_| part).map_err(failed)
    }

    fn name(&self) -> Result<&str, CopyError> {
        let source = io::Error::new(io::ErrorKind::InvalidFilename, "not a name in UTF-8");
        let failed = CopyError::File { file: self.file.clone(), source };
        self.path.to_str().ok_or(failed)
    }

    /// Gives the file its name, and makes that durable; returns the file's size.
    fn finish(self) -> io::Result<u64> {
        let whole = File::open(&self.path)?;
        whole.sync_all()?;
        if fs::symlink_metadata(&self.file).is_ok() {
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, "already there"));
        }
        fs::rename(&self.path, &self.file)?;
        if let Some(folder) = self.file.parent() {
            File::open(folder)?.sync_all()?;
        }
        Ok(whole.metadata()?.len())
    }
}

/// Makes a folder for a [`Part`] of this file, and locks it.
fn make_folder(file: &Path) -> io::Result<(PathBuf, File)> {
    loop {
        let mut folder = file.to_owned().into_os_string();
        folder.push(format!(".{}{PART}", Uuid::now_v7()));
        let folder = PathBuf::from(folder);
        // The backup holds the keys by which tokens are signed: only its owner may read it.
        DirBuilder::new().mode(0o700).create(&folder)?;
        let lock = match File::open(&folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            opened => opened?,
        };
        // Before the lock is taken, another backup may take this folder for that of a killed one,
        // and delete it. Where nothing can be locked, no backup deletes any.
        let taken = matches!(lock.try_lock(), Err(TryLockError::WouldBlock));
        if !taken && folder.exists() {
            return Ok((folder, lock));
        }
    }
}

/// Deletes the folders of killed backups in this place. What cannot be deleted stays.
fn delete_parts_in(place: &Path) {
    let entries = fs::read_dir(place).into_iter().flatten().flatten();
    for folder in entries.map(|entry| entry.path()).filter(|path| is_part(path)) {
        // A backup that is running has its folder locked.
        if let Ok(lock) = File::open(&folder)
            && lock.try_lock().is_ok()
        {
            let _ = fs::remove_dir_all(&folder);
        }
    }
}

/// Whether this is the folder of a [`Part`], and holds nothing else.
fn is_part(folder: &Path) -> bool {
    let name = folder.file_name().and_then(|name| name.to_str());
    let id = name.and_then(|name| name.strip_suffix(PART)?.rsplit_once('.'));
    let named = id.is_some_and(|(_, id)| Uuid::try_parse(id).is_ok());
    let is_ours = |file: &OsString| file.to_string_lossy().starts_with(BACKUP);
    named
        && folder.symlink_metadata().is_ok_and(|found| found.is_dir())
        && fs::read_dir(folder)
            .is_ok_and(|mut files| files.all(|it| it.is_ok_and(|it| is_ours(&it.file_name()))))
}

impl Drop for Part {
    fn drop(&mut self) {
        // An interrupted copy may still have made a file a moment ago. Once its folder is gone it
        // cannot make another.
        while let Err(error) = fs::remove_dir_all(&self.folder) {
            if error.kind() != io::ErrorKind::DirectoryNotEmpty {
                return;
            }
        }
    }
}
