//! The addresses of files: a path with a time until which it is good, and a signature. The key is
//! the database's, so that all nodes know it and a start does not change it.

use data_encoding::{BASE64URL_NOPAD, HEXLOWER};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::Db;
use crate::clock;
use crate::error::Error;
use crate::model::{FileId, Message};

/// An address is good until the end of an hour, and for as long as this at least, in seconds: an
/// event that another node shows an hour later is still good for an hour.
const GOOD_FOR: i64 = 2 * HOUR;

const HOUR: i64 = 60 * 60;

/// What makes and checks addresses.
pub(super) struct FileUrls {
    keyed: Hmac<Sha256>,
    /// What stands before the path: empty, or such as `https://chat.example.com`.
    base: String,
}

impl FileUrls {
    /// Reads the key. Errors: there is none.
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

    /// Gives the file of a message its address. Until the next hour it is the same one, so that
    /// browsers need not ask again.
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

    /// Until when, in seconds since 1970, an address is good that names this time and signature.
    /// Errors: `forbidden` for one that is not signed so, or no longer good.
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
