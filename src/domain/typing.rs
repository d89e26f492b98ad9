//! Who is typing. It ends with a message, or by itself.

use std::collections::HashMap;
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::{Actor, App, Viewer};
use crate::error::Error;
use crate::model::{ChatId, Event, Message, Name, UserId};

/// Typing ends so long after the last request.
const LASTS: Duration = Duration::from_secs(6);

/// It is told again, or anew after an end, so long after it was told.
const REPEATED: Duration = Duration::from_secs(2);

/// The users who are typing or have just been, by connections of this node.
#[derive(Default)]
pub(super) struct Typists(Mutex<HashMap<(ChatId, UserId), Typist>>);

struct Typist {
    name: Name,
    state: State,
    /// When others were told last that the user is typing.
    told: Option<Instant>,
    right: Right,
}

/// What others know. A request begins it or goes on with it; `on: false`, a message and time end
/// it. The user is forgotten [`REPEATED`] after others were told last, if it is over by then.
#[derive(Clone, Copy)]
enum State {
    /// The user is typing until then, and others do not know yet: the right is being looked up, or
    /// they were told of typing less than [`REPEATED`] ago.
    Unknown(Instant),
    /// The user is typing until then, and others know. They are told of the end, but if it is a
    /// message.
    Known(Instant),
    /// The user is not typing.
    Over,
}

/// Whether a typist may say something, as far as this node has heard.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Right {
    Held,
    /// It is being looked up.
    Asked,
    Lost,
}

/// What is to be done of a typist.
enum Step {
    Wait(Instant),
    Tell(Name, bool),
}

impl Typist {
    fn go_on(&mut self, now: Instant) {
        let ends = now + LASTS;
        self.state = match self.state {
            State::Known(_) => State::Known(ends),
            State::Unknown(_) | State::Over => State::Unknown(ends),
        };
    }

    /// The name, if others are to be told now that the user is typing: not too often.
    fn tell(&mut self, now: Instant) -> Option<Name> {
        let (State::Unknown(ends) | State::Known(ends)) = self.state else {
            return None;
        };
        if self.told.is_some_and(|told| now - told < REPEATED) {
            return None;
        }
        (self.state, self.told) = (State::Known(ends), Some(now));
        Some(self.name.clone())
    }

    /// It has ended. The name, if others know that it had begun.
    fn end(&mut self) -> Option<Name> {
        let before = mem::replace(&mut self.state, State::Over);
        matches!(before, State::Known(_)).then(|| self.name.clone())
    }
}

impl Typists {
    /// A user who has sent a message has stopped; their clients know by the message. Where a user's
    /// rights have changed, the next request is checked as the first one was.
    pub fn note(&self, event: &Event) {
        match event {
            Event::MessageSent(posted) => {
                let Message { chat_id, user_id, .. } = &*posted.message;
                self.end(&(*chat_id, user_id.clone()));
            }
            // Perhaps because the user was blocked: nothing else tells of that.
            Event::Typing { chat_id, user_id, on: false, .. } => {
                self.refuse(&(*chat_id, user_id.clone()));
            }
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
        here.for_each(|(_, typist)| typist.right = Right::Lost);
    }

    fn doubt(&self, chat_id: ChatId, user_id: &UserId) {
        if let Some(typist) = self.lock().get_mut(&(chat_id, user_id.clone())) {
            typist.right = Right::Lost;
        }
    }

    /// A user is typing. Returns none if it is not known that they may; else the user's name, if
    /// others are to be told now.
    fn go_on(&self, key: &(ChatId, UserId)) -> Option<Option<Name>> {
        let (mut typists, now) = (self.lock(), Instant::now());
        let typist = typists.get_mut(key).filter(|typist| typist.right == Right::Held)?;
        typist.go_on(now);
        Some(typist.tell(now))
    }

    /// It is looked up whether a user may say something. Returns whether they are new here.
    fn ask(&self, key: &(ChatId, UserId), name: Name) -> bool {
        let mut typists = self.lock();
        let is_new = !typists.contains_key(key);
        let new = Typist { name, state: State::Over, told: None, right: Right::Asked };
        let typist = typists.entry(key.clone()).or_insert(new);
        typist.right = Right::Asked;
        typist.go_on(Instant::now());
        is_new
    }

    /// They may, unless that was lost meanwhile. Returns the name, if others are to be told now.
    /// They are not if the typing has ended since the right was asked for.
    fn confirm(&self, key: &(ChatId, UserId)) -> Option<Name> {
        let (mut typists, now) = (self.lock(), Instant::now());
        let typist = typists.get_mut(key).filter(|typist| typist.right != Right::Lost)?;
        typist.right = Right::Held;
        typist.tell(now)
    }

    /// They may not. Returns the name, if others are to be told of the end.
    fn refuse(&self, key: &(ChatId, UserId)) -> Option<Name> {
        let mut typists = self.lock();
        let typist = typists.get_mut(key)?;
        typist.right = Right::Lost;
        typist.end()
    }

    fn end(&self, key: &(ChatId, UserId)) -> Option<Name> {
        self.lock().get_mut(key).and_then(Typist::end)
    }

    /// What is to be done next of a typist; `None` if they are forgotten.
    fn step(&self, key: &(ChatId, UserId)) -> Option<Step> {
        let (mut typists, now) = (self.lock(), Instant::now());
        let typist = typists.get_mut(key)?;
        if let State::Unknown(ends) | State::Known(ends) = typist.state
            && ends <= now
            && let Some(name) = typist.end()
        {
            return Some(Step::Tell(name, false));
        }
        let again = typist.told.map_or(now, |told| told + REPEATED);
        match typist.state {
            State::Unknown(ends) if typist.right == Right::Held => {
                let told = typist.tell(now).map(|name| Step::Tell(name, true));
                told.or(Some(Step::Wait(ends.min(again))))
            }
            // It may end and begin anew before.
            State::Unknown(ends) | State::Known(ends) => Some(Step::Wait(ends.min(now + REPEATED))),
            State::Over if again > now => Some(Step::Wait(again)),
            State::Over => {
                typists.remove(key);
                None
            }
        }
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
        let is_member = self.carrier.audience.is_member(chat_id, &actor.user_id);
        if !on && let Some(name) = typists.end(&key) {
            self.tell_typing(key, name, false);
            return Ok(());
        }
        if !is_member {
            // This node need not hear who loses the right.
            self.check_speaker(actor, chat_id).await?;
        }
        if !on {
            return Ok(());
        }
        match typists.go_on(&key) {
            Some(Some(name)) => self.tell_typing(key, name, true),
            Some(None) => {}
            None => self.begin_typing(actor, key).await?,
        }
        Ok(())
    }

    async fn begin_typing(
        self: &Arc<Self>,
        actor: &Actor,
        key: (ChatId, UserId),
    ) -> Result<(), Error> {
        let typists = &self.carrier.typists;
        let permit = self.read_permit(&Viewer::from(actor)).await?;
        let profile = self.store.find_profile(&actor.user_id).await?;
        drop(permit);
        if typists.ask(&key, profile.ok_or(Error::NO_USER)?.name) {
            tokio::spawn(self.clone().keep_typist(key.clone()));
        }
        // Only now: a right that is lost meanwhile is lost for the next request.
        let checked = self.check_speaker(actor, key.0).await;
        let on = checked.is_ok();
        if let Some(name) = if on { typists.confirm(&key) } else { typists.refuse(&key) } {
            self.tell_typing(key, name, on);
        }
        checked
    }

    /// Tells what is to be told later, and ends it when there has been no word of it for too long.
    async fn keep_typist(self: Arc<Self>, key: (ChatId, UserId)) {
        while let Some(step) = self.carrier.typists.step(&key) {
            match step {
                Step::Wait(until) => sleep_until(until).await,
                Step::Tell(name, on) => self.tell_typing(key.clone(), name, on),
            }
        }
    }

    pub(super) fn tell_typing(&self, (chat_id, user_id): (ChatId, UserId), name: Name, on: bool) {
        self.tell(Event::Typing { chat_id, user_id, name, on });
    }
}
