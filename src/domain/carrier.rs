//! Carries events to the clients of this node: those that it commits and, where there are other
//! nodes, [theirs](super::follower). Before clients see an event, what the domain remembers of it
//! is brought up to date.

use std::mem;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tokio::sync::{mpsc, watch};

use super::announcements::Announcements;
use super::consequences::Consequence;
use super::crowds::{self, Crowds, Telling};
use super::leases::Leases;
use super::listening::Listeners;
use super::nick_lists::NickLists;
use super::nicks::Nicks;
use super::receipts::Receipts;
use super::typing::Typists;
use crate::audience::{Audience, Unflushed};
use crate::cluster::Moved;
use crate::defects;
use crate::model::{ChatId, Committed, Event};

/// At most so many events are shown before they are sent.
pub(super) const AT_ONCE: usize = 512;

/// The one way to the clients of this node.
pub(super) struct Carrier {
    pub audience: Audience,
    pub leases: Leases,
    pub nicks: Nicks,
    pub nick_lists: NickLists,
    pub typists: Typists,
    pub receipts: Receipts,
    announcements: Announcements,
    crowds: Mutex<Crowds>,
    consequences: mpsc::UnboundedSender<Consequence>,
    unflushed: Mutex<Unflushed>,
    /// What is being sent.
    flushing: Mutex<Unflushed>,
    /// The number of the latest event that was committed here and has been shown.
    shown: watch::Sender<u64>,
}

impl Carrier {
    /// The consequences of events come out of the receiver.
    pub fn new(
        audience: Audience,
        announced_per_second: NonZeroU32,
    ) -> (Carrier, mpsc::UnboundedReceiver<Consequence>) {
        // Not bounded: its receiver commits, and commits wait for the carrier, so that the two
        // would wait for each other. What it holds is bounded by the connections and members that
        // there are.
        let (consequences, followed) = mpsc::unbounded_channel();
        let carrier = Carrier {
            audience,
            leases: Leases::default(),
            nicks: Nicks::default(),
            nick_lists: NickLists::default(),
            typists: Typists::default(),
            receipts: Receipts::default(),
            announcements: Announcements::new(announced_per_second),
            crowds: Mutex::default(),
            consequences,
            unflushed: Mutex::default(),
            flushing: Mutex::default(),
            shown: watch::Sender::new(0),
        };
        (carrier, followed)
    }

    /// Carries what this node commits, where there is no other, until the store is closed.
    pub async fn run(
        self: Arc<Self>,
        mut committed: mpsc::Receiver<Committed>,
        listeners: Listeners,
    ) {
        let mut events = Vec::with_capacity(AT_ONCE);
        while committed.recv_many(&mut events, AT_ONCE).await > 0 {
            let ends =
                events.first().zip(events.last()).map(|(first, last)| (first.at, last.number));
            for Committed { event, .. } in events.drain(..) {
                self.show(&event);
                listeners.tell(event);
            }
            if let Some((since, last)) = ends {
                self.flush_own(last, since);
            }
        }
    }

    /// Shows an event to the connections that hear it; they get it when it is
    /// [flushed](Carrier::flush).
    pub fn show(&self, event: &Event) {
        if let Event::MessageSent(posted) = event
            && posted.message.seq % 20 == 0
            && defects::has("skip pushes")
        {
            return;
        }
        if let Event::TokenEnded { access_key_id, .. } = event {
            // Connections with this token end.
            self.leases.end(access_key_id);
        }
        self.nicks.note(event);
        self.nick_lists.note(event);
        self.typists.note(event);
        let mut unflushed = lock(&self.unflushed);
        let lost = self.audience.show(event, &mut unflushed);
        drop(unflushed);
        for consequence in Consequence::of(event, lost) {
            // It fails only when the server ends; then nothing needs to follow.
            let _ = self.consequences.send(consequence);
        }
        if let Event::ChatCreated(chat) = event
            && let Some(announced) = self.announcements.announce(chat)
        {
            self.show(&announced);
        }
    }

    /// Shows that somebody has come into a room or left it. In a large room that is gathered for a
    /// second.
    pub fn show_moved(self: &Arc<Self>, moved: Moved) {
        // Until it is shown, so that the counts come in order.
        let mut crowds = lock(&self.crowds);
        match crowds.note(moved) {
            Telling::Now(event) => self.show(&event),
            Telling::After(chat_id) => {
                let carrier = self.clone();
                tokio::spawn(async move {
                    tokio::time::sleep(crowds::EVERY).await;
                    carrier.show_crowd(chat_id);
                    carrier.flush();
                });
            }
            Telling::With => {}
        }
    }

    fn show_crowd(&self, chat_id: ChatId) {
        let mut crowds = lock(&self.crowds);
        if let Some(event) = crowds.take(chat_id) {
            self.show(&event);
        }
    }

    /// Sends what has been shown.
    pub fn flush(&self) {
        // One at a time: what others have begun to send counts as sent when it is.
        let mut flushing = lock(&self.flushing);
        mem::swap(&mut *flushing, &mut *lock(&self.unflushed));
        flushing.flush();
    }

    /// Sends what has been shown, as [`flush`](Carrier::flush) does, when all that was committed
    /// here up to this number has been shown. The first of it was committed at `since`.
    pub fn flush_own(&self, number: u64, since: Instant) {
        self.flush();
        self.shown.send_replace(number);
        metrics::histogram!("chinwag_delivery_seconds").record(since.elapsed());
    }

    /// Waits until what was committed here up to this number has been shown.
    pub async fn shown(&self, number: u64) {
        // It fails when there is no sender; this is one.
        let _ = self.shown.subscribe().wait_for(|shown| *shown >= number).await;
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A panic leaves these whole.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
