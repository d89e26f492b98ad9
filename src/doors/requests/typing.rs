//! `typing`

use super::fields::{Id, request};
use super::{Answer, Answered, Call, Nothing};
use crate::model::ChatId;

request! {
    /// Whether you are writing.
    Typing {
        /// The chat.
        chat: Id<ChatId>,
        /// False if you have stopped.
        on: Option<bool>,
    }
}

pub async fn typing(call: Call<'_>, asked: Typing) -> Answered<Nothing> {
    let actor = call.actor().await?;
    call.app.typing(&actor, asked.chat.id, asked.on.unwrap_or(true)).await?;
    Answer::new(&Nothing {})
}
