//! Lists of nicks, cached for all clients: a list is read from the store once, and again after a
//! nick has joined or left it.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, MutexGuard, PoisonError};

use tokio::sync::Mutex;

use super::App;
use crate::cluster::Following;
use crate::error::Error;
use crate::model::{ChatId, Event, Handle, Stream};

/// The lists of at most so many channels are cached.
const MAX_CHANNELS: usize = 100;

/// The lists that clients have asked for.
#[derive(Default)]
pub(super) struct NickLists {
    all: List,
    channels: std::sync::Mutex<HashMap<ChatId, Arc<OfChannel>>>,
}

#[derive(Default)]
struct List {
    /// How often the list has changed, on any node.
    changes: AtomicU64,
    /// The nicks, and the count of changes when they were read.
    read: Mutex<Option<(u64, Arc<[Handle]>)>>,
}

struct OfChannel {
    list: List,
    /// Keeps this node following the chat, so that it hears of changes even if it has no nicks in
    /// the channel.
    _following: Following,
}

impl List {
    async fn get<F: Future<Output = Result<Vec<Handle>, Error>>>(
        &self,
        read: impl FnOnce() -> F,
    ) -> Result<Arc<[Handle]>, Error> {
        let mut before = self.read.lock().await;
        let changes = self.changes.load(Ordering::Acquire);
        if let Some((at, nicks)) = &*before
            && *at == changes
        {
            return Ok(nicks.clone());
        }
        let nicks = Arc::<[Handle]>::from(read().await?);
        *before = Some((changes, nicks.clone()));
        Ok(nicks)
    }

    fn note_change(&self) {
        self.changes.fetch_add(1, Ordering::AcqRel);
    }
}

impl NickLists {
    /// Notes that an event changes lists. It is called before clients see the event, so that a
    /// client which asks then does not get an older list.
    pub fn note(&self, event: &Event) {
        match event {
            Event::NickConnected { .. } => self.all.note_change(),
            Event::NickGone { .. } => {
                self.all.note_change();
                // The nick leaves all its channels, without an event for each.
                self.channels().values().for_each(|channel| channel.list.note_change());
            }
            Event::ChannelJoined { chat_id, .. } | Event::ChannelLeft { chat_id, .. } => {
                if let Some(channel) = self.channels().get(chat_id) {
                    channel.list.note_change();
                }
            }
            _ => {}
        }
    }

    fn channels(&self) -> MutexGuard<'_, HashMap<ChatId, Arc<OfChannel>>> {
        // No code panics while it holds the lock.
        self.channels.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl App {
    /// All connected nicks, sorted, as many as fit on a page.
    pub(super) async fn nicks(&self) -> Result<Arc<[Handle]>, Error> {
        self.carrier.nick_lists.all.get(|| self.store.list_nicks(self.limits.max_page_bytes)).await
    }

    /// The nicks in a channel, sorted, as many as fit on a page.
    pub(super) async fn nicks_in(&self, chat_id: ChatId) -> Result<Arc<[Handle]>, Error> {
        let known = self.carrier.nick_lists.channels().get(&chat_id).cloned();
        let channel = match known {
            Some(channel) => channel,
            None => {
                let following = self.streams.follow(Stream::Chat(chat_id));
                self.streams.positioned().await?;
                let list = List::default();
                let channel = Arc::new(OfChannel { list, _following: following });
                let mut channels = self.carrier.nick_lists.channels();
                if channels.len() >= MAX_CHANNELS {
                    channels.clear();
                }
                channels.entry(chat_id).or_insert(channel).clone()
            }
        };
        let read = || self.store.list_nicks_in(chat_id, self.limits.max_page_bytes);
        channel.list.get(read).await
    }
}
