//! Direct messages: two users have one private chat, which is made when it is first used, and which
//! the REST door shows as a thread.

use super::blocks::{note_blocked, refuse_blocked};
use super::chats::{find_chat, listed};
use super::users::find_user;
use super::{Actor, App, Viewer};
use crate::error::Error;
use crate::model::{
    Body, Chat, DirectMessage, Event, Extras, ListedChat, Membership, MessageType, Name, Role,
    Sent, Signed, Thread, UserId, Username,
};
use crate::store::Tx;

impl App {
    /// The direct chat of the actor and another user; it is made if there is none. Errors:
    /// `not_found`; `conflict` for oneself; `forbidden` if the other user has blocked the actor;
    /// `too_large` if a chat must be made and the actor has as many chats as one user may.
    pub async fn open_direct(&self, actor: &Actor, user_id: &UserId) -> Result<ListedChat, Error> {
        let users = actor.pair_with(user_id, "user.id")?;
        if self.store.find_direct_chat(&users).await?.is_none() {
            self.admit_chat(actor, None).await?;
        }
        let mut tx = self.begin_as(actor).await?;
        tx.lock_names(&users.each_ref().map(AsRef::as_ref)).await?;
        refuse_blocked(&mut tx, actor, user_id).await?;
        if let Some(id) = tx.find_direct_chat_id(&users).await? {
            let chat = find_chat(&mut tx, id, 0).await?;
            let mut listed = listed(&mut tx, chat, &actor.user_id).await?;
            drop(tx);
            listed.chat.participants = self.count_in(id).await;
            return Ok(listed);
        }
        let chat = self.new_direct(&mut tx, actor, users).await?;
        tx.insert_chat(&chat).await?;
        note_blocked(&mut tx, chat.id, [&actor.user_id, user_id]).await?;
        tx.commit([Event::ChatCreated(chat.clone())]).await?;
        Ok(ListedChat { chat, membership: Some(Membership::of_new(Role::Member)) })
    }

    /// Sends a message to the user with this name, in the direct chat of the two. Errors:
    /// `not_found` and `conflict` for the recipient, as for [`open_direct`](App::open_direct);
    /// those of [`new_message`](App::new_message).
    pub async fn send_direct(
        &self,
        actor: &Actor,
        recipient: &str,
        kind: MessageType,
        body: Body,
    ) -> Result<Sent, Error> {
        let to = self.find_other(recipient, "recipient").await?;
        let chat_id = match self.store.find_direct_chat(&actor.pair_with(&to, "recipient")?).await?
        {
            Some((chat_id, _)) => chat_id,
            None => self.open_direct(actor, &to).await?.chat.id,
        };
        self.new_message(actor, chat_id, kind, body, None, Extras::default()).await
    }

    /// A page of the actor's direct chats that have messages, latest first; the first page is 1.
    /// Errors: `rate_limited`.
    pub async fn list_inbox(
        &self,
        actor: &Actor,
        page: i64,
        per_page: i64,
    ) -> Result<Vec<Thread>, Error> {
        let viewer = Viewer::from(actor);
        self.admit_reading(&viewer).await?;
        let permit = self.read_permit(&viewer).await?;
        let listing = self.store.list_threads(&actor.user_id, per_page, skipped(page, per_page));
        let threads = listing.await?;
        drop(permit);
        self.count_bytes_read(&viewer, threads.iter().map(|it| it.latest.size()).sum()).await;
        Ok(threads)
    }

    /// A page of the messages between the actor and the user with this name, newest first, without
    /// deleted ones; the first page is 1. Errors: `not_found`; `conflict` for oneself.
    pub async fn list_thread(
        &self,
        actor: &Actor,
        username: &str,
        page: i64,
        per_page: i64,
    ) -> Result<Vec<DirectMessage>, Error> {
        let viewer = Viewer::from(actor);
        self.admit_reading(&viewer).await?;
        let other = self.find_other(username, "username").await?;
        let pair = actor.pair_with(&other, "username")?;
        let Some((chat_id, last_seq)) = self.store.find_direct_chat(&pair).await? else {
            return Ok(Vec::new());
        };
        let permit = self.read_permit(&viewer).await?;
        let skipped = skipped(page, per_page);
        let messages = self.store.list_undeleted(chat_id, last_seq, skipped, per_page).await?;
        drop(permit);
        self.count_read(&viewer, &messages).await;
        let (own, others) =
            (self.username_of(&actor.user_id).await?, self.username_of(&other).await?);
        let named = |Signed { message, .. }: Signed| {
            let (author, recipient) = match message.user_id == other {
                true => (others.clone(), own.clone()),
                false => (own.clone(), others.clone()),
            };
            DirectMessage { message, author, recipient }
        };
        Ok(messages.into_iter().map(named).collect())
    }

    /// A user's unique name. Errors: `not_found`.
    pub(super) async fn username_of(&self, user_id: &UserId) -> Result<Username, Error> {
        self.store.find_username(user_id).await?.ok_or_else(Error::no_user)
    }

    async fn find_other(&self, username: &str, field: &'static str) -> Result<UserId, Error> {
        let found = self.store.find_user_id(username).await?;
        found.ok_or_else(|| Error::NotFound { field, why: "no such user".into() })
    }

    async fn new_direct(
        &self,
        tx: &mut Tx,
        actor: &Actor,
        users: [UserId; 2],
    ) -> Result<Chat, Error> {
        let [one, other] = &users;
        let (one, other) = (find_user(tx, one).await?, find_user(tx, other).await?);
        let name = Name::joined(&one.name, ", ", &other.name, &self.limits);
        let chat = Chat::new(name, actor.user_id.clone(), users.into());
        Ok(Chat { private: true, direct: true, ..chat })
    }
}

/// How many items come before a page.
fn skipped(page: i64, per_page: i64) -> i64 {
    page.saturating_sub(1).saturating_mul(per_page)
}
