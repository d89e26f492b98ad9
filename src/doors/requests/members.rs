//! `list-members`

use super::people_views::MembersView;
use super::{Answer, Call};
use crate::error::Error;

pub async fn list_members(call: Call<'_>) -> Result<Answer, Error> {
    let (chat_id, limit, after) = (call.chat_id()?, call.body.limit()?, call.after_user()?);
    let viewer = call.viewer().await?;
    let page = call.app.list_members(&viewer, chat_id, after, limit).await?;
    Answer::new(&MembersView::from(&page))
}
