//! Carries to the doors of this node what it commits, and, where there are other nodes, what
//! [they do](super::follower).

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::mpsc;

use super::follower::Follower;
use super::leases::Leases;
use crate::bus::Bus;
use crate::model::{Committed, Event, Published};

/// The one way to the doors for what is committed.
#[derive(Clone)]
pub(super) struct Carrier {
    pub bus: Arc<Bus>,
    pub leases: Leases,
    /// How often a nick has come or gone.
    pub nick_changes: Arc<AtomicU64>,
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
        // Before anybody hears of it: a client that asks then does not get an older list.
        if let Some(Event::NickConnected { .. } | Event::NickGone { .. }) = &event {
            self.nick_changes.fetch_add(1, Ordering::AcqRel);
        }
        self.bus.publish(Published { number, event }).await;
    }
}
