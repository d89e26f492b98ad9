//! `open-direct`

use super::named::NamedUser;
use super::views::OfChat;
use super::views::chats::OwnChat;
use super::{Answer, Answered, Call};

pub async fn open_direct(call: Call<'_>, asked: NamedUser) -> Answered<OfChat<OwnChat<'_>>> {
    let actor = call.actor().await?;
    let listed = call.app.open_direct(&actor, &asked.user.id).await?;
    Answer::new(&OfChat { chat: OwnChat::new(&listed, None) })
}
