//! What the connections of the channels are shown of each event.

use tokio_tungstenite::tungstenite::Utf8Bytes;

use super::frames;
use crate::domain::Way;
use crate::model::{ChatKind, Event, Posted};

/// A push of this door, as a frame.
#[derive(Clone)]
pub struct Push(pub Utf8Bytes);

/// What connections that hear of an event in this way are pushed; `None` if nothing.
pub fn show(event: &Event, way: Way) -> Option<Push> {
    let frame = match (event, way) {
        (Event::MessageSent(Posted { message, author, chat_kind, .. }), Way::Room) => {
            match chat_kind {
                ChatKind::Channel(channel) => {
                    frames::message(channel, &message.plain_text(), author)
                }
                ChatKind::Chat | ChatKind::Direct { .. } => return None,
            }
        }
        (Event::NickConnected { nick, .. }, Way::Everyone) => frames::of_nick(frames::LOG_IN, nick),
        // The connection that has taken another nick is told, too.
        (Event::NickGone { nick, .. }, Way::Everyone) => frames::of_nick(frames::LOG_OUT, nick),
        (Event::ChannelJoined { channel, nick, .. }, Way::Room) => {
            frames::of_channel(frames::JOIN, channel, nick)
        }
        (Event::ChannelLeft { channel, nick, .. }, Way::Room) => {
            frames::of_channel(frames::LEAVE, channel, nick)
        }
        _ => return None,
    };
    Some(Push(frame))
}
