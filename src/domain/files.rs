//! Files: users upload them, messages show them, and they are deleted when no message holds them.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use imagesize::{Compression, ImageType};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::sleep;

use super::{Actor, App, Network, Viewer};
use crate::clock::{self, Time};
use crate::config::Limits;
use crate::error::Error;
use crate::model::{File, FileId, FileName, FileType};
use crate::store::{Blob, Blobs, Writing};

/// How often expired files are looked for.
const EVERY: Duration = Duration::from_secs(10);

/// How many of a file's first bytes are searched for a picture's type and size. In a JPEG the
/// camera's metadata come before these.
const HEAD: usize = 128 << 10;

/// An upload of another node counts as abandoned if no byte came for so long.
const GIVEN_UP: Duration = Duration::from_secs(60 * 60);

const NO_PLACE: Error = Error::Unstorable(
    "this server has no place for files: with PostgreSQL its operator must set --files-url",
);

/// Where files are stored, and how many bytes they have.
pub(super) struct Files {
    /// `None` if there is no place for files.
    blobs: Option<Blobs>,
    /// How many bytes all files have, as far as this node knows.
    total: AtomicU64,
    /// How many bytes the files have that are being uploaded: for each the size that the client has
    /// announced, or what has come if that is more.
    coming: AtomicU64,
    at_once: Semaphore,
    /// How many uploads come from each address.
    of_addresses: Mutex<HashMap<Network, usize>>,
    max_of_address: usize,
    max_total: u64,
    /// An incomplete file that was last written before this time was abandoned.
    given_up: SystemTime,
}

impl Files {
    /// `shared` says that other nodes write to the same place.
    pub fn new(blobs: Option<Blobs>, total: u64, limits: &Limits, shared: bool) -> Files {
        let now = SystemTime::now();
        let given_up = if shared { now.checked_sub(GIVEN_UP).unwrap_or(now) } else { now };
        Files {
            blobs,
            total: total.into(),
            coming: AtomicU64::default(),
            at_once: Semaphore::new(limits.max_uploads),
            of_addresses: Mutex::default(),
            // The other half is left to other addresses.
            max_of_address: limits.max_uploads.div_ceil(2),
            max_total: limits.max_files_total,
            given_up,
        }
    }

    /// Errors: `unavailable` if too many files are being uploaded, in all or from the actor's
    /// address.
    fn begin(&self, actor: &Actor) -> Result<Coming<'_>, Error> {
        let permit = self.at_once.try_acquire().map_err(|_| Error::TOO_MANY_UPLOADS)?;
        let network = (!actor.service).then(|| Network::of(actor.address));
        if let Some(network) = &network {
            let mut of_addresses = self.of_addresses();
            let coming = of_addresses.entry(network.clone()).or_default();
            if *coming >= self.max_of_address {
                return Err(Error::TOO_MANY_UPLOADS);
            }
            *coming += 1;
        }
        Ok(Coming { files: self, bytes: 0, network, _permit: permit })
    }

    fn of_addresses(&self) -> MutexGuard<'_, HashMap<Network, usize>> {
        // No code panics while it holds the lock.
        self.of_addresses.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn blobs(&self) -> Result<&Blobs, Error> {
        self.blobs.as_ref().ok_or(NO_PLACE)
    }
}

/// What a client says about a file before it sends the bytes.
pub struct Offer {
    pub name: FileName,
    /// Its media type, if the client has named one.
    pub kind: Option<String>,
    /// How many bytes there will be at most, if that is known.
    pub size: Option<u64>,
}

/// A file that is being uploaded. It is counted until this is dropped.
struct Coming<'a> {
    files: &'a Files,
    bytes: u64,
    /// `None` for the service, whose uploads are not counted for an address.
    network: Option<Network>,
    _permit: SemaphorePermit<'a>,
}

impl Coming<'_> {
    /// Counts at least `bytes` bytes for the file. Errors: `unavailable` if there is no room for
    /// them.
    fn make_room(&mut self, bytes: u64) -> Result<(), Error> {
        let more = bytes.saturating_sub(self.bytes);
        let coming = self.files.coming.fetch_add(more, Ordering::Relaxed).saturating_add(more);
        self.bytes += more;
        let (max, total) = (self.files.max_total, self.files.total.load(Ordering::Relaxed));
        match max > 0 && total.saturating_add(coming) > max {
            true => Err(Error::NO_ROOM),
            false => Ok(()),
        }
    }
}

impl Drop for Coming<'_> {
    fn drop(&mut self) {
        self.files.coming.fetch_sub(self.bytes, Ordering::Relaxed);
        let Some(network) = &self.network else { return };
        let mut of_addresses = self.files.of_addresses();
        if let Some(coming) = of_addresses.get_mut(network) {
            *coming -= 1;
            if *coming == 0 {
                of_addresses.remove(network);
            }
        }
    }
}

/// Deletes expired files, until the server is gone.
pub(super) async fn keep(app: Weak<App>) {
    if let Some(strong) = app.upgrade()
        && let Some(blobs) = &strong.files.blobs
    {
        blobs.delete_partial(strong.files.given_up).await;
    }
    while let Some(strong) = app.upgrade().filter(|app| app.files.blobs.is_some()) {
        // In a task of its own, as a write that has begun must be finished.
        let round = tokio::spawn(async move { strong.delete_expired_files().await });
        match round.await {
            Ok(Ok(())) => {}
            Ok(Err(error)) if error.is_closed() => return,
            Ok(Err(error)) => error.warn("files that nobody needs are still there"),
            Err(_) => tracing::error!("deleting files that nobody needs has failed"),
        }
        sleep(EVERY).await;
    }
}

impl App {
    /// Stores a file of the actor's as its bytes come, with only a few of them in memory. Until it
    /// is sent in a message, it is kept for `Limits::unused_file_timeout`. Errors: `too_large`;
    /// `invalid` for an empty file; `rate_limited`; `unavailable`, also if there is no room; those
    /// of `bytes`. After an error nothing is kept of it.
    pub async fn upload_file(
        &self,
        actor: &Actor,
        offer: Offer,
        bytes: impl Stream<Item = Result<Bytes, Error>> + Send + Unpin,
    ) -> Result<File, Error> {
        let blobs = self.files.blobs()?;
        let announced = offer.size.unwrap_or_default();
        self.refuse_too_large(announced)?;
        self.admit_upload(actor).await?;
        let mut coming = self.files.begin(actor)?;
        coming.make_room(announced)?;
        let id = FileId::new();
        let mut writing = blobs.create(id).await?;
        let expires_at = clock::after(self.limits.unused_file_timeout);
        let stored = async {
            let mut size = 0;
            let head = self.take_bytes(bytes, &mut writing, &mut coming, &mut size).await;
            self.count_upload(actor, usize::try_from(size).unwrap_or(usize::MAX)).await;
            let file = self.describe(id, offer, size, &head?);
            // Insert the row before the file gets its name, so that no file is without a row.
            let (now, mut tx) = (clock::now(), self.begin_as(actor).await?);
            tx.insert_file(&file, &actor.user_id, now, expires_at).await?;
            tx.commit([]).await?;
            Ok(file)
        };
        let file = match stored.await {
            Ok(file) => file,
            Err(error) => {
                writing.abort().await;
                return Err(error);
            }
        };
        if let Err(error) = writing.publish().await {
            // The file may be there all the same.
            if let Err(error) = self.end_file(id, expires_at).await {
                error.warn("a file that was not taken is kept as one that is not used");
            }
            return Err(error);
        }
        self.files.total.fetch_add(file.size.unsigned_abs(), Ordering::Relaxed);
        metrics::counter!("chinwag_files_total").increment(1);
        Ok(file)
    }

    /// The file that an address in a message names, and until when the address is valid, in seconds
    /// since 1970. Errors: `forbidden` if the address is not signed or too old; `not_found`.
    pub async fn find_file(
        &self,
        id: FileId,
        until: i64,
        signature: &str,
    ) -> Result<(File, i64), Error> {
        self.store.find_file(id, until, signature).await
    }

    /// A range of the bytes of a [found](App::find_file) file. They are counted for the viewer's
    /// address as they are read. Errors: `rate_limited`; `unavailable`; `not_found` if the file was
    /// deleted meanwhile.
    pub async fn read_file(
        &self,
        viewer: &Viewer,
        file: &File,
        from: u64,
        to: u64,
    ) -> Result<Blob, Error> {
        self.admit_reading(viewer).await?;
        let bytes = self.files.blobs()?.read(file.id, from..to).await?;
        Ok(self.count_as_read(viewer, bytes))
    }

    /// Writes the bytes that come, and counts them in `size`; returns the first ones.
    async fn take_bytes(
        &self,
        mut bytes: impl Stream<Item = Result<Bytes, Error>> + Send + Unpin,
        writing: &mut Writing,
        coming: &mut Coming<'_>,
        size: &mut u64,
    ) -> Result<Vec<u8>, Error> {
        let mut head = Vec::new();
        while let Some(more) = bytes.next().await.transpose()? {
            *size += more.len() as u64;
            self.refuse_too_large(*size)?;
            coming.make_room(*size)?;
            let wanted = more.len().min(HEAD - head.len());
            head.extend_from_slice(&more[..wanted]);
            writing.write(more).await?;
        }
        writing.finish().await?;
        match *size {
            0 => Err(Error::invalid("file", "must not be empty")),
            _ => Ok(head),
        }
    }

    fn describe(&self, id: FileId, offer: Offer, size: u64, head: &[u8]) -> File {
        let picture = imagesize::image_type(head).ok().and_then(type_of_picture);
        let pixels = picture.as_ref().and_then(|_| imagesize::blob_size(head).ok());
        let pixels = |of: fn(imagesize::ImageSize) -> usize| {
            pixels.and_then(|pixels| i64::try_from(of(pixels)).ok()).filter(|pixels| *pixels > 0)
        };
        let (width, height) = (pixels(|it| it.width), pixels(|it| it.height));
        let kind = picture.unwrap_or_else(|| FileType::said(offer.kind.as_deref(), &self.limits));
        let size = i64::try_from(size).unwrap_or(i64::MAX);
        File { id, name: offer.name, kind, size, width, height, url: String::new() }
    }

    fn refuse_too_large(&self, size: u64) -> Result<(), Error> {
        let max = self.limits.max_file;
        match size > max as u64 {
            true => Err(Error::TooLarge { field: "file".to_owned(), max, unit: "bytes" }),
            false => Ok(()),
        }
    }

    /// Deletes the expired files, and counts the bytes of all others.
    async fn delete_expired_files(&self) -> Result<(), Error> {
        let (now, mut kept) = (clock::now(), 0);
        loop {
            let expired = self.store.list_expired_files(now, kept).await?;
            if expired.is_empty() {
                break;
            }
            for id in expired {
                // A file that could not be deleted is tried again in the next round.
                kept += i64::from(!self.delete_expired_file(id, now).await?);
            }
        }
        // Other nodes have stored files, too, and this node may store some while the bytes are
        // counted.
        let before = self.files.total.load(Ordering::Relaxed);
        let total = self.store.count_file_bytes().await?;
        self.files.total.fetch_add(total.wrapping_sub(before), Ordering::Relaxed);
        Ok(())
    }

    /// Makes sure that nobody can send the file any more, then deletes its bytes, then its row.
    /// Returns false if the bytes could not be deleted.
    async fn delete_expired_file(&self, id: FileId, now: Time) -> Result<bool, Error> {
        if !self.end_file(id, now).await? {
            return Ok(true);
        }
        if let Err(error) = self.files.blobs()?.delete(id).await {
            tracing::warn!(%id, %error, "a file that nobody needs is still there");
            return Ok(false);
        }
        let mut tx = self.store.begin().await?;
        tx.delete_file(id).await?;
        tx.commit([]).await?;
        Ok(true)
    }

    async fn end_file(&self, id: FileId, until: Time) -> Result<bool, Error> {
        let mut tx = self.store.begin().await?;
        let ended = tx.end_file(id, until).await?;
        tx.commit([]).await?;
        Ok(ended)
    }
}

/// `None` for a type that not all browsers show.
fn type_of_picture(kind: ImageType) -> Option<FileType> {
    FileType::of_picture(match kind {
        ImageType::Png => "image/png",
        ImageType::Jpeg => "image/jpeg",
        ImageType::Gif => "image/gif",
        ImageType::Webp => "image/webp",
        ImageType::Heif(Compression::Av1) => "image/avif",
        _ => return None,
    })
}
