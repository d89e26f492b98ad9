//! `typing`, `signal`: what is not kept.

use super::fields::{AnyJson, Id, request};
use super::{Answer, Call, Nothing};
use crate::error::Error;
use crate::model::{ChatId, UserId};

request! {
    /// That one is writing.
    Typing {
        /// The chat.
        chat: Id<ChatId>,
        /// False if one has stopped.
        on: Option<bool>,
    }

    /// Something that is not kept.
    Signal {
        /// The chat whose members it goes to.
        chat: Id<ChatId>,
        /// Any JSON.
        data: AnyJson,
        /// Only these users get it, and always your own other sockets.
        to: Option<Vec<UserId>>,
    }
}

pub async fn typing(call: Call<'_>, asked: Typing) -> Result<Answer, Error> {
    let actor = call.actor().await?;
    call.app.typing(&actor, asked.chat.id, asked.on.unwrap_or(true)).await?;
    Answer::new(&Nothing {})
}

pub async fn signal(call: Call<'_>, asked: Signal) -> Result<Answer, Error> {
    let AnyJson(data) = asked.data;
    let actor = call.actor().await?;
    call.app.signal(&actor, asked.chat.id, data, asked.to).await?;
    Answer::new(&Nothing {})
}
