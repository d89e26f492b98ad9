//! Sending one event to the webhook: what it says, and whether it is to be said still.

use std::sync::{Arc, Weak};

use uuid::Uuid;

use super::App;
use super::housekeeping::KEPT_FOR;
use crate::clock::{self, Time};
use crate::error::Error;
use crate::event_log::{Endpoint, Undelivered, record};
use crate::logs;
use crate::model::Stream;
use crate::store::{Webhook, WebhookQueue};

/// How the JSON of an event begins that tells of a message.
const MESSAGE_SENT: &str = r#"{"event":"message-sent""#;

/// What a try has come to.
pub(super) enum Tried {
    Delivered,
    /// It is not to be delivered any more.
    Dropped,
    /// Nobody can say now who is offline.
    Postponed,
    Failed(Webhook, Undelivered),
    /// The server has ended meanwhile.
    Cut,
}

/// Sends one event.
pub(super) async fn send(
    app: Weak<App>,
    queue: WebhookQueue,
    endpoint: Arc<Endpoint>,
    id: Uuid,
) -> Result<Tried, Error> {
    // Somebody may have deleted it by hand, or its event: there is nothing to tell.
    let Some(mut webhook) = queue.find(id).await? else {
        return Ok(Tried::Dropped);
    };
    let (Some(event), Some(committed_at)) = (webhook.event.take(), webhook.committed_at) else {
        return Ok(Tried::Dropped);
    };
    let Some(app) = app.upgrade() else {
        return Ok(Tried::Cut);
    };
    if app.is_out_of_date(&queue, &webhook, committed_at).await? {
        return Ok(Tried::Dropped);
    }
    let mut record = record(&webhook.stream, webhook.number, committed_at, &event);
    if let Some(Stream::Chat(chat_id)) = Stream::parse(&webhook.stream)
        && event.starts_with(MESSAGE_SENT)
    {
        let offline = match webhook.offline.take() {
            Some(offline) => offline,
            None => {
                let Some(offline) = app.list_offline(chat_id).await? else {
                    return Ok(Tried::Postponed);
                };
                // Texts: nothing in them can fail to serialize.
                let offline = serde_json::to_string(&offline).unwrap_or_default();
                let Some(offline) = queue.keep_offline(id, &offline).await? else {
                    return Ok(Tried::Dropped);
                };
                offline
            }
        };
        record.truncate(record.len() - 1);
        record += &format!(r#","offline":{offline}}}"#);
    }
    // Else it would keep the server from ending.
    drop(app);
    Ok(match endpoint.send(id, record).await {
        Ok(()) => Tried::Delivered,
        Err(problem) => Tried::Failed(webhook, problem),
    })
}

impl App {
    /// Whether an event is not to be delivered any more: it has waited for too long, or tells of a
    /// message that is not kept any more.
    async fn is_out_of_date(
        &self,
        queue: &WebhookQueue,
        webhook: &Webhook,
        committed_at: Time,
    ) -> Result<bool, Error> {
        let age = clock::now().since(committed_at);
        if age < KEPT_FOR {
            return Ok(false);
        }
        if age < self.limits.webhook_keep_for {
            return queue.is_gone(webhook).await;
        }
        logs::rarely("webhook dropped", |times| {
            tracing::warn!(
                times,
                "an event was dropped: it has waited for the webhook for too long"
            );
        });
        Ok(true)
    }
}
