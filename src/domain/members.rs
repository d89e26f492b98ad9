//! The members of a chat, as its readers see them.

use super::access::Reader;
use super::{App, Viewer};
use crate::error::Error;
use crate::model::{ChatId, ListedMember, UserId};
use crate::store::Tx;

/// A page of a chat's members.
pub struct Members {
    pub members: Vec<ListedMember>,
    /// The next page begins after this user; `None` if there is no more.
    pub next: Option<UserId>,
}

impl App {
    /// The members of a chat, in the order of their ids; `after` is a page's `next`. Errors:
    /// `not_found`; `rate_limited` for a viewer who has read too much.
    pub async fn list_members(
        &self,
        viewer: &Viewer,
        chat_id: ChatId,
        after: Option<UserId>,
        limit: usize,
    ) -> Result<Members, Error> {
        self.admit_reading(viewer).await?;
        let Reader { chat_id, .. } = Reader::check(&self.store, chat_id, viewer).await?;
        let permit = self.read_permit(viewer).await?;
        let max_bytes = self.limits.max_page_bytes;
        let page = self.store.list_members(chat_id, after.as_ref(), limit, max_bytes);
        let (mut members, more) = page.await?;
        drop(permit);
        self.count_bytes_read(viewer, members.iter().map(|it| it.user.size()).sum()).await;
        self.see_online(members.iter_mut().map(|member| &mut member.user)).await;
        let next = members.last().filter(|_| more).map(|member| member.user.id.clone());
        Ok(Members { members, next })
    }

    /// Finds a member in a transaction. Errors: `internal` if the user is no member.
    pub(super) async fn find_member(
        &self,
        tx: &mut Tx,
        chat_id: ChatId,
        user_id: &UserId,
    ) -> Result<ListedMember, Error> {
        let member = tx.find_member(chat_id, user_id).await?;
        let mut member = member.ok_or(Error::Internal(None))?;
        self.see_online([&mut member.user]).await;
        Ok(member)
    }
}
