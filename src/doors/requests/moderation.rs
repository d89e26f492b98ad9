//! `mute-member`, `unmute-member`, `ban-member`, `unban-member`, `list-bans`, `report-message`

use schemars::JsonSchema;
use serde::Serialize;

use super::fields::{Id, request};
use super::members::ListMembers;
use super::named::NamedMember;
use super::pages::Limit;
use super::views::OfId;
use super::views::people::{MemberView, OfMember, PersonView};
use super::{Answer, Answered, Call, Nothing};
use crate::clock::Time;
use crate::model::{Ban, ChatId, MessageId, Reason, UserId};

request! {
    /// A user who is kept from something in a chat.
    Restriction {
        /// The chat.
        chat: Id<ChatId>,
        /// The user.
        user: Id<UserId>,
        /// Until when; without it, for good.
        until: Option<Time>,
    }

    /// A message to report.
    ReportMessage {
        /// The chat that the message is in.
        chat: Id<ChatId>,
        /// The message.
        message: Id<MessageId>,
        /// Why.
        reason: Option<Reason>,
    }
}

pub async fn mute_member(call: Call<'_>, asked: Restriction) -> Answered<OfMember<'_>> {
    let actor = call.actor().await?;
    let member = call.app.mute_member(&actor, asked.chat.id, &asked.user.id, asked.until).await?;
    Answer::new(&OfMember { member: MemberView::from(&member) })
}

pub async fn unmute_member(call: Call<'_>, asked: NamedMember) -> Answered<OfMember<'_>> {
    let actor = call.actor().await?;
    let member = call.app.unmute_member(&actor, asked.chat.id, &asked.user.id).await?;
    Answer::new(&OfMember { member: MemberView::from(&member) })
}

pub async fn ban_member(call: Call<'_>, asked: Restriction) -> Answered<Banned<'_>> {
    let Restriction { chat, user, until } = asked;
    let actor = call.actor().await?;
    let ban = call.app.ban_member(&actor, chat.id, user.id, until).await?;
    answer(&ban, true)
}

pub async fn unban_member(call: Call<'_>, asked: NamedMember) -> Answered<Banned<'_>> {
    let actor = call.actor().await?;
    let ban = call.app.unban_member(&actor, asked.chat.id, &asked.user.id).await?;
    answer(&ban, false)
}

pub async fn list_bans(call: Call<'_>, asked: ListMembers) -> Answered<BansView<'_>> {
    let ListMembers { chat, limit, after } = asked;
    let limit = Limit::of(limit, call.app.limits());
    let actor = call.actor().await?;
    let page = call.app.list_bans(&actor, chat.id, after, limit).await?;
    Answer::new(&BansView {
        bans: page.bans.iter().map(BanView::from).collect(),
        next: page.next.as_ref(),
    })
}

pub async fn report_message(call: Call<'_>, asked: ReportMessage) -> Answered<Nothing> {
    let ReportMessage { chat, message, reason } = asked;
    let actor = call.actor().await?;
    call.app.report_message(&actor, chat.id, message.id, reason).await?;
    Answer::new(&Nothing {})
}

/// Whether a user may enter a chat.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Banned")]
pub struct Banned<'a> {
    /// The user.
    member: BannedView<'a>,
}

/// A user who is banned from a chat, or is so no longer.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "BannedMember")]
struct BannedView<'a> {
    /// Who it is.
    user: PersonView<'a>,
    /// True for a user who is banned.
    #[serde(skip_serializing_if = "Option::is_none")]
    banned: Option<bool>,
    /// Until when; absent if for good.
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<Time>,
}

fn answer(ban: &Ban, banned: bool) -> Answered<Banned<'_>> {
    let member = BannedView {
        user: PersonView::from(&ban.user),
        banned: banned.then_some(true),
        until: ban.until.filter(|_| banned),
    };
    Answer::new(&Banned { member })
}

/// A page of the users who are banned from a chat.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Bans")]
pub struct BansView<'a> {
    /// The bans, by the ids of their users.
    bans: Vec<BanView<'a>>,
    /// Give it back as `after` for the page that follows; absent on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<&'a UserId>,
}

/// A ban from a chat.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Ban")]
struct BanView<'a> {
    /// Who is banned.
    user: PersonView<'a>,
    /// Until when; absent if for good.
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<Time>,
    /// The moderator.
    by: OfId<&'a UserId>,
    /// Since when.
    created_at: Time,
}

impl<'a> From<&'a Ban> for BanView<'a> {
    fn from(ban: &'a Ban) -> Self {
        BanView {
            user: PersonView::from(&ban.user),
            until: ban.until,
            by: OfId { id: &ban.by },
            created_at: ban.created_at,
        }
    }
}
