//! What mirrors owe of a stream: events that it has passed over, as this node did not follow it
//! when they were committed, and that are for clients which were here already. These hear of them
//! as users, not by the stream: as one of the two of a direct chat, say, or because they have just
//! become members.
//!
//! An event says which mirrors tell of it, and what they owe is shown first. Before an event of
//! which no mirror tells, nobody knows which mirrors owe something; that is rare, as the follower
//! reads users' streams before others.

use std::collections::BTreeMap;

use super::follower::{AtWork, PAGE};
use crate::model::{Event, Position, Stream};
use crate::store::StoredEvent;

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
        let names = Vec::from_iter(unsettled.keys().cloned());
        let mut owed = BTreeMap::new();
        for last in self.fetch(|reader| reader.list_last_numbers(&names)).await {
            let Position { stream: mirror, number: last } = last;
            let mut next = unsettled.get(&mirror).copied().unwrap_or(last + 1);
            while next <= last
                && let told = self.fetch(|it| it.list_events(&mirror, next, PAGE as i64)).await
                && let Some(end) = told.last()
            {
                next = end.position.number + 1;
                for StoredEvent { home: at, event, .. } in told {
                    if let (Some(at), Some(event)) = (at, event)
                        && at.stream == home.stream
                        && at.number < home.number
                    {
                        owed.insert(at.number, event);
                    }
                }
            }
        }
        for (number, event) in owed {
            if self.shared.take_at_home(&Position { stream: home.stream.clone(), number }) {
                self.carrier.show(&event);
            }
        }
    }
}
