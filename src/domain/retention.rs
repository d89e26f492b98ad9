//! How long messages are kept: as long as the chat says, but not longer than the server keeps them.
//! Older messages are deleted in slices, with pauses in which others can write.

use std::sync::Weak;
use std::time::Duration;

use tokio::time::{Instant, sleep};
use uuid::Uuid;

use super::App;
use crate::clock;
use crate::error::Error;
use crate::model::ChatId;

/// How often the server looks for messages that are too old.
const EVERY: Duration = Duration::from_secs(600);

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Deletes messages that have been kept for their time, until the server is gone.
pub(super) async fn run(app: Weak<App>) {
    loop {
        let Some(app) = app.upgrade() else {
            return;
        };
        // In a task of its own, as a write that has begun must be finished.
        match tokio::spawn(async move { app.delete_old_messages().await }).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) if error.is_closed() => return,
            Ok(Err(error)) => error.warn("messages that are too old are still there"),
            Err(_) => tracing::error!("deleting messages that are too old has failed"),
        }
        sleep(EVERY).await;
    }
}

impl App {
    async fn delete_old_messages(&self) -> Result<(), Error> {
        let mut after = ChatId::from(Uuid::nil());
        loop {
            let chats = self.store.list_kept_chats(after, self.retention_days > 0).await?;
            let Some(last) = chats.last() else {
                return Ok(());
            };
            after = last.id;
            for chat in chats {
                let days = [chat.retention_days, self.retention_days];
                let Some(days) = days.into_iter().filter(|days| *days > 0).min() else {
                    continue;
                };
                let days = u32::try_from(days).unwrap_or(u32::MAX);
                let before = clock::ago(DAY.saturating_mul(days));
                if chat.oldest.is_some_and(|oldest| oldest < before) {
                    self.delete_before(chat.id, before).await?;
                }
            }
        }
    }

    async fn delete_before(&self, chat_id: ChatId, before: clock::Time) -> Result<(), Error> {
        let mut deleted = 0;
        loop {
            let begun = Instant::now();
            let to = self.store.delete_old_messages(chat_id, before, deleted).await?;
            let Some(to) = to.filter(|_| !self.is_ending()) else {
                return Ok(());
            };
            deleted = to;
            // Half of the time is left for others.
            sleep(begun.elapsed()).await;
        }
    }
}
