//! What mirrors owe of a stream: events that it has passed over, as this node did not follow it
//! when they were committed, and that are for clients which were here already. These hear of them
//! as users, not by the stream: as one of the two of a direct chat, say, or because they have just
//! become members.
//!
//! An event says which mirrors tell of it, and what they owe is shown first. Before an event of
//! which no mirror tells, nobody knows which mirrors owe something; that is rare, as the follower
//! reads users' streams before others.

use super::follower::AtWork;
use crate::model::{Event, Position, Stream};
use crate::store::StoredEvent;

/// How many events that are owed are read at once.
const PAGE: i64 = 32;

impl AtWork {
    /// Shows what the mirrors of an event still have to tell of its home stream from before it. The
    /// one `by` which the event has come has told of that already.
    pub async fn show_owed(&self, home: &Position, event: &Event, by: &Stream) {
        let mut mirrors = event.route().mirrors;
        mirrors.retain(|mirror| mirror != by);
        let unsettled = self.shared.take_unsettled(&home.stream, mirrors);
        if unsettled.is_empty() {
            return;
        }
        let mut after = 0;
        loop {
            let owed = self.fetch(|it| it.list_owed(&unsettled, home, after, PAGE)).await;
            let Some(last) = owed.last() else { return };
            after = last.position.number;
            for StoredEvent { position, event, .. } in owed {
                if let Some(event) = event
                    && self.shared.take_at_home(&position)
                {
                    self.carrier.show(&event);
                }
            }
        }
    }
}
