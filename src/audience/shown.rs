//! An event on its way to the recipients: each door renders it once.

use std::any::{Any, TypeId};
use std::cell::RefCell;
use std::sync::Arc;

use super::Recipient;
use crate::model::{ConnectionId, Event};

/// How a connection comes to hear an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// It acts as a member of the chat.
    Member,
    /// It is in the chat's room.
    Room,
    /// It acts as the user that the event is about.
    User,
    /// It watches the user that the event is about, or acts as that user or as one who is to know.
    Watcher,
    /// Everybody hears it.
    Everyone,
}

/// An event as it is shown to all connections that hear it in one way.
pub struct Shown<'a> {
    pub event: &'a Event,
    pub way: Way,
    /// The connection that is not shown it.
    but: Option<ConnectionId>,
    /// What each door has rendered, by the type of its frames; none if it shows nothing.
    frames: RefCell<Vec<(TypeId, Box<dyn Any>)>>,
}

impl<'a> Shown<'a> {
    pub(super) fn new(event: &'a Event, way: Way, but: Option<ConnectionId>) -> Shown<'a> {
        Shown { event, way, but, frames: RefCell::default() }
    }

    /// Shows it to connections; those that must be flushed afterwards are `unflushed`.
    pub(super) fn to<'r>(
        &self,
        recipients: impl Iterator<Item = &'r Arc<dyn Recipient>>,
        unflushed: &mut Vec<Arc<dyn Recipient>>,
    ) {
        let shown = recipients.filter(|it| self.but.is_none_or(|but| it.id() != but));
        unflushed.extend(shown.filter(|it| it.show(self)).cloned());
    }

    /// What a door shows of the event, if anything: `render` makes it for the first recipient, the
    /// others share it.
    pub fn frame<F: Clone + 'static>(
        &self,
        render: impl FnOnce(&Event, Way) -> Option<F>,
    ) -> Option<F> {
        let mut frames = self.frames.borrow_mut();
        let of_door = TypeId::of::<F>();
        let known = frames.iter().find(|(door, _)| *door == of_door);
        if let Some(frame) = known.and_then(|(_, frame)| frame.downcast_ref::<Option<F>>()) {
            return frame.clone();
        }
        let frame = render(self.event, self.way);
        frames.push((of_door, Box::new(frame.clone())));
        frame
    }
}
