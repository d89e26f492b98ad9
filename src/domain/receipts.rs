//! How far members have read, and what is unread. The other members of a small chat are told by
//! [`Event::MemberRead`] how far a member has read, at most once a second for each chat and user.
//! They are not told when a member goes back.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::sleep;

use super::access::Reader;
use super::{Actor, App, Viewer};
use crate::error::Error;
use crate::model::{ChatId, Event, Mark, Marked, Passed, ReadState, Unread, UserId};

/// In chats with more members, nobody is told how far others have read.
const MAX_TOLD: i64 = 100;

/// How many bytes are counted as read for each message that must be counted.
const COUNTED: i64 = 64;

/// The pause before it is told again how far a member has read.
const TOLD_EVERY: Duration = Duration::from_secs(1);

/// How far members have read who have read on within the last second, on this node.
#[derive(Default)]
pub(super) struct Receipts(Mutex<HashMap<(ChatId, UserId), i64>>);

impl Receipts {
    /// Notes how far a member has read. Returns true if no task is about to tell this yet.
    fn note(&self, key: (ChatId, UserId), read_seq: i64) -> bool {
        match self.lock().entry(key) {
            Entry::Occupied(mut known) => {
                let seq = known.get_mut();
                *seq = read_seq.max(*seq);
                false
            }
            Entry::Vacant(new) => {
                new.insert(read_seq);
                true
            }
        }
    }

    /// How far the member has read, if that is further than `told`. If not, the member is
    /// forgotten.
    fn take_after(&self, key: &(ChatId, UserId), told: i64) -> Option<i64> {
        let mut receipts = self.lock();
        let further = receipts.get(key).copied().filter(|seq| *seq > told);
        if further.is_none() {
            receipts.remove(key);
        }
        further
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<(ChatId, UserId), i64>> {
        // No code panics while it holds the lock.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl App {
    /// Marks a chat as read up to `seq`, or all of it if that is `None`. What has been read stays
    /// read. Errors: `not_found`, `forbidden` for an actor who is not a member.
    pub async fn mark_read(
        self: &Arc<Self>,
        actor: &Actor,
        chat_id: ChatId,
        seq: Option<i64>,
    ) -> Result<ReadState, Error> {
        let mut mark = Mark {
            chat_id,
            user_id: actor.user_id.clone(),
            seq,
            passed: None,
            by: actor.connection,
            anonymous: actor.anonymous,
        };
        loop {
            match self.store.mark_read(mark.clone()).await {
                Ok(Marked::Read { read, moved }) => {
                    if moved {
                        self.note_read((chat_id, mark.user_id), read.read_seq);
                    }
                    return Ok(read);
                }
                // Count outside the transaction, as others wait for it.
                Ok(Marked::Uncounted { after, to }) => {
                    let _permit = self.read_permit(&Viewer::from(actor)).await?;
                    let own = self.store.count_own(chat_id, &mark.user_id, after, to).await?;
                    mark.passed = Some(Passed { after, to, own });
                }
                Err(Error::NotFound { .. }) => return Err(self.not_a_member(actor, chat_id).await),
                Err(error) => return Err(error),
            }
        }
    }

    /// Marks `seq` and all later messages as unread, for the actor only: others still see how far
    /// the actor had read. Messages that must be counted for this count as read. Errors: those of
    /// [`mark_read`](App::mark_read), and `rate_limited`.
    pub async fn mark_unread(
        &self,
        actor: &Actor,
        chat_id: ChatId,
        seq: i64,
    ) -> Result<ReadState, Error> {
        let (viewer, user_id) = (Viewer::from(actor), &actor.user_id);
        self.admit_reading(&viewer).await?;
        loop {
            let permit = self.read_permit(&viewer).await?;
            let Some(reading) = self.store.find_reading(chat_id, user_id).await? else {
                drop(permit);
                return Err(self.not_a_member(actor, chat_id).await);
            };
            // Messages that the actor may not see are not unread.
            let to = seq.saturating_sub(1).max(reading.seen_after);
            let from = reading.read_seq;
            if from <= to {
                return Ok(ReadState { chat_id, read_seq: from, unread: reading.unread });
            }
            // Count outside the transaction, as others wait for it.
            let own = self.store.count_own(chat_id, user_id, to, from).await?;
            drop(permit);
            let looked_at = usize::try_from((from - to).saturating_mul(COUNTED));
            self.count_bytes_read(&viewer, looked_at.unwrap_or(usize::MAX)).await;
            let mut tx = self.begin_as(actor).await?;
            Reader::check_in(&mut tx, chat_id, actor).await?;
            if tx.move_reading_back(chat_id, user_id, from, to, own).await?
                && let Some(membership) = tx.find_membership(chat_id, user_id).await?
            {
                let read = ReadState { chat_id, read_seq: to, unread: membership.unread };
                let (user_id, by) = (user_id.clone(), actor.connection);
                tx.commit([Event::ChatRead { user_id, read, by }]).await?;
                return Ok(read);
            }
        }
    }

    /// What is unread in all chats of the actor, without muted chats.
    pub async fn count_unread(&self, actor: &Actor) -> Result<Unread, Error> {
        let _permit = self.read_permit(&Viewer::from(actor)).await?;
        self.store.count_unread(&actor.user_id).await
    }

    /// Why a user who is no member cannot mark a chat. The service may read the chat, but without a
    /// membership there is nothing to mark.
    async fn not_a_member(&self, actor: &Actor, chat_id: ChatId) -> Error {
        match Reader::check(&self.store, chat_id, &Viewer::from(actor)).await {
            Ok(_) => Error::NO_MEMBER,
            Err(error) => error,
        }
    }

    /// Notes that a member has read on, by this node.
    fn note_read(self: &Arc<Self>, key: (ChatId, UserId), read_seq: i64) {
        if self.carrier.receipts.note(key.clone(), read_seq) {
            tokio::spawn(self.clone().tell_reading(key));
        }
    }

    /// Tells how far a member has read, once a second for as long as they read on.
    async fn tell_reading(self: Arc<Self>, key: (ChatId, UserId)) {
        let mut told = match self.find_told(&key).await {
            Ok(told) => told,
            Err(error) => {
                error.warn("the members of a chat were not told how far another has read");
                i64::MAX
            }
        };
        while let Some(read_seq) = self.carrier.receipts.take_after(&key, told) {
            let (chat_id, user_id) = key.clone();
            self.tell(Event::MemberRead { chat_id, user_id, read_seq });
            told = read_seq;
            sleep(TOLD_EVERY).await;
        }
    }

    /// How far the others know that a member has read; the greatest number in a chat where they are
    /// not told.
    async fn find_told(&self, (chat_id, user_id): &(ChatId, UserId)) -> Result<i64, Error> {
        let _permit = self.readers.of_user(user_id).await?;
        let told = self.store.find_receipt(*chat_id, user_id, MAX_TOLD).await?;
        Ok(told.unwrap_or(i64::MAX))
    }
}
