//! A member's own settings of a chat: muted, pinned, archived. Nobody else is told of them.

use super::access::Member;
use super::chats::find_chat;
use super::{Actor, App};
use crate::error::Error;
use crate::model::{ChatId, Event, ListedChat, MembershipChange};

impl App {
    /// Changes the actor's settings of a chat; absent fields stay as they are. An archived chat
    /// returns with the next message. Errors: `not_found`, `forbidden` for an actor who is not a
    /// member, `rate_limited`.
    pub async fn update_membership(
        &self,
        actor: &Actor,
        chat_id: ChatId,
        change: MembershipChange,
    ) -> Result<ListedChat, Error> {
        self.admit_change(actor).await?;
        let participants = self.count_in(chat_id).await;
        let mut tx = self.begin_as(actor).await?;
        let Member { user_id, .. } = Member::check_in(&mut tx, chat_id, actor).await?;
        tx.update_membership(chat_id, &user_id, change).await?;
        // The service passes the check above without being a member.
        let membership = tx.find_membership(chat_id, &user_id).await?.ok_or(Error::NO_MEMBER)?;
        let chat = find_chat(&mut tx, chat_id, participants).await?;
        let listed = ListedChat { chat, membership: Some(membership) };
        let by = actor.connection;
        tx.commit([Event::MembershipUpdated { user_id, listed: listed.clone(), by }]).await?;
        self.count_bytes_pushed(actor, listed.chat.size()).await;
        Ok(listed)
    }
}
