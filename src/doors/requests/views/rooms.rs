//! Rooms and the system channel, as they go over the wire.

use schemars::JsonSchema;
use serde::Serialize;

use super::OfId;
use super::chats::AnnouncedChat;
use crate::domain::Room;
use crate::doors::requests::fields::{SYSTEM, channel_name};
use crate::model::{Chat, ChatId, Profile, UserId};

/// A new public chat, as the system channel tells of it.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Announcement")]
pub struct Announcement<'a> {
    /// `system`
    channel: &'static str,
    /// `chatroom`
    request_type: &'static str,
    /// The chat.
    room: AnnouncedChat<'a>,
    /// How many before it have not been told of; absent if none.
    #[serde(skip_serializing_if = "Option::is_none")]
    missed: Option<u64>,
}

impl<'a> Announcement<'a> {
    pub fn new(chat: &'a Chat, missed: u64) -> Self {
        let room = AnnouncedChat::from(chat);
        let missed = (missed > 0).then_some(missed);
        Announcement { channel: SYSTEM, request_type: "chatroom", room, missed }
    }
}

/// A channel, and for a room its participants.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Channel")]
pub struct ChannelView {
    /// `room-` and the id of a chat, or `system`.
    pub channel: String,
    #[serde(flatten)]
    pub room: Option<RoomView>,
}

/// Who is in a room.
#[derive(Serialize, JsonSchema)]
pub struct RoomView {
    /// How many users are in the room now.
    participants: usize,
    /// Who they are; at most 1,000.
    users: Vec<Profile>,
}

impl From<Room> for RoomView {
    fn from(room: Room) -> Self {
        RoomView { participants: room.participants, users: room.users }
    }
}

/// A user who has come into a room or left it.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Participant")]
pub struct ParticipantView<'a> {
    /// `room-` and the id of the chat.
    channel: String,
    /// The same.
    room: String,
    /// Who it is.
    user: &'a Profile,
    /// How many users are in the room now.
    participants: usize,
}

impl<'a> ParticipantView<'a> {
    pub fn new(chat_id: ChatId, user: &'a Profile, participants: usize) -> Self {
        ParticipantView {
            channel: channel_name(chat_id),
            room: channel_name(chat_id),
            user,
            participants,
        }
    }
}

/// Users who have come into a large room, and who have left it.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Participants")]
pub struct ParticipantsView<'a> {
    /// `room-` and the id of the chat.
    channel: String,
    /// The same.
    room: String,
    /// How many users are in the room now.
    participants: usize,
    /// Who has come since the last push; at most 50.
    joined: &'a [Profile],
    /// Who has left since the last push; at most 50.
    left: Vec<OfId<&'a UserId>>,
    /// True if there are others; otherwise absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    more: Option<bool>,
}

impl<'a> ParticipantsView<'a> {
    pub fn new(
        chat_id: ChatId,
        participants: usize,
        joined: &'a [Profile],
        left: &'a [UserId],
        more: bool,
    ) -> Self {
        let (channel, room) = (channel_name(chat_id), channel_name(chat_id));
        let left = left.iter().map(|id| OfId { id }).collect();
        let more = more.then_some(true);
        ParticipantsView { channel, room, participants, joined, left, more }
    }
}
