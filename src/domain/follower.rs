//! Takes what all nodes commit, stream by stream, and shows it to this node's clients.
//!
//! What it promises: each event of a stream that this node follows is shown once, in the order of
//! the numbers. What this node commits is shown at once, with or without Redis; if others have
//! committed something before it that has not been heard of, that is fetched from the store and
//! shown first. The store forgets events after an hour. What this node has missed by then is lost
//! to its clients until they ask; the log says so.
//!
//! An event stands in its home stream, and mirrors may tell of it. Whichever of these tells of it
//! first has it shown, but not before its turn in the home stream, if this node follows that. What
//! the home stream has passed over, as it was not followed, comes by the mirrors: before an event
//! of which they tell, all that they [owe](super::owed) is shown.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use tokio::time::MissedTickBehavior;

use super::carrier::{AT_ONCE, Carrier};
use super::listening::Listeners;
use crate::cluster::{Heard, Hearing, Packet, Shared, Waiter};
use crate::error::Error;
use crate::model::{Committed, Event, Kept, Position, Stream};
use crate::store::{EventReader, StoredEvent};

/// How long to wait until Redis has subscribed this node to a stream.
const SUBSCRIBE_TIMEOUT: Duration = Duration::from_millis(200);
/// How many events one look at the store brings, and how many streams it asks for.
pub(super) const PAGE: usize = 1000;
/// The pause before the store is asked again.
const RETRY: Duration = Duration::from_millis(200);
/// How often the store is asked for missed events, even if nothing seems to be missing.
const LOOK_EVERY: Duration = Duration::from_secs(10);
/// How often unfollowed streams are forgotten.
const FORGET_EVERY: Duration = Duration::from_secs(30);

/// Tasks that wait until this node is subscribed to streams.
struct Waiting {
    waiters: Vec<Waiter>,
    streams: Vec<Stream>,
    since: Instant,
}

pub(super) struct Follower {
    pub reader: EventReader,
    pub shared: Arc<Shared>,
    pub hearing: Hearing,
    pub waiters: mpsc::Receiver<Waiter>,
}

/// A follower at work.
pub(super) struct AtWork {
    pub carrier: Arc<Carrier>,
    reader: EventReader,
    pub shared: Arc<Shared>,
    listeners: Listeners,
}

impl Follower {
    /// Carries what all nodes commit, until the store is closed.
    pub async fn run(
        self,
        carrier: Arc<Carrier>,
        mut committed: mpsc::Receiver<Committed>,
        listeners: Listeners,
    ) {
        let Follower { reader, shared, mut hearing, mut waiters } = self;
        let follower = AtWork { carrier, reader, shared, listeners };
        let mut forget = tokio::time::interval(FORGET_EVERY);
        let mut look = tokio::time::interval(LOOK_EVERY);
        let (mut check_waiting, mut waiting) =
            (tokio::time::interval(SUBSCRIBE_TIMEOUT), Vec::new());
        for interval in [&mut forget, &mut look, &mut check_waiting] {
            interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
        }
        loop {
            tokio::select! {
                event = committed.recv() => match event {
                    Some(event) => follower.show_all_own(event, &mut committed).await,
                    None => return,
                },
                Some(heard) = hearing.next() => follower.hear(heard).await,
                Some(waiter) = waiters.recv() => {
                    let mut new = vec![waiter];
                    while let Ok(waiter) = waiters.try_recv() {
                        new.push(waiter);
                    }
                    waiting.extend(follower.position_new(new).await);
                }
                _ = check_waiting.tick(), if !waiting.is_empty() => {}
                _ = forget.tick() => follower.shared.forget(),
                // Finds what a node has committed and not told, because it died, say.
                _ = look.tick() => {
                    let since = Instant::now();
                    follower.catch_up_all().await;
                    // Of what was passed over, this node may still have to show what it has
                    // committed itself.
                    if committed.is_empty() {
                        follower.shared.forget_passed(since);
                    }
                }
            }
            follower.carrier.flush();
            let done = waiting.extract_if(.., |waiting| follower.need_not_wait(waiting));
            // A waiter that is gone needs no answer.
            done.flat_map(|done| done.waiters).for_each(|waiter| drop(waiter.send(Ok(()))));
        }
    }
}

impl AtWork {
    /// Shows what this node has committed, and tells the others; what was committed together is
    /// sent together.
    async fn show_all_own(&self, first: Committed, committed: &mut mpsc::Receiver<Committed>) {
        let (since, mut last) = (first.at, first.number);
        self.show_own(first).await;
        for _ in 1..AT_ONCE {
            let Ok(next) = committed.try_recv() else {
                break;
            };
            last = next.number;
            self.show_own(next).await;
        }
        self.carrier.flush_own(last, since);
    }

    async fn show_own(&self, committed: Committed) {
        let Committed { kept, event, .. } = committed;
        match kept {
            Some(kept) => self.show_kept(kept, &event).await,
            None => self.carrier.show(&event),
        }
        self.listeners.tell(event);
    }

    async fn show_kept(&self, kept: Kept, event: &Event) {
        self.shared.link.publish(&kept);
        for mirror in &kept.mirrors {
            self.is_due(mirror).await;
        }
        self.fill_before(&kept.position).await;
        // Some events make a client follow the stream: those that other streams mirror, and a
        // member's return to a channel.
        let lets_in = !kept.mirrors.is_empty() || matches!(event, Event::ChannelJoined { .. });
        let due = match lets_in {
            true => self.shared.take_at_home(&kept.position),
            false => self.shared.take(&kept.position),
        };
        if due {
            self.carrier.show(event);
        }
    }

    async fn hear(&self, heard: Heard) {
        match heard {
            Heard::Packet(packet) => self.hear_packet(packet).await,
            Heard::Moved(moved) => self.carrier.show_moved(moved),
            Heard::Told(event) => self.carrier.show(&event),
            Heard::Subscribed(streams) => {
                self.shared.note_subscribed(&streams);
                self.catch_up(streams).await;
            }
            Heard::Missed => self.catch_up_all().await,
        }
    }

    async fn hear_packet(&self, packet: Packet) {
        let event = packet.event();
        let Packet { position, home, .. } = packet;
        match event {
            Ok(Some(event)) => {
                if self.is_due(&position).await {
                    self.show_due(position, home, event).await;
                }
            }
            // There is a packet for each mirror: the event is fetched once.
            Ok(None) if home.is_some_and(|home| self.shared.leave_to_home(&home)) => {
                self.is_due(&position).await;
            }
            // An event that is not understood is passed over there.
            Ok(None) | Err(_) => self.fill_up_to(&position).await,
        }
    }

    /// Shows what has been missed of all streams.
    async fn catch_up_all(&self) {
        self.catch_up(self.shared.list_followed()).await;
    }

    /// Shows what has been missed of these streams. What users' streams tell comes first: it may
    /// let a user into a chat, who is to be shown what comes next there.
    async fn catch_up(&self, streams: Vec<Stream>) {
        let (users, others): (Vec<_>, Vec<_>) = streams.into_iter().partition(Stream::is_users);
        for streams in users.chunks(PAGE).chain(others.chunks(PAGE)) {
            for last in self.fetch(|reader| reader.list_last_numbers(streams)).await {
                self.fill_up_to(&last).await;
            }
        }
    }

    /// Shows what comes before an event in its stream; returns whether the event itself must still
    /// be shown.
    async fn is_due(&self, position: &Position) -> bool {
        self.fill_before(position).await;
        self.shared.take(position)
    }

    async fn fill_before(&self, position: &Position) {
        let number = position.number - 1;
        self.fill_up_to(&Position { stream: position.stream.clone(), number }).await;
    }

    /// Shows what is missing of a stream up to a position.
    async fn fill_up_to(&self, last: &Position) {
        let stream = &last.stream;
        while let Some(next) = self.shared.position_of(stream).filter(|next| *next <= last.number) {
            let limit = (last.number - next + 1).min(PAGE as i64);
            let events = self.fetch(|reader| reader.list_events(stream, next, limit)).await;
            if events.is_empty() && self.reader.is_closed() {
                return;
            }
            metrics::counter!("chinwag_events_fetched_total").increment(events.len() as u64);
            let end = events.last().map_or(last.number, |event| event.position.number) + 1;
            let missing = end - next - events.len() as i64;
            if missing > 0 {
                tracing::warn!(%stream, missing, "events of other nodes are lost to this one");
            }
            for StoredEvent { position, home, event } in events {
                // An event that its home stream has forgotten was of a chat that nobody here has
                // followed.
                if let (true, Some(event)) = (self.shared.take(&position), event) {
                    self.show_due(position, home, event).await;
                }
            }
            self.shared.skip_to(stream, end);
        }
    }

    /// Shows an event that is due in a stream. If that is a mirror, the event is shown unless its
    /// home stream has shown it, or will.
    async fn show_due(&self, position: Position, home: Option<Position>, event: Event) {
        if home.as_ref().is_some_and(|home| !self.shared.take_at_home(home)) {
            return;
        }
        let Position { stream: by, number } = position;
        let home = home.unwrap_or(Position { stream: by.clone(), number });
        self.show_owed(&home, &event, &by).await;
        self.carrier.show(&event);
    }

    /// Finds the latest number of the streams that this node has begun to follow. If that fails,
    /// the waiters are answered with the error.
    async fn position_new(&self, waiters: Vec<Waiter>) -> Option<Waiting> {
        let streams = self.shared.take_new();
        for page in streams.chunks(PAGE) {
            match self.reader.list_last_numbers(page).await {
                Ok(last) => {
                    last.iter().for_each(|last| self.shared.start_after(&last.stream, last.number));
                    // The others have no event yet.
                    page.iter().for_each(|stream| self.shared.start_after(stream, 0));
                }
                Err(error) => {
                    self.shared.put_back_new(streams);
                    waiters.into_iter().for_each(|it| drop(it.send(Err(error.clone()))));
                    return None;
                }
            }
        }
        Some(Waiting { waiters, streams, since: Instant::now() })
    }

    /// Whether the waiters may go on: this node is subscribed to the streams, so that events which
    /// are not stored come, too, or Redis has taken too long.
    fn need_not_wait(&self, waiting: &Waiting) -> bool {
        self.shared.are_subscribed(&waiting.streams) || waiting.since.elapsed() >= SUBSCRIBE_TIMEOUT
    }

    /// Asks the store until it answers, or is closed.
    pub async fn fetch<'a, T, F: Future<Output = Result<Vec<T>, Error>>>(
        &'a self,
        read: impl Fn(&'a EventReader) -> F,
    ) -> Vec<T> {
        // What has been shown so far need not wait for the store.
        self.carrier.flush();
        loop {
            match read(&self.reader).await {
                Ok(found) => return found,
                Err(_) if self.reader.is_closed() => return Vec::new(),
                Err(error) => {
                    error.warn("events of other nodes were not read");
                    tokio::time::sleep(RETRY).await;
                }
            }
        }
    }
}
