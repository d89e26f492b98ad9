//! Users as others see them, as they go over the wire.

use serde::Serialize;

use super::views::OfId;
use crate::clock::Time;
use crate::domain::{Blocked, Members, People};
use crate::model::{ChatId, Data, Handle, ListedMember, Name, Person, Photo, UserId};

#[derive(Serialize)]
pub struct PersonView<'a> {
    id: &'a UserId,
    handle: &'a Option<Handle>,
    name: &'a Name,
    photo: &'a Photo,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: &'a Option<Data>,
    online: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_seen: Option<Time>,
}

impl<'a> From<&'a Person> for PersonView<'a> {
    fn from(person: &'a Person) -> Self {
        let Person { id, handle, name, photo, data, online, last_seen } = person;
        PersonView { id, handle, name, photo, data, online: *online, last_seen: *last_seen }
    }
}

/// `{user}`
#[derive(Serialize)]
pub struct OfPerson<'a> {
    user: PersonView<'a>,
}

impl<'a> From<&'a Person> for OfPerson<'a> {
    fn from(person: &'a Person) -> Self {
        OfPerson { user: person.into() }
    }
}

/// `{users}`, and whether there are others.
#[derive(Serialize)]
pub struct PeopleView<'a> {
    users: Vec<PersonView<'a>>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    more: bool,
}

impl<'a> From<&'a People> for PeopleView<'a> {
    fn from(people: &'a People) -> Self {
        PeopleView { users: people.users.iter().map(PersonView::from).collect(), more: people.more }
    }
}

/// `{users, next?}`
#[derive(Serialize)]
pub struct BlockedView<'a> {
    users: Vec<PersonView<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<&'a UserId>,
}

impl<'a> From<&'a Blocked> for BlockedView<'a> {
    fn from(page: &'a Blocked) -> Self {
        let users = page.users.iter().map(PersonView::from).collect();
        BlockedView { users, next: page.next.as_ref() }
    }
}

/// `{members, next?}`
#[derive(Serialize)]
pub struct MembersView<'a> {
    members: Vec<MemberView<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<&'a UserId>,
}

#[derive(Serialize)]
pub struct MemberView<'a> {
    user: PersonView<'a>,
    role: &'static str,
    joined_at: Time,
    read_seq: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    muted: Option<bool>,
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

/// `{member}`
#[derive(Serialize)]
pub struct OfMember<'a> {
    pub member: MemberView<'a>,
}

/// `{chat:{id}, member}`
#[derive(Serialize)]
pub struct MemberChangedView<'a> {
    chat: OfId<ChatId>,
    member: MemberView<'a>,
}

impl<'a> MemberChangedView<'a> {
    pub fn new(chat_id: ChatId, member: &'a ListedMember) -> Self {
        MemberChangedView { chat: OfId { id: chat_id }, member: MemberView::from(member) }
    }
}

/// `{user:{id}, online, last_seen}`
#[derive(Serialize)]
pub struct PresenceView<'a> {
    user: OfId<&'a UserId>,
    online: bool,
    last_seen: Time,
}

/// `{user:{id}}`
#[derive(Serialize)]
pub struct OfUserId<'a> {
    pub user: OfId<&'a UserId>,
}

impl<'a> PresenceView<'a> {
    pub fn new(user_id: &'a UserId, online: bool, last_seen: Time) -> Self {
        PresenceView { user: OfId { id: user_id }, online, last_seen }
    }
}
