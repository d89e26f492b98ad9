//! The chats that anyone may find.

use super::{App, Viewer};
use crate::clock::Time;
use crate::error::Error;
use crate::model::{ChatId, Name, PublicChatPage};

impl App {
    /// The public chats whose names begin with `text`, in any spelling, or all of them: latest
    /// activity first; `before` is a page's `next`. Errors: `rate_limited`.
    pub async fn list_public_chats(
        &self,
        viewer: &Viewer,
        text: Option<&Name>,
        before: Option<(Time, ChatId)>,
        limit: usize,
    ) -> Result<PublicChatPage, Error> {
        let (beginning, max_bytes) = (text.map(Name::folded), self.limits.max_page_bytes);
        self.admit_reading(viewer).await?;
        let permit = self.read_permit(viewer).await?;
        let listing = self.store.list_public_chats(beginning.as_deref(), before, limit, max_bytes);
        let mut page = listing.await?;
        drop(permit);
        self.count_bytes_read(viewer, page.chats.iter().map(|it| it.chat.size()).sum()).await;
        let ids: Vec<_> = page.chats.iter().map(|listed| listed.chat.id).collect();
        let counts = self.count_in_each(&ids).await;
        for (listed, participants) in page.chats.iter_mut().zip(counts) {
            listed.chat.participants = participants;
        }
        Ok(page)
    }
}
