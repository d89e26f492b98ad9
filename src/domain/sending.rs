//! Sends one event to the webhook: checks whether it must still be sent, and makes its record.

use std::sync::{Arc, Weak};

use uuid::Uuid;

use super::App;
use super::housekeeping::KEPT_FOR;
use crate::clock::{self, Time};
use crate::error::Error;
use crate::event_log::{Endpoint, Undelivered, record};
use crate::logs;
use crate::model::{ChatId, Stream};
use crate::store::{Webhook, WebhookQueue};

/// The beginning of an event's JSON, if the event tells of a new message.
const MESSAGE_SENT: &str = r#"{"event":"message-sent""#;

/// The result of a try.
pub(super) enum Tried {
    Delivered {
        named_offline: bool,
    },
    /// It need not be delivered any more, for this reason.
    Dropped(&'static str),
    /// The event does not exist any more.
    Gone,
    /// It is not known at present who is offline.
    Postponed,
    /// The event could not be read.
    Unread,
    Failed(Webhook, Undelivered),
    /// The server has ended meanwhile.
    Cut,
}

/// Sends one event.
pub(super) async fn send(
    app: Weak<App>,
    queue: WebhookQueue,
    endpoint: Arc<Endpoint>,
    (id, begun): (Uuid, Time),
) -> Tried {
    let (webhook, record) = match prepare(app, queue, id, begun).await {
        Ok(prepared) => prepared,
        Err(tried) => return tried,
    };
    let named_offline = webhook.offline.is_some();
    match endpoint.send(id, record).await {
        Ok(()) => Tried::Delivered { named_offline },
        Err(problem) => Tried::Failed(webhook, problem),
    }
}

/// Reads an event and makes its record, or returns why it is not sent. When this returns, memory
/// holds only the record of the event, and the app is released: otherwise the server could not end
/// before the webhook answers.
async fn prepare(
    app: Weak<App>,
    queue: WebhookQueue,
    id: Uuid,
    begun: Time,
) -> Result<(Webhook, String), Tried> {
    let mut webhook = queue.find(id, begun).await?.ok_or(Tried::Gone)?;
    let event = webhook.event.take().ok_or(Tried::Gone)?;
    let committed_at = webhook.committed_at.ok_or(Tried::Gone)?;
    let app = app.upgrade().ok_or(Tried::Cut)?;
    if let Some(why) = app.why_drop(&queue, &webhook, committed_at).await? {
        return Err(Tried::Dropped(why));
    }
    let mut record = record(&webhook.stream, webhook.number, committed_at, &event);
    if let Some(Stream::Chat(chat_id)) = Stream::parse(&webhook.stream)
        && event.starts_with(MESSAGE_SENT)
    {
        let offline = app.name_offline(&mut webhook, chat_id).await?.ok_or(Tried::Postponed)?;
        record.truncate(record.len() - 1);
        record += &format!(r#","offline":{offline}}}"#);
    }
    Ok((webhook, record))
}

/// An event that cannot be read waits, and blocks no others.
impl From<Error> for Tried {
    fn from(error: Error) -> Tried {
        if error.is_closed() {
            return Tried::Cut;
        }
        let why = error.cause().map_or_else(|| error.to_string(), ToString::to_string);
        logs::rarely("webhook look-up", move |times| {
            tracing::warn!(why, times, "an event cannot be read for the webhook; trying again");
        });
        Tried::Unread
    }
}

impl App {
    /// The members without a connection, according to the first try if that has failed. `None`
    /// while that is not known.
    async fn name_offline<'w>(
        &self,
        webhook: &'w mut Webhook,
        chat_id: ChatId,
    ) -> Result<Option<&'w str>, Error> {
        if webhook.offline.is_none() {
            let offline = self.list_offline(chat_id).await?;
            // Serializing texts cannot fail.
            let text = |offline| serde_json::to_string(&offline).unwrap_or_default();
            webhook.offline = offline.map(text);
        }
        Ok(webhook.offline.as_deref())
    }

    /// Why an event need not be delivered any more; `None` if it must be.
    async fn why_drop(
        &self,
        queue: &WebhookQueue,
        webhook: &Webhook,
        committed_at: Time,
    ) -> Result<Option<&'static str>, Error> {
        let age = clock::now().since(committed_at);
        Ok(if age >= self.limits.webhook_keep_for.max(KEPT_FOR) {
            Some("it has waited for the webhook for too long")
        } else if age >= KEPT_FOR && queue.is_gone(webhook).await? {
            Some("its message is not kept any more")
        } else {
            None
        })
    }
}
