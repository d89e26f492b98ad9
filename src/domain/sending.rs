//! Sending one event to the webhook: what it says, and whether it is to be said still.

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

/// How the JSON of an event begins that tells of a message.
const MESSAGE_SENT: &str = r#"{"event":"message-sent""#;

/// What a try has come to.
pub(super) enum Tried {
    Delivered {
        named_offline: bool,
    },
    /// It is not to be delivered any more: why.
    Dropped(&'static str),
    /// It is not there any more.
    Gone,
    /// Nobody can say now who is offline.
    Postponed,
    /// It cannot be read now.
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

/// Finds out what is to be sent, unless nothing is. Nothing of the event is left beside that, and
/// the server is let go: else it could not end before the webhook answers.
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

/// An event that cannot be looked up waits, and holds up no other.
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
    /// The members without a connection, as at the first try that has failed. None while nobody
    /// can say.
    async fn name_offline<'w>(
        &self,
        webhook: &'w mut Webhook,
        chat_id: ChatId,
    ) -> Result<Option<&'w str>, Error> {
        if webhook.offline.is_none() {
            let offline = self.list_offline(chat_id).await?;
            // Texts: nothing in them can fail to serialize.
            let text = |offline| serde_json::to_string(&offline).unwrap_or_default();
            webhook.offline = offline.map(text);
        }
        Ok(webhook.offline.as_deref())
    }

    /// Why an event is not to be delivered any more, if it is not.
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
