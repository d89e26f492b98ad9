//! Reports of messages.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Author, Chat, Message, Person, Reason};

/// That a user says of a message that it should not be there.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Report {
    pub message: Arc<Message>,
    /// Who sent it.
    pub author: Arc<Author>,
    pub chat: Chat,
    pub user: Person,
    pub reason: Option<Reason>,
}
