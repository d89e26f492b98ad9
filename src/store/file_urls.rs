//! The addresses of files: a path with the time until which it is valid, and a signature. The key
//! is in the database, so that all nodes have the same one, and it stays the same after a start.

use data_encoding::{BASE64URL_NOPAD, HEXLOWER};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::Db;
use crate::clock;
use crate::error::Error;
use crate::model::{FileId, Message};

/// For how many seconds at least an address is valid; it ends at a full hour. If another node shows
/// an event an hour late, its address is still valid for an hour.
const GOOD_FOR: i64 = 2 * HOUR;

const HOUR: i64 = 60 * 60;

/// Makes and checks addresses.
pub(super) struct FileUrls {
    keyed: Hmac<Sha256>,
    /// The part before the path: empty, or a base such as `https://chat.example.com`.
    base: String,
}

impl FileUrls {
    /// Reads the key. Errors: the database has none.
    pub async fn read(db: &Db, base: String) -> Result<FileUrls, sqlx::Error> {
        const FIND_KEY: &str = "select key from file_key";
        let key: String = match db {
            Db::Sqlite(pools) => sqlx::query_scalar(FIND_KEY).fetch_one(&pools.readers).await?,
            Db::Postgres(pool) => sqlx::query_scalar(FIND_KEY).fetch_one(pool).await?,
        };
        let key = HEXLOWER.decode(key.as_bytes());
        let key = key.map_err(|error| sqlx::Error::Decode(error.into()))?;
        let keyed = Hmac::new_from_slice(&key);
        let keyed = keyed.map_err(|error| sqlx::Error::Decode(error.into()))?;
        Ok(FileUrls { keyed, base })
    }

    /// Gives the file of a message its address. The address stays the same until the next full
    /// hour, so that browsers can use their cache.
    pub fn sign(&self, message: &mut Message) {
        if let Some(file) = &mut message.file {
            file.url = self.url(file.id);
        }
    }

    pub fn url(&self, id: FileId) -> String {
        let until = (seconds() + GOOD_FOR + HOUR - 1) / HOUR * HOUR;
        let signature = BASE64URL_NOPAD.encode(&self.mac(id, until).finalize().into_bytes());
        format!("{}/api/files/{id}?until={until}&signature={signature}", self.base)
    }

    /// Checks the time and the signature in an address. Returns until when it is valid, in seconds
    /// since 1970. Errors: `forbidden` if the signature is wrong or the time is over.
    pub fn check(&self, id: FileId, until: i64, signature: &str) -> Result<i64, Error> {
        let signature = BASE64URL_NOPAD.decode(signature.as_bytes()).unwrap_or_default();
        if self.mac(id, until).verify_slice(&signature).is_err() {
            return Err(Error::Forbidden("this address of a file is not signed by this server"));
        }
        match until - seconds() {
            left if left > 0 => Ok(until),
            _ => Err(Error::Forbidden(
                "this address of a file is too old: read its message again for a new one",
            )),
        }
    }

    fn mac(&self, id: FileId, until: i64) -> Hmac<Sha256> {
        let mut mac = self.keyed.clone();
        mac.update(id.as_ref());
        mac.update(&until.to_be_bytes());
        mac
    }
}

fn seconds() -> i64 {
    clock::now().as_micros() / 1_000_000
}
