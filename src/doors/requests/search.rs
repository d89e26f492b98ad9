//! `search-messages`

use super::views::messages::FoundMessages;
use super::{Answer, Call};
use crate::error::Error;
use crate::model::{Problem, SearchPlace, SearchQuery, SearchText, UserId, parse_id};

pub async fn search_messages(call: Call<'_>) -> Result<Answer, Error> {
    let query = call.body.object("query")?;
    let chat_id = query.optional_text("chat_id", parse_id)?;
    let (from, to) = query.optional_times("from", "to")?;
    let wrong = Problem::Invalid("must be the next of an earlier page");
    let search = SearchQuery {
        text: query.text("text", SearchText::parse)?,
        user_id: query.optional_id("user_id", UserId::parse)?,
        from,
        to,
        before: query.optional_text("before", |text, _| SearchPlace::parse(text).ok_or(wrong))?,
        limit: query.limit()?,
    };
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
