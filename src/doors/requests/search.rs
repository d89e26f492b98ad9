//! `search-messages`

use super::fields::{End, request};
use super::pages::Limit;
use super::views::messages::FoundMessages;
use super::{Answer, Answered, Call};
use crate::clock::Time;
use crate::error::Error;
use crate::model::{ChatId, SearchPlace, SearchQuery, SearchText, UserId};

request! {
    /// A search in messages.
    SearchMessages {
        /// What is looked for.
        query: MessagesSought,
    }

    /// Which messages are looked for; the bounds hold together.
    MessagesSought {
        /// The words that must all stand in a message; the last may be the beginning of one.
        text: SearchText,
        /// In this chat alone; otherwise in all of yours.
        chat_id: Option<ChatId>,
        /// Who has sent them.
        user_id: Option<UserId>,
        /// Sent at this time or later.
        from: Option<Time>,
        /// Sent at this time or earlier; a time without decimals means the whole second.
        to: Option<End>,
        /// How many messages at most.
        limit: Option<Limit>,
        /// The `next` of an earlier page, for the page that follows.
        before: Option<SearchPlace>,
    }
}

pub async fn search_messages(call: Call<'_>, asked: SearchMessages) -> Answered<FoundMessages<'_>> {
    let MessagesSought { text, chat_id, user_id, from, to, limit, before } = asked.query;
    let (to, limit) = (to.map(|End(time)| time), Limit::of(limit, call.app.limits()));
    let search = SearchQuery { text, user_id, from, to, before, limit };
    let page = match chat_id {
        Some(chat_id) => {
            let viewer = call.viewer().await?;
            let page = call.app.search_messages_of(&viewer, chat_id, &search).await;
            page.map_err(|error| match error {
                Error::NotFound { field: "chat.id", why } => {
                    Error::NotFound { field: "query.chat_id", why }
                }
                error => error,
            })?
        }
        None => call.app.search_messages(&call.actor().await?, &search).await?,
    };
    Answer::new(&FoundMessages::from(&page))
}
