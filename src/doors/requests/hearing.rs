//! `subscribe`, `unsubscribe`: puts a socket into a room or on the system channel, and takes it
//! out.

use super::fields::{Channel, SYSTEM, channel_name, request};
use super::views::rooms::{ChannelView, RoomView};
use super::{Answer, Answered, Call};
use crate::domain::Room;
use crate::error::Error;
use crate::model::ChatId;

request! {
    /// A chat's room, or the system channel.
    Subscription {
        /// `room-` and the id of a chat, or `system`.
        channel: Channel,
    }
}

pub async fn subscribe(call: Call<'_>, asked: Subscription) -> Answered<ChannelView> {
    let viewer = call.viewer().await?;
    let (app, id) = (call.app, call.asker.connection().id());
    let Channel::Room(chat_id) = asked.channel else {
        app.set_hears_all(id, true);
        return system_answer();
    };
    room_answer(chat_id, app.subscribe(id, &viewer, chat_id).await.map_err(at_channel)?)
}

pub async fn unsubscribe(call: Call<'_>, asked: Subscription) -> Answered<ChannelView> {
    let viewer = call.viewer().await?;
    let (app, id) = (call.app, call.asker.connection().id());
    let Channel::Room(chat_id) = asked.channel else {
        return match app.set_hears_all(id, false) {
            true => system_answer(),
            false => Err(Error::conflict("channel", "is not subscribed to")),
        };
    };
    room_answer(chat_id, app.unsubscribe(id, &viewer, chat_id).await.map_err(at_channel)?)
}

fn room_answer(chat_id: ChatId, room: Room) -> Answered<ChannelView> {
    let room = Some(RoomView::from(room));
    Answer::new(&ChannelView { channel: channel_name(chat_id), room })
}

fn system_answer() -> Answered<ChannelView> {
    Answer::new(&ChannelView { channel: SYSTEM.to_owned(), room: None })
}

/// Renames the field of an error: here a chat is named by its channel.
fn at_channel(error: Error) -> Error {
    match error {
        Error::NotFound { why, .. } => Error::NotFound { field: "channel", why },
        error => error,
    }
}
