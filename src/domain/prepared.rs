//! The settings, checked and read before anything is opened or created.

use super::keys::Keys;
use crate::config::{Access, Config, Registration, Search};
use crate::error::StartError;
use crate::event_log::{self, Endpoint, Topic};
use crate::store::{Blobs, Keeping, Store};

/// What an [`App`](super::App) is started with.
pub struct Prepared {
    pub(super) keys: Keys,
    pub(super) topic: Option<Topic>,
    pub(super) endpoint: Option<Endpoint>,
    pub(super) keeping: Keeping,
    /// Whether only those who have signed up before can connect.
    pub(super) accounts_only: bool,
    /// Where files are kept; `None` if there is no place.
    pub(super) blobs: Option<Blobs>,
}

impl Prepared {
    /// Errors: the keys, the event log, the webhook or the place of files cannot be used; several
    /// nodes are to share a SQLite database; or nobody could ever connect, as there is no database
    /// yet.
    pub fn of(config: &Config) -> Result<Prepared, StartError> {
        let keys = Keys::load(config)?;
        let topic = event_log::topic(config)?;
        let endpoint = Endpoint::of(config)?;
        let keeping = Keeping {
            for_nodes: config.redis_url.is_some(),
            for_log: topic.is_some(),
            for_webhook: endpoint.is_some(),
            for_search: config.search == Search::On,
        };
        if keeping.for_nodes && config.database_url.is_file() {
            return Err(StartError::NodesWithoutServer);
        }
        let accounts_only = config.access == Some(Access::Token)
            && config.registration == Registration::Closed
            && !keys.any();
        if accounts_only && Store::is_new(&config.database_url) {
            return Err(StartError::NoCredentials);
        }
        let blobs = Blobs::open(config)?;
        Ok(Prepared { blobs, keys, topic, endpoint, keeping, accounts_only })
    }
}
