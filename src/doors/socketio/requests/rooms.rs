//! `subscribe`, `unsubscribe`: being in a room, and hearing of the system.

use super::Call;
use crate::domain::Room;
use crate::doors::socketio::packets::Answer;
use crate::doors::socketio::views::{ChannelView, RoomView, SYSTEM, channel_name};
use crate::error::Error;
use crate::model::{ChatId, Problem, parse_id};

enum Channel {
    System,
    Room(ChatId),
}

pub async fn subscribe(call: Call<'_>) -> Result<Answer, Error> {
    let channel = call.channel()?;
    let viewer = call.viewer().await?;
    let (rooms, id) = (call.session.rooms(), call.session.id);
    let Channel::Room(chat_id) = channel else {
        rooms.set_system(id, true);
        return system_answer();
    };
    let _following = call.app.follow_chat(&viewer, chat_id).await.map_err(at_channel)?;
    let see = || call.app.see_room(&viewer, chat_id);
    let max_rooms = call.app.limits().max_socket_rooms;
    let visitor = rooms.subscribe(id, chat_id, viewer.user_id(), max_rooms, see).await;
    let visitor = visitor.map_err(at_channel)?;
    let entered = match call.app.enter_room(visitor, id).await {
        Ok(entered) => entered,
        Err(error) => {
            rooms.unsubscribe(id, chat_id);
            return Err(at_channel(error));
        }
    };
    // It may have disconnected, or lost the right, before the domain knew it to be in the room.
    if !rooms.is_subscribed(id, chat_id) {
        call.app.leave_room(id, chat_id, || rooms.is_subscribed(id, chat_id)).await;
        return Err(at_channel(Error::no_chat()));
    }
    room_answer(chat_id, entered)
}

pub async fn unsubscribe(call: Call<'_>) -> Result<Answer, Error> {
    let channel = call.channel()?;
    let viewer = call.viewer().await?;
    let (rooms, id) = (call.session.rooms(), call.session.id);
    let conflict = Error::conflict("channel", "is not subscribed to");
    let Channel::Room(chat_id) = channel else {
        return if rooms.set_system(id, false) { system_answer() } else { Err(conflict) };
    };
    if !rooms.unsubscribe(id, chat_id) {
        // What they may not see does not exist for them.
        call.app.see_room(&viewer, chat_id).await.map_err(at_channel)?;
        return Err(conflict);
    }
    call.app.leave_room(id, chat_id, || false).await;
    let left = call.app.look_back(chat_id).await;
    room_answer(chat_id, left)
}

fn room_answer(chat_id: ChatId, room: Room) -> Result<Answer, Error> {
    let room = Some(RoomView::from(room));
    Answer::new(&ChannelView { channel: channel_name(chat_id), room })
}

fn system_answer() -> Result<Answer, Error> {
    Answer::new(&ChannelView { channel: SYSTEM.to_owned(), room: None })
}

/// A chat is named by its channel here.
fn at_channel(error: Error) -> Error {
    match error {
        Error::NotFound { why, .. } => Error::NotFound { field: "channel", why },
        error => error,
    }
}

impl Call<'_> {
    fn channel(&self) -> Result<Channel, Error> {
        self.body.text("channel", |text, limits| match text.strip_prefix("room-") {
            Some(id) => parse_id(id, limits).map(Channel::Room),
            None if text == SYSTEM => Ok(Channel::System),
            None => Err(Problem::Invalid("must be system, or room- and the id of a chat")),
        })
    }
}
