//! Reports of messages.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Author, Chat, Message, Person, Reason};

/// A user's report that a message should not be there.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Report {
    pub message: Arc<Message>,
    /// Who sent it.
    pub author: Arc<Author>,
    pub chat: Chat,
    pub user: Person,
    pub reason: Option<Reason>,
}
