//! `list-public-chats`

use super::views::{ChatView, Chats};
use super::{Answer, Call, cursor};
use crate::error::Error;
use crate::model::Name;

pub async fn list_public_chats(call: Call<'_>) -> Result<Answer, Error> {
    let (limit, before) = (call.body.limit()?, call.before()?);
    let text = call.body.optional_text("text", |text, limits| match text.trim() {
        "" => Ok(None),
        text => Name::parse_known(text, limits).map(Some),
    })?;
    let viewer = call.viewer().await?;
    let text = text.flatten();
    let page = call.app.list_public_chats(&viewer, text.as_ref(), before, limit).await?;
    let chats = page.chats.iter().map(ChatView::from).collect();
    Answer::new(&Chats { chats, next: page.next.map(cursor) })
}
