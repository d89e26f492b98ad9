//! Users as others see them, as they go over the wire.

use schemars::JsonSchema;
use serde::Serialize;

use super::OfId;
use crate::clock::Time;
use crate::domain::{Blocked, Members, People};
use crate::model::{ChatId, Data, Handle, ListedMember, Name, Person, Photo, Role, UserId};

/// A user, as others see them.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Person")]
pub struct PersonView<'a> {
    /// The user's id.
    id: &'a UserId,
    /// A unique name, if the user has one.
    handle: &'a Option<Handle>,
    /// The name that others see.
    name: &'a Name,
    /// A picture, as a URL or a data URL; empty if there is none.
    photo: &'a Photo,
    /// A JSON object of the user; absent if it is empty.
    #[serde(skip_serializing_if = "Option::is_none")]
    data: &'a Option<Data>,
    /// Whether a connection acts as the user.
    online: bool,
    /// Until when the user was online, or now; absent before the first time.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_seen: Option<Time>,
}

impl<'a> From<&'a Person> for PersonView<'a> {
    fn from(person: &'a Person) -> Self {
        let Person { id, handle, name, photo, data, online, last_seen } = person;
        PersonView { id, handle, name, photo, data, online: *online, last_seen: *last_seen }
    }
}

/// A user, as others see them.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "OfPerson")]
pub struct OfPerson<'a> {
    /// The user.
    user: PersonView<'a>,
}

impl<'a> From<&'a Person> for OfPerson<'a> {
    fn from(person: &'a Person) -> Self {
        OfPerson { user: person.into() }
    }
}

/// Users who were found.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "People")]
pub struct PeopleView<'a> {
    /// The users.
    users: Vec<PersonView<'a>>,
    /// True if there are others: name those that are missing, or a longer text.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    more: bool,
}

impl<'a> From<&'a People> for PeopleView<'a> {
    fn from(people: &'a People) -> Self {
        PeopleView { users: people.users.iter().map(PersonView::from).collect(), more: people.more }
    }
}

/// A page of the users you have blocked.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "BlockedUsers")]
pub struct BlockedView<'a> {
    /// The users, by their ids.
    users: Vec<PersonView<'a>>,
    /// Give it back as `after` for the page that follows; absent on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<&'a UserId>,
}

impl<'a> From<&'a Blocked> for BlockedView<'a> {
    fn from(page: &'a Blocked) -> Self {
        let users = page.users.iter().map(PersonView::from).collect();
        BlockedView { users, next: page.next.as_ref() }
    }
}

/// A page of a chat's members.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Members")]
pub struct MembersView<'a> {
    /// The members, by their ids.
    members: Vec<MemberView<'a>>,
    /// Give it back as `after` for the page that follows; absent on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<&'a UserId>,
}

/// A member of a chat.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Member")]
pub struct MemberView<'a> {
    /// Who it is.
    user: PersonView<'a>,
    /// What the member may do.
    #[schemars(with = "Role")]
    role: &'static str,
    /// Since when.
    joined_at: Time,
    /// The `seq` of the last message that the member has read.
    read_seq: i64,
    /// True if a moderator keeps the member from sending; otherwise absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    muted: Option<bool>,
    /// Until when the member is muted; absent if for good.
    #[serde(skip_serializing_if = "Option::is_none")]
    muted_until: Option<Time>,
}

impl<'a> From<&'a ListedMember> for MemberView<'a> {
    fn from(member: &'a ListedMember) -> Self {
        MemberView {
            user: PersonView::from(&member.user),
            role: member.role.as_str(),
            joined_at: member.joined_at,
            read_seq: member.read_seq,
            muted: member.muted.then_some(true),
            muted_until: member.muted_until,
        }
    }
}

impl<'a> From<&'a Members> for MembersView<'a> {
    fn from(page: &'a Members) -> Self {
        let members = page.members.iter().map(MemberView::from).collect();
        MembersView { members, next: page.next.as_ref() }
    }
}

/// A member of a chat.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "OfMember")]
pub struct OfMember<'a> {
    /// The member.
    pub member: MemberView<'a>,
}

/// A member who has another role, or is muted, or is so no longer.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "MemberChanged")]
pub struct MemberChangedView<'a> {
    /// The chat.
    chat: OfId<ChatId>,
    /// The member as they are now.
    member: MemberView<'a>,
}

impl<'a> MemberChangedView<'a> {
    pub fn new(chat_id: ChatId, member: &'a ListedMember) -> Self {
        MemberChangedView { chat: OfId { id: chat_id }, member: MemberView::from(member) }
    }
}

/// A user who has come or gone.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Presence")]
pub struct PresenceView<'a> {
    /// The user.
    user: OfId<&'a UserId>,
    /// Whether a connection acts as the user.
    online: bool,
    /// When the last connection went, or now.
    last_seen: Time,
}

/// A user by their id.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "OfUserId")]
pub struct OfUserId<'a> {
    /// The user.
    pub user: OfId<&'a UserId>,
}

impl<'a> PresenceView<'a> {
    pub fn new(user_id: &'a UserId, online: bool, last_seen: Time) -> Self {
        PresenceView { user: OfId { id: user_id }, online, last_seen }
    }
}
