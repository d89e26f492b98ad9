//! `signal`: sends what is not stored.

use super::fields::{AnyJson, Id, request};
use super::{Answer, Answered, Call, Nothing};
use crate::model::{ChatId, UserId};

request! {
    /// Something that is not stored.
    Signal {
        /// The chat whose members it goes to.
        chat: Id<ChatId>,
        /// Any JSON.
        data: AnyJson,
        /// Only these users get it, and always your own other sockets.
        to: Option<Vec<UserId>>,
    }
}

pub async fn signal(call: Call<'_>, asked: Signal) -> Answered<Nothing> {
    let AnyJson(data) = asked.data;
    let actor = call.actor().await?;
    call.app.signal(&actor, asked.chat.id, data, asked.to).await?;
    Answer::new(&Nothing {})
}
