//! An event on its way to the recipients: each door renders it once.

use std::any::{Any, TypeId};
use std::cell::RefCell;

use crate::model::Event;

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
    /// What each door has rendered, by the type of its frames; none if it shows nothing.
    frames: RefCell<Vec<(TypeId, Box<dyn Any>)>>,
}

impl<'a> Shown<'a> {
    pub(super) fn new(event: &'a Event, way: Way) -> Shown<'a> {
        Shown { event, way, frames: RefCell::default() }
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
