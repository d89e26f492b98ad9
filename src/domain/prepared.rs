//! What is known of a server before its database is opened: what its settings say, and whether they
//! can be.

use super::keys::Keys;
use crate::config::{Access, Config, Registration};
use crate::error::StartError;
use crate::event_log::{self, Topic};
use crate::store::{Keeping, Store};

/// What an [`App`](super::App) is started with.
pub struct Prepared {
    pub(super) keys: Keys,
    pub(super) topic: Option<Topic>,
    pub(super) keeping: Keeping,
    /// Whether nobody can connect but those who have signed up before.
    pub(super) is_keyless: bool,
}

impl Prepared {
    /// Errors: keys or an event log that cannot be used; nodes on a file; a server to which nobody
    /// could ever connect, as there is no database yet.
    pub fn of(config: &Config) -> Result<Prepared, StartError> {
        let keys = Keys::load(config)?;
        let topic = event_log::topic(config)?;
        let keeping = Keeping { for_nodes: config.redis_url.is_some(), for_log: topic.is_some() };
        if keeping.for_nodes && config.database_url.is_file() {
            return Err(StartError::NodesWithoutServer);
        }
        let needs_token = config.access == Some(Access::Token);
        let is_closed = needs_token && config.registration == Registration::Closed;
        let is_keyless = is_closed && !keys.any();
        if is_keyless && Store::is_new(&config.database_url) {
            return Err(StartError::NoCredentials);
        }
        Ok(Prepared { keys, topic, keeping, is_keyless })
    }
}
