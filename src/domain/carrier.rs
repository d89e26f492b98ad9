//! Carries to the doors of this node what it commits, and, where there are other nodes, what
//! [they do](super::follower).

use std::sync::Arc;

use tokio::sync::mpsc;

use super::follower::Follower;
use super::leases::Leases;
use super::nick_lists::NickLists;
use crate::bus::Bus;
use crate::model::{Committed, Event, Published};

/// The one way to the doors for what is committed.
#[derive(Clone)]
pub(super) struct Carrier {
    pub bus: Arc<Bus>,
    pub leases: Leases,
    pub nick_lists: Arc<NickLists>,
}

impl Carrier {
    /// Carries what is committed, until the store is closed.
    pub async fn run(self, mut committed: mpsc::Receiver<Committed>, follower: Option<Follower>) {
        if let Some(follower) = follower {
            return follower.run(self, committed).await;
        }
        while let Some(Committed { number, event, .. }) = committed.recv().await {
            self.show(Some(number), Some(event)).await;
        }
    }

    /// Shows an event to the doors. A token that it ends has no connections after it.
    pub async fn show(&self, number: Option<u64>, event: Option<Event>) {
        if let Some(Event::TokenEnded { access_key_id, .. }) = &event {
            self.leases.end(access_key_id);
        }
        if let Some(event) = &event {
            self.nick_lists.note(event);
        }
        self.bus.publish(Published { number, event }).await;
    }
}
