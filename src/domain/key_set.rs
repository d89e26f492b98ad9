//! The host application's public keys: read from a file, and read again when it changes.

use std::collections::HashMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, Weak};
use std::time::{Duration, Instant};

use jsonwebtoken::{Algorithm, DecodingKey};
use serde::Deserialize;

use super::faults::Fault;
use crate::error::StartError;

/// How often the file is checked for a change.
const EVERY: Duration = Duration::from_secs(1);

/// For how long, after the file was read because of an unknown key, other unknown keys do not make
/// the server read it.
const PAUSE: Duration = Duration::from_secs(60);

/// Each key, by its `kid` and the only algorithm that it is used with. If a set has keys of several
/// applications, keys of different kinds may have the same `kid`.
type PublicKeys = HashMap<(String, Algorithm), DecodingKey>;

/// The keys of a file.
pub(super) struct KeySet {
    file: PathBuf,
    keys: RwLock<Arc<PublicKeys>>,
    /// The version that was read last. The lock is held while the file is read, which may take
    /// long.
    version: Mutex<Option<Version>>,
    /// When the file was last read because of an unknown key.
    for_unknown: Mutex<Option<Instant>>,
}

/// Differs between versions of a file: inode, length, and times of modification and change.
type Version = (u64, u64, i64, i64, i64, i64);

/// The fields of a JSON Web Key Set that matter here.
#[derive(Deserialize)]
struct RawKeySet {
    keys: Vec<RawKey>,
}

#[derive(Deserialize)]
struct RawKey {
    kid: Option<String>,
    kty: Option<String>,
    alg: Option<String>,
    #[serde(rename = "use")]
    used_for: Option<String>,
    key_ops: Option<Vec<String>>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

impl KeySet {
    /// Errors: the file cannot be read, or has no usable key.
    pub fn load(file: PathBuf) -> Result<KeySet, StartError> {
        let version = version(&file);
        match read(&file) {
            Ok(keys) => Ok(KeySet {
                file,
                keys: RwLock::new(Arc::new(keys)),
                version: Mutex::new(version),
                for_unknown: Mutex::default(),
            }),
            Err(why) => Err(StartError::Keys { file, why }),
        }
    }

    /// Calls `then` with the key of a token. Errors: `unknown key`; `algorithm` if there is a key
    /// with this `kid`, but for another algorithm.
    pub fn with<T>(
        &self,
        kid: Option<String>,
        algorithm: Algorithm,
        then: impl FnOnce(&DecodingKey) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner).clone();
        let wanted = (kid.ok_or(Fault::UnknownKey)?, algorithm);
        match keys.get(&wanted) {
            Some(key) => then(key),
            None if keys.keys().any(|(kid, _)| *kid == wanted.0) => Err(Fault::Algorithm),
            None => Err(Fault::UnknownKey),
        }
    }

    /// Reads the file because a token's key is unknown, unless it was read for this reason a moment
    /// ago. Returns whether it was read.
    pub async fn read_for_unknown(self: &Arc<Self>) -> bool {
        {
            let mut read_at = lock(&self.for_unknown);
            if read_at.is_some_and(|at| at.elapsed() < PAUSE) {
                return false;
            }
            *read_at = Some(Instant::now());
        }
        self.aside(KeySet::read_again).await;
        true
    }

    /// Reads the file again. If it cannot be used, the keys stay as they are.
    pub fn read_again(&self) {
        let mut seen = lock(&self.version);
        *seen = version(&self.file);
        let file = self.file.display();
        match read(&self.file) {
            Ok(keys) => {
                tracing::info!(%file, keys = keys.len(), "the keys were read again");
                *self.keys.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(keys);
            }
            Err(why) => tracing::warn!(%file, why, "the keys stay as they are"),
        }
    }

    fn read_if_changed(&self) {
        if version(&self.file) != *lock(&self.version) {
            self.read_again();
        }
    }

    /// Runs `work` in a thread that may block, as the file may be on a slow disk or far away.
    pub async fn aside(self: &Arc<Self>, work: impl FnOnce(&KeySet) + Send + 'static) {
        let keys = self.clone();
        if tokio::task::spawn_blocking(move || work(&keys)).await.is_err() {
            tracing::error!("reading the keys has failed");
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Reads the file again whenever it has changed, until the keys are gone.
pub(super) async fn follow(keys: Weak<KeySet>) {
    loop {
        tokio::time::sleep(EVERY).await;
        match keys.upgrade() {
            Some(keys) => keys.aside(KeySet::read_if_changed).await,
            None => return,
        }
    }
}

fn version(file: &PathBuf) -> Option<Version> {
    let about = fs::metadata(file).ok()?;
    let (written, changed) =
        ((about.mtime(), about.mtime_nsec()), (about.ctime(), about.ctime_nsec()));
    Some((about.ino(), about.len(), written.0, written.1, changed.0, changed.1))
}

fn read(file: &PathBuf) -> Result<PublicKeys, String> {
    let text = fs::read_to_string(file).map_err(|error| error.to_string())?;
    // Do not use the error's own text: it quotes the file, which may hold a secret by mistake.
    let no_set = |error: serde_json::Error| {
        let (line, column) = (error.line(), error.column());
        format!("it is no JSON Web Key Set at line {line}, column {column}")
    };
    let set: RawKeySet = serde_json::from_str(&text).map_err(no_set)?;
    // Such files also have keys for other uses.
    let mut keys = HashMap::new();
    for raw in set.keys {
        if let Some((algorithm, key)) =
            raw.algorithm().map(|algorithm| (algorithm, raw.key(algorithm)))
            && let Some(kid) = raw.kid
        {
            let key = key.ok_or_else(|| format!("the key {kid:?} in it is broken"))?;
            keys.insert((kid, algorithm), key);
        }
    }
    match keys.is_empty() {
        true => Err("it holds no key with a kid for RS256, ES256 or EdDSA".into()),
        false => Ok(keys),
    }
}

impl RawKey {
    /// The only algorithm that this key may be used with; `None` if it is for other uses.
    fn algorithm(&self) -> Option<Algorithm> {
        let (name, algorithm) = match (self.kty.as_deref()?, self.crv.as_deref()) {
            ("RSA", _) => ("RS256", Algorithm::RS256),
            ("EC", Some("P-256")) => ("ES256", Algorithm::ES256),
            ("OKP", Some("Ed25519")) => ("EdDSA", Algorithm::EdDSA),
            _ => return None,
        };
        let signs = self.used_for.as_deref().is_none_or(|used_for| used_for == "sig");
        let verify = |operations: &Vec<String>| operations.iter().any(|name| name == "verify");
        let fits = self.alg.as_deref().is_none_or(|alg| alg == name);
        (signs && fits && self.key_ops.as_ref().is_none_or(verify)).then_some(algorithm)
    }

    /// The key; `None` if it is malformed.
    fn key(&self, algorithm: Algorithm) -> Option<DecodingKey> {
        let key = match algorithm {
            Algorithm::RS256 => {
                DecodingKey::from_rsa_components(self.n.as_deref()?, self.e.as_deref()?)
            }
            Algorithm::ES256 => {
                DecodingKey::from_ec_components(self.x.as_deref()?, self.y.as_deref()?)
            }
            _ => DecodingKey::from_ed_components(self.x.as_deref()?),
        };
        key.ok()
    }
}
