//! The bytes of files: in a folder, or in a store that speaks S3. A file appears under its id when
//! it is whole and durable. This module does not know whose a file is; the `files` table does.

use std::fs::{self, DirBuilder};
use std::io;
use std::iter;
use std::mem;
use std::ops::Range;
use std::os::unix::fs::DirBuilderExt;
use std::path::{self, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;
use futures_util::TryStreamExt;
use futures_util::stream::BoxStream;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{
    GetOptions, GetRange, MultipartUpload, ObjectStore, ObjectStoreExt, PutPayload,
};
use sqlx::sqlite::SqliteConnectOptions;

use crate::config::{Config, Url};
use crate::error::{Error, StartError};
use crate::model::FileId;

/// How many bytes are written to a folder at once.
const PART_OF_FOLDER: usize = 64 << 10;

/// This is in the name of each file in the folder that is not whole yet.
const PARTIAL: char = '#';

/// Where the bytes are.
pub struct Blobs {
    store: Arc<dyn ObjectStore>,
    place: Path,
    /// `None` for a store that speaks S3.
    folder: Option<PathBuf>,
    /// How many bytes are written at once.
    part: usize,
}

/// The bytes of a file, as they are read.
pub type Blob = BoxStream<'static, Result<Bytes, io::Error>>;

impl Blobs {
    /// The place that the settings name, or the folder beside a SQLite database; `None` if there is
    /// neither. This creates nothing yet. Errors: the place cannot be used.
    pub fn open(config: &Config) -> Result<Option<Blobs>, StartError> {
        let Some(url) = &config.files_url else {
            return match folder_of(&config.database_url) {
                Some(folder) => Blobs::in_folder(folder, &config.database_url).map(Some),
                None => Ok(None),
            };
        };
        match url.expose().strip_prefix("file:") {
            Some(folder) => {
                let folder = folder.strip_prefix("//").unwrap_or(folder);
                Blobs::in_folder(folder.into(), url).map(Some)
            }
            None => s3::open(url).map(Some),
        }
    }

    fn in_folder(folder: PathBuf, url: &Url) -> Result<Blobs, StartError> {
        let wrong = |why: String| StartError::Files { url: url.clone(), why };
        let folder = path::absolute(&folder).map_err(|error| wrong(error.to_string()))?;
        // The part of the path that exists, without `..`, and the rest, which the first file
        // creates.
        let mut parts = folder.ancestors();
        let found = parts.find_map(|part| {
            Some((fs::canonicalize(part).ok()?, folder.strip_prefix(part).ok()?.to_str()?))
        });
        let (root, rest) = found.ok_or_else(|| wrong("it cannot be found".to_owned()))?;
        let place = Path::parse(rest).map_err(|error| wrong(error.to_string()))?;
        let folder = root.join(rest);
        let store = LocalFileSystem::new_with_prefix(root);
        let store = store.map_err(|error| wrong(error.to_string()))?.with_fsync(true);
        let (store, part) = (Arc::new(store), PART_OF_FOLDER);
        Ok(Blobs { store, place, folder: Some(folder), part })
    }

    /// Begins to write a file. Errors: `unavailable`.
    pub async fn create(&self, id: FileId) -> Result<Writing, Error> {
        if let Some(folder) = self.folder.clone() {
            // Whoever can read the folder can read private files.
            let make = move || DirBuilder::new().recursive(true).mode(0o700).create(folder);
            let made = tokio::task::spawn_blocking(make).await.map_err(io::Error::from);
            made.and_then(|made| made).map_err(|error| failed(&error))?;
        }
        let upload = self.store.put_multipart(&self.path(id)).await;
        let upload = upload.map_err(|error| failed(&error))?;
        Ok(Writing { upload, part: Vec::new(), full: self.part })
    }

    /// Reads a part of a file. Errors: `not_found`, `unavailable`.
    pub async fn read(&self, id: FileId, range: Range<u64>) -> Result<Blob, Error> {
        let options = GetOptions { range: Some(GetRange::Bounded(range)), ..GetOptions::default() };
        match self.store.get_opts(&self.path(id), options).await {
            Ok(found) => Ok(Box::pin(found.into_stream().map_err(io::Error::other))),
            Err(object_store::Error::NotFound { .. }) => Err(Error::no_file("id")),
            Err(error) => Err(failed(&error)),
        }
    }

    /// Deletes a file, if it is there. Errors: `unavailable`.
    pub async fn delete(&self, id: FileId) -> Result<(), Error> {
        match self.store.delete(&self.path(id)).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(failed(&error)),
        }
    }

    /// Deletes what killed uploads have left in the folder, if nobody has written to it since
    /// `before`. A store that speaks S3 deletes such remains by a rule of its own.
    pub async fn delete_partial(&self, before: SystemTime) {
        if let Some(folder) = self.folder.clone() {
            // What cannot be deleted stays until the next start.
            let _ = tokio::task::spawn_blocking(move || delete_partial(&folder, before)).await;
        }
    }

    fn path(&self, id: FileId) -> Path {
        self.place.clone().join(id.to_string())
    }
}

/// A file that is being written. If it is dropped, or [aborted](Writing::abort), a folder keeps
/// nothing of it; a store that speaks S3 keeps what was uploaded, unless it is aborted.
pub struct Writing {
    upload: Box<dyn MultipartUpload>,
    part: Vec<u8>,
    full: usize,
}

impl Writing {
    /// Errors: `unavailable`, also if there is no room.
    pub async fn write(&mut self, mut bytes: Bytes) -> Result<(), Error> {
        while !bytes.is_empty() {
            self.part.reserve_exact(self.full - self.part.len());
            let more = bytes.split_to(bytes.len().min(self.full - self.part.len()));
            self.part.extend_from_slice(&more);
            if self.part.len() == self.full {
                self.write_part().await?;
            }
        }
        Ok(())
    }

    async fn write_part(&mut self) -> Result<(), Error> {
        let part = PutPayload::from(mem::take(&mut self.part));
        self.upload.put_part(part).await.map_err(|error| failed(&error))
    }

    /// Writes what is left. The file gets its name only by [`publish`](Writing::publish).
    pub async fn finish(&mut self) -> Result<(), Error> {
        match self.part.is_empty() {
            true => Ok(()),
            false => self.write_part().await,
        }
    }

    /// Gives the file its name, once it is durable. Errors: `unavailable`.
    pub async fn publish(mut self) -> Result<(), Error> {
        match self.upload.complete().await {
            Ok(_) => Ok(()),
            Err(error) => {
                self.abort().await;
                Err(failed(&error))
            }
        }
    }

    pub async fn abort(mut self) {
        if let Err(error) = self.upload.abort().await {
            tracing::debug!(%error, "an upload was not taken back");
        }
    }
}

/// The folder beside a database that is a file.
fn folder_of(database: &Url) -> Option<PathBuf> {
    let options = SqliteConnectOptions::from_str(database.expose()).ok()?;
    let mut folder = options.get_filename().as_os_str().to_owned();
    folder.push(".files");
    database.is_file().then(|| folder.into())
}

fn delete_partial(folder: &path::Path, before: SystemTime) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let is_partial = entry.file_name().to_string_lossy().contains(PARTIAL);
        let modified = entry.metadata().and_then(|found| found.modified());
        if is_partial && modified.is_ok_and(|at| at < before) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// A full disk has an error of its own.
fn failed(error: &(dyn std::error::Error + 'static)) -> Error {
    let is_full = |cause: &(dyn std::error::Error + 'static)| {
        let kind = cause.downcast_ref::<io::Error>().map(io::Error::kind);
        matches!(kind, Some(io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded))
    };
    let mut causes = iter::successors(Some(error), |&error| error.source());
    let full = causes.any(is_full);
    tracing::warn!(%error, "files cannot be stored or read");
    match full {
        true => Error::NO_ROOM,
        false => Error::Unavailable(None),
    }
}

#[cfg(feature = "s3")]
mod s3 {
    use std::sync::Arc;

    use object_store::ClientConfigKey::{ReadTimeout, Timeout};
    use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
    use object_store::path::Path;

    use super::Blobs;
    use crate::config::Url;
    use crate::error::StartError;

    /// The least that S3 accepts at once, but for the last part.
    const PART: usize = 5 << 20;

    /// A transfer may take as long as its reader needs, but fails if nothing comes for a while.
    const TIMEOUTS: [(AmazonS3ConfigKey, &str); 2] = [
        (AmazonS3ConfigKey::Client(Timeout), "1 day"),
        (AmazonS3ConfigKey::Client(ReadTimeout), "30 seconds"),
    ];

    /// The key and the endpoint are in the environment variables that all programs for S3 read.
    pub fn open(url: &Url) -> Result<Blobs, StartError> {
        let wrong = |why: String| StartError::Files { url: url.clone(), why };
        let prefix = url.expose().trim_start_matches("s3://").split_once('/');
        let place = Path::parse(prefix.map_or("", |(_, prefix)| prefix.trim_end_matches('/')));
        let place = place.map_err(|error| wrong(error.to_string()))?;
        // Use the same cryptography as for all else. It may be installed already; that is no
        // problem.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let store = AmazonS3Builder::from_env().with_url(url.expose());
        let store = TIMEOUTS.into_iter().fold(store, |it, (key, value)| it.with_config(key, value));
        let store = store.build().map_err(|error| wrong(error.to_string()))?;
        Ok(Blobs { store: Arc::new(store), place, folder: None, part: PART })
    }
}

#[cfg(not(feature = "s3"))]
mod s3 {
    use super::Blobs;
    use crate::config::Url;
    use crate::error::StartError;

    pub fn open(_: &Url) -> Result<Blobs, StartError> {
        Err(StartError::NoS3)
    }
}
