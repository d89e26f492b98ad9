//! Searching messages in a user's own chats and in public ones, and filling the index after the
//! commits.

use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};

use super::access::Reader;
use super::{Actor, App, Viewer};
use crate::error::Error;
use crate::model::{ChatId, SearchPage, SearchQuery};
use crate::store::{Searchable, Unindexed};

/// For how long messages are collected before they are indexed. Searches must find them within a
/// second.
const GATHER: Duration = Duration::from_millis(200);
/// How often to look for messages that a dead node has not indexed; and the pause after a failure.
const LOOK_EVERY: Duration = Duration::from_secs(5 * 60);
const AFTER_FAILURE: Duration = Duration::from_secs(5);

impl App {
    /// The messages in the actor's chats that match `query`, the latest first. Errors: `forbidden`
    /// if search is off; `rate_limited`.
    pub async fn search_messages(
        &self,
        actor: &Actor,
        query: &SearchQuery,
    ) -> Result<SearchPage, Error> {
        let viewer = Viewer::from(actor);
        self.admit_search(&viewer).await?;
        let permit = self.read_permit(&viewer).await?;
        let chats = self.store.list_searchable(&actor.user_id, actor.service).await?;
        let page = self.search_in(&chats, query).await?;
        drop(permit);
        self.count_read(&viewer, &page.messages).await;
        Ok(page)
    }

    /// The messages in one chat that match `query`, the latest first. Anyone may search a public
    /// chat. Errors: those of [`search_messages`](App::search_messages); `not_found`.
    pub async fn search_messages_of(
        &self,
        viewer: &Viewer,
        chat_id: ChatId,
        query: &SearchQuery,
    ) -> Result<SearchPage, Error> {
        self.admit_search(viewer).await?;
        let permit = self.read_permit(viewer).await?;
        let Reader { chat_id, seen_after, .. } = self.reader(viewer, chat_id).await?;
        let chat = self.store.find_searchable(chat_id, seen_after).await?;
        let page = self.search_in(&Vec::from_iter(chat), query).await?;
        drop(permit);
        self.count_read(viewer, &page.messages).await;
        Ok(page)
    }

    async fn admit_search(&self, viewer: &Viewer) -> Result<(), Error> {
        if self.store.unindexed().is_none() {
            return Err(Error::Forbidden("search is off on this server"));
        }
        self.admit_reading(viewer).await
    }

    async fn search_in(
        &self,
        chats: &[Searchable],
        query: &SearchQuery,
    ) -> Result<SearchPage, Error> {
        self.store.search_messages(chats, query, self.limits.max_page_bytes).await
    }

    /// Indexes the noted chats, and with `look` all other chats that are behind, too.
    async fn index(&self, unindexed: &Unindexed, look: bool) -> Result<(), Error> {
        if look {
            let mut after = None;
            loop {
                let mut chats = self.store.list_unindexed(after).await?;
                let Some(last) = chats.last() else { break };
                after = Some(*last);
                while !chats.is_empty() {
                    chats = self.store.index_once(&chats).await?;
                    // However much that is, new messages must be found soon.
                    self.index_noted(unindexed).await?;
                }
            }
        }
        self.index_noted(unindexed).await
    }

    /// Indexes a step of each noted chat; chats with more to index are noted again.
    async fn index_noted(&self, unindexed: &Unindexed) -> Result<(), Error> {
        let chats = unindexed.take();
        let indexed = self.store.index_once(&chats).await;
        unindexed.add(indexed.as_ref().map_or(chats, Vec::clone));
        indexed.map(drop)
    }
}

/// Fills the index until the server is gone.
pub(super) async fn keep_index(app: Weak<App>, unindexed: Arc<Unindexed>) {
    let mut looked: Option<Instant> = None;
    loop {
        let look = looked.is_none_or(|looked| looked.elapsed() >= LOOK_EVERY);
        if !look {
            let _ = timeout(LOOK_EVERY, unindexed.added()).await;
            sleep(GATHER).await;
        }
        let Some(app) = app.upgrade() else {
            return;
        };
        let unindexed = unindexed.clone();
        // In a task of its own, as a write that has begun must be finished.
        let round = tokio::spawn(async move { app.index(&unindexed, look).await });
        match round.await {
            Ok(Ok(())) if look => looked = Some(Instant::now()),
            Ok(Ok(())) => {}
            Ok(Err(error)) if error.is_closed() => return,
            Ok(Err(error)) => {
                error.warn("messages are not found yet that were sent or changed");
                sleep(AFTER_FAILURE).await;
            }
            Err(_) => {
                tracing::error!("indexing messages has failed");
                sleep(AFTER_FAILURE).await;
            }
        }
    }
}
