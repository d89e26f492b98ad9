//! Who is typing. It ends with a message, or by itself.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::access::Speaker;
use super::{Actor, App};
use crate::error::Error;
use crate::model::{ChatId, Event, Name, UserId};

/// Typing ends so long after the last request.
const LASTS: Duration = Duration::from_secs(6);

/// A repeated request is told again after so long.
const REPEATED: Duration = Duration::from_secs(2);

/// The users who are typing, by connections of this node.
#[derive(Default)]
pub(super) struct Typists(Mutex<HashMap<(ChatId, UserId), Typist>>);

struct Typist {
    name: Name,
    begun: Instant,
    told: Instant,
    ends: Instant,
    /// Whether they may still say something, as far as this node has heard.
    may_speak: bool,
}

impl Typists {
    /// A user who has sent a message has stopped; their clients know by the message. Where a user's
    /// rights have changed, the next request is checked as the first one was.
    pub fn note(&self, event: &Event) {
        match event {
            Event::MessageSent(posted) => {
                let message = &posted.message;
                self.lock().remove(&(message.chat_id, message.user_id.clone()));
            }
            // By another node, or because the user was blocked: it ends by itself.
            Event::Typing { chat_id, user_id, on: false, .. } => self.doubt(*chat_id, user_id),
            Event::MemberChanged { chat_id, member } => self.doubt(*chat_id, &member.user.id),
            Event::MemberLeft { chat_id, user_id, .. } => self.doubt(*chat_id, user_id),
            Event::MemberRemoved { chat, user_id } => self.doubt(chat.id, user_id),
            Event::ChatUpdated(chat) if chat.frozen => self.doubt_all(chat.id),
            Event::ChatDeleted { chat_id } => self.doubt_all(*chat_id),
            _ => {}
        }
    }

    fn doubt_all(&self, chat_id: ChatId) {
        let mut typists = self.lock();
        let here = typists.iter_mut().filter(|((of, _), _)| *of == chat_id);
        here.for_each(|(_, typist)| typist.may_speak = false);
    }

    fn doubt(&self, chat_id: ChatId, user_id: &UserId) {
        if let Some(typist) = self.lock().get_mut(&(chat_id, user_id.clone())) {
            typist.may_speak = false;
        }
    }

    /// A user goes on typing. Returns none if they were not typing, or may not any more; else the
    /// user's name, if others should be told again.
    fn go_on(&self, key: &(ChatId, UserId)) -> Option<Option<Name>> {
        let (mut typists, now) = (self.lock(), Instant::now());
        let typist = typists.get_mut(key).filter(|typist| typist.may_speak)?;
        typist.ends = now + LASTS;
        let due = now - typist.told >= REPEATED;
        if due {
            typist.told = now;
        }
        Some(due.then(|| typist.name.clone()))
    }

    /// Has begun. Returns when, and whether the user was typing before.
    fn begin(&self, key: (ChatId, UserId), name: Name) -> (Instant, bool) {
        let now = Instant::now();
        let (told, ends, may_speak) = (now, now + LASTS, true);
        let typist = Typist { name, begun: now, told, ends, may_speak };
        (now, self.lock().insert(key, typist).is_some())
    }

    fn end(&self, key: &(ChatId, UserId)) -> Option<Name> {
        self.lock().remove(key).map(|typist| typist.name)
    }

    /// When it ends, if what has begun then has not ended yet.
    fn ends(&self, key: &(ChatId, UserId), begun: Instant) -> Option<Instant> {
        self.lock().get(key).filter(|typist| typist.begun == begun).map(|typist| typist.ends)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<(ChatId, UserId), Typist>> {
        // Nothing panics while it is held.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl App {
    /// The actor is typing in a chat, or has stopped. While they go on it costs no look-up. Errors:
    /// `not_found`; `forbidden` for an actor who may not send messages; `rate_limited`.
    pub async fn typing(
        self: &Arc<Self>,
        actor: &Actor,
        chat_id: ChatId,
        on: bool,
    ) -> Result<(), Error> {
        self.admit_signal(actor)?;
        let (typists, key) = (&self.carrier.typists, (chat_id, actor.user_id.clone()));
        if !on {
            if let Some(name) = typists.end(&key) {
                self.tell_typing(key, name, false);
            } else if !self.carrier.audience.is_member(chat_id, &actor.user_id) {
                Speaker::check(&self.store, chat_id, actor).await?;
            }
            return Ok(());
        }
        if !self.carrier.audience.is_member(chat_id, &actor.user_id) {
            // This node need not hear who loses the right.
            Speaker::check(&self.store, chat_id, actor).await?;
        }
        match typists.go_on(&key) {
            Some(Some(name)) => self.tell_typing(key, name, true),
            Some(None) => {}
            None => {
                let profile = self.store.find_profile(&actor.user_id).await?;
                let name = profile.ok_or(Error::NO_USER)?.name;
                let (begun, was_typing) = typists.begin(key.clone(), name.clone());
                // Only now: a right that is lost meanwhile is lost for the next request.
                if let Err(error) = Speaker::check(&self.store, chat_id, actor).await {
                    if let Some(name) = typists.end(&key).filter(|_| was_typing) {
                        self.tell_typing(key, name, false);
                    }
                    return Err(error);
                }
                tokio::spawn(self.clone().end_typing(key.clone(), begun));
                self.tell_typing(key, name, true);
            }
        }
        Ok(())
    }

    /// Ends it when there has been no word of it for too long.
    async fn end_typing(self: Arc<Self>, key: (ChatId, UserId), begun: Instant) {
        while let Some(ends) = self.carrier.typists.ends(&key, begun) {
            if ends > Instant::now() {
                // Or until there is nothing to end any more.
                sleep_until(ends).await;
            } else if let Some(name) = self.carrier.typists.end(&key) {
                return self.tell_typing(key, name, false);
            }
        }
    }

    pub(super) fn tell_typing(&self, (chat_id, user_id): (ChatId, UserId), name: Name, on: bool) {
        self.tell(Event::Typing { chat_id, user_id, name, on });
    }
}
