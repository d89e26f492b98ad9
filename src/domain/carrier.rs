//! Carries events to the doors: what this node commits, and what the others do.
//!
//! What it promises, with other nodes: the events of a stream that is followed come to the doors
//! once each and in the order of their numbers. What is committed here comes at once, whatever has
//! become of Redis; if others have committed something before it that has not been heard of, that
//! is fetched from the store first.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tokio::sync::{mpsc, oneshot};
use tokio::time::MissedTickBehavior;
use uuid::Uuid;

use super::leases::Leases;
use super::streams::{Shared, Streams, Turn};
use crate::bus::{Bus, Heard, Link, Redis, Said};
use crate::error::Error;
use crate::model::{ChatId, Event, Kept, Position, Profile, Published, Stream};
use crate::store::{KeptEvent, Reading, Store};

/// How many events one look at the store brings, and how many streams it asks for.
const PAGE: usize = 1000;
/// The pause before the store is asked again.
const RETRY: Duration = Duration::from_millis(200);
/// How often streams are forgotten that nobody attends.
const TIDY: Duration = Duration::from_secs(30);
/// Larger events are not sent to those who follow another stream: they fetch them.
const MAX_MIRRORED: usize = 16 << 10;

/// An event as it goes from node to node.
#[derive(Serialize, Deserialize)]
struct Packet<'a> {
    node: Uuid,
    stream: String,
    /// Its place in the stream; none for what is not kept.
    number: Option<i64>,
    /// Where it stands itself, if that is another stream.
    home: Option<(String, i64)>,
    #[serde(borrow)]
    event: Option<&'a RawValue>,
}

/// Hands on to the doors what this node commits, until the store is closed.
pub(super) struct Carrier {
    pub bus: Arc<Bus>,
    pub leases: Leases,
    /// What is committed here.
    pub committed: mpsc::Receiver<Published>,
    pub cluster: Option<Cluster>,
}

/// What a carrier needs where there are other nodes.
pub(super) struct Cluster {
    pub node: Uuid,
    pub reading: Reading,
    pub shared: Arc<Shared>,
    pub heard: mpsc::Receiver<Heard>,
    /// Who waits until what they attend is followed.
    pub asked: mpsc::Receiver<oneshot::Sender<Result<(), Error>>>,
}

impl Carrier {
    pub async fn run(mut self) {
        match self.cluster.take() {
            Some(cluster) => self.run_in(cluster).await,
            None => {
                while let Some(published) = self.committed.recv().await {
                    self.show(published).await;
                }
            }
        }
    }

    async fn run_in(mut self, mut cluster: Cluster) {
        let mut tidy = tokio::time::interval(TIDY);
        tidy.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                published = self.committed.recv() => match published {
                    Some(published) => self.show_own(&cluster, published).await,
                    None => return,
                },
                Some(heard) = cluster.heard.recv() => self.hear(&cluster, heard).await,
                Some(asker) = cluster.asked.recv() => {
                    let mut askers = vec![asker];
                    while let Ok(asker) = cluster.asked.try_recv() {
                        askers.push(asker);
                    }
                    let settled = settle(&cluster).await;
                    // An asker that is gone needs no answer.
                    askers.into_iter().for_each(|asker| drop(asker.send(settled.clone())));
                }
                _ = tidy.tick() => cluster.shared.forget(),
            }
        }
    }

    /// Shows an event to the doors. A token that it ends has no connections after it.
    async fn show(&self, published: Published) {
        if let Some(Event::TokenEnded { access_key_id, .. }) = &published.event {
            self.leases.end(access_key_id);
        }
        self.bus.publish(published).await;
    }

    /// Shows what this node has committed, and tells the others.
    async fn show_own(&self, cluster: &Cluster, published: Published) {
        let Published { number, kept, event } = published;
        let Some(kept) = kept else {
            return self.show(Published { number, kept: None, event }).await;
        };
        cluster.say(&kept);
        for mirror in &kept.mirrors {
            self.fill(cluster, mirror).await;
            cluster.shared.take(mirror, false);
        }
        self.fill(cluster, &kept.position).await;
        // Who becomes a member by it will attend the chat, from it on.
        let event = match cluster.shared.take(&kept.position, true) {
            Turn::Past => None,
            Turn::Next | Turn::Ahead(_) => event,
        };
        self.show(Published { number, kept: None, event }).await;
    }

    async fn hear(&self, cluster: &Cluster, heard: Heard) {
        match heard {
            Heard::Said(text) => match serde_json::from_str::<Packet>(&text) {
                Ok(packet) if packet.node == cluster.node => {}
                Ok(packet) => self.hear_packet(cluster, packet).await,
                Err(error) => tracing::error!(%error, "another node is not understood"),
            },
            Heard::Tuned(topics) => {
                let streams: Vec<_> = topics.iter().filter_map(|t| Stream::parse(t)).collect();
                self.catch_up(cluster, cluster.shared.list_next(Some(&streams))).await;
            }
            Heard::Missed => self.catch_up(cluster, cluster.shared.list_next(None)).await,
        }
    }

    async fn hear_packet(&self, cluster: &Cluster, packet: Packet<'_>) {
        let Some(stream) = Stream::parse(&packet.stream) else {
            return;
        };
        let Some(number) = packet.number else {
            return self.show_text(packet.event.map(RawValue::get)).await;
        };
        let position = Position { stream, number };
        self.fill(cluster, &position).await;
        let Some(event) = packet.event else {
            let next = Position { number: number + 1, ..position };
            return self.fill(cluster, &next).await;
        };
        if cluster.shared.take(&position, false) != Turn::Past {
            self.show_at_home(cluster, packet.home, event.get()).await;
        }
    }

    /// Shows what stands in these streams from these numbers on.
    async fn catch_up(&self, cluster: &Cluster, streams: Vec<(Stream, i64)>) {
        for streams in streams.chunks(PAGE) {
            let names: Vec<_> = streams.iter().map(|(stream, _)| stream.clone()).collect();
            let last = cluster.fetch(|reading| reading.list_last_numbers(&names)).await;
            for (stream, last) in last {
                self.fill(cluster, &Position { stream, number: last + 1 }).await;
            }
        }
    }

    /// Shows what is missing of a stream before a place in it.
    async fn fill(&self, cluster: &Cluster, before: &Position) {
        while let Some((stream, next)) =
            cluster.shared.list_next(Some(std::slice::from_ref(&before.stream))).pop()
        {
            if next >= before.number {
                return;
            }
            let limit = PAGE.min(usize::try_from(before.number - next).unwrap_or(PAGE));
            let from = [(stream.clone(), next)];
            let events = cluster.fetch(|reading| reading.list_events(&from, limit as i64)).await;
            if events.is_empty() && cluster.reading.is_closed() {
                return;
            }
            metrics::counter!("chinwag_events_fetched_total").increment(events.len() as u64);
            let missing = events.first().map_or(before.number, |event| event.number) - next;
            if missing > 0 {
                // They were kept for a while, as `docs/operations.md` says.
                tracing::warn!(%stream, missing, "events of other nodes are lost to this one");
                cluster.shared.skip_to(&Position { stream, number: next + missing });
            }
            for event in events {
                Box::pin(self.show_kept(cluster, event)).await;
            }
        }
    }

    async fn show_kept(&self, cluster: &Cluster, kept: KeptEvent) {
        let Some(stream) = Stream::parse(&kept.stream) else {
            return;
        };
        let position = Position { stream, number: kept.number };
        if cluster.shared.take(&position, false) == Turn::Past {
            return;
        }
        // What has been forgotten was of a chat that nobody here has followed since.
        if let Some(event) = kept.event {
            self.show_at_home(cluster, kept.home_stream.zip(kept.home_number), &event).await;
        }
    }

    /// Shows an event that has its turn in a stream, unless it stands in another, where it may
    /// have been shown, or where others are missing before it.
    async fn show_at_home(&self, cluster: &Cluster, home: Option<(String, i64)>, event: &str) {
        if let Some((stream, number)) = home {
            let Some(stream) = Stream::parse(&stream) else {
                return;
            };
            let home = Position { stream, number };
            self.fill(cluster, &home).await;
            if cluster.shared.take(&home, true) == Turn::Past {
                return;
            }
        }
        self.show_text(Some(event)).await;
    }

    async fn show_text(&self, event: Option<&str>) {
        match event.map(serde_json::from_str).transpose() {
            Ok(event) => self.show(Published { number: None, kept: None, event }).await,
            Err(error) => tracing::error!(%error, "an event of another node is not understood"),
        }
    }
}

impl Cluster {
    /// Makes this a node of the cluster that finds itself in Redis by this id.
    pub fn join(node: Uuid, redis: &Redis, store: &Store) -> (Streams, Cluster) {
        let (link, heard) = Link::start(redis);
        let (shared, asked) = Streams::shared(link);
        let streams = Streams::of(shared.clone());
        (streams, Cluster { node, reading: store.reading(), shared, heard, asked })
    }

    /// Tells the other nodes of an event, by each of its places.
    fn say(&self, kept: &Kept) {
        // It was JSON when it was written.
        let Ok(event) = serde_json::from_str::<&RawValue>(&kept.json) else {
            return;
        };
        let Position { stream, number } = &kept.position;
        let home = Some((stream.to_string(), *number));
        let own = self.packet(&kept.position, None, Some(event));
        let mirrored = Some(event).filter(|event| event.get().len() <= MAX_MIRRORED);
        let mirrors = kept.mirrors.iter().map(|it| self.packet(it, home.clone(), mirrored));
        self.shared.link.say([own].into_iter().chain(mirrors).flatten().collect());
    }

    fn packet(
        &self,
        position: &Position,
        home: Option<(String, i64)>,
        event: Option<&RawValue>,
    ) -> Option<(String, String)> {
        let stream = position.stream.to_string();
        let number = Some(position.number);
        let packet = Packet { node: self.node, stream: stream.clone(), number, home, event };
        Some((stream, serde_json::to_string(&packet).ok()?))
    }

    /// Asks the store until it answers, or is closed.
    async fn fetch<'a, T, F: Future<Output = Result<Vec<T>, Error>>>(
        &'a self,
        read: impl Fn(&'a Reading) -> F,
    ) -> Vec<T> {
        loop {
            match read(&self.reading).await {
                Ok(found) => return found,
                Err(_) if self.reading.is_closed() => return Vec::new(),
                Err(error) => {
                    tracing::warn!(%error, "events of other nodes were not read");
                    tokio::time::sleep(RETRY).await;
                }
            }
        }
    }
}

/// Finds where the streams begin that have come to be attended.
async fn settle(cluster: &Cluster) -> Result<(), Error> {
    let fresh = cluster.shared.take_fresh();
    for streams in fresh.chunks(PAGE) {
        let found = cluster.reading.list_last_numbers(streams).await;
        let last = found.inspect_err(|_| cluster.shared.give_back(fresh.clone()))?;
        last.iter().for_each(|(stream, number)| cluster.shared.begin_after(stream, *number));
        // The others have no event yet.
        streams.iter().for_each(|stream| cluster.shared.begin_after(stream, 0));
    }
    Ok(())
}

/// What the nodes hear of a user's joining a room, around the number of participants.
pub(super) fn said_of_joining(chat_id: ChatId, user: &Profile) -> Said {
    // Texts: nothing in them can fail to serialize.
    let user = serde_json::to_string(user).unwrap_or_default();
    let [before, between, after] = said(chat_id, "participant-joined");
    Said { before: format!("{before}{user}{between}"), after }
}

/// The same of leaving, around the profile and the number of participants.
pub(super) fn said_of_leaving(chat_id: ChatId) -> [String; 3] {
    said(chat_id, "participant-left")
}

/// A [`Packet`] of nobody's in particular, so that all nodes show it when it comes to them.
fn said(chat_id: ChatId, event: &str) -> [String; 3] {
    let (node, stream) = (Uuid::nil(), Stream::Chat(chat_id));
    let before = format!(
        r#"{{"node":"{node}","stream":"{stream}","number":null,"home":null,"event":{{"event":"{event}","data":{{"chat_id":"{chat_id}","user":"#
    );
    [before, r#","participants":"#.to_owned(), "}}}".to_owned()]
}
