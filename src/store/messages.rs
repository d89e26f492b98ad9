//! The `messages` table, read. It is written by the [message writer](super::writer).

use futures_util::TryStreamExt;

use super::{Store, on};
use crate::error::Error;
use crate::model::{ChatId, Message, MessagePage, MessageQuery};

/// Bounds in time become bounds in `seq` first, by the index of times: within a chat, times never
/// fall while `seq` rises.
macro_rules! list_messages {
    ($direction:literal) => {
        concat!(
            "select * from messages
             where chat_id = $1 and seq > $2 and seq < $3
             and ($4 is null or seq >= (
                 select seq from messages where chat_id = $1 and created_at >= $4
                 order by created_at, seq limit 1
             ))
             and ($5 is null or seq <= (
                 select seq from messages where chat_id = $1 and created_at <= $5
                 order by created_at desc, seq desc limit 1
             ))
             order by seq ",
            $direction,
            " limit $6"
        )
    };
}

const EARLIEST: &str = list_messages!("asc");
const LATEST: &str = list_messages!("desc");

/// About how many bytes a message takes on the wire beside its body.
const FIXED_SIZE: usize = 350;

impl Store {
    /// The messages of a chat that match `query`, and no more than fit into `max_bytes` after the
    /// first.
    pub async fn list_messages(
        &self,
        chat_id: ChatId,
        query: &MessageQuery,
        max_bytes: usize,
    ) -> Result<MessagePage, Error> {
        let sql = if query.is_forward() { EARLIEST } else { LATEST };
        let (mut messages, mut more, mut bytes) = (Vec::new(), false, 0);
        on!(Db & self.db, |pool| {
            let mut rows = sqlx::query_as::<_, Message>(sql)
                .bind(chat_id)
                .bind(query.after_seq.unwrap_or(0))
                .bind(query.before_seq.unwrap_or(i64::MAX))
                .bind(query.from)
                .bind(query.to)
                .bind(query.limit as i64 + 1)
                .fetch(pool);
            while let Some(message) = rows.try_next().await? {
                bytes += FIXED_SIZE + message.body.as_ref().len();
                if messages.len() == query.limit || (bytes > max_bytes && !messages.is_empty()) {
                    more = true;
                    break;
                }
                messages.push(message);
            }
        });
        if !query.is_forward() {
            messages.reverse();
        }
        Ok(MessagePage { messages, more })
    }
}
