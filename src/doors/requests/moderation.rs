//! `ban-member`, `unban-member`, `list-bans`, `report-message`

use serde::Serialize;

use super::people_views::PersonView;
use super::views::OfId;
use super::{Answer, Call, Nothing};
use crate::clock::Time;
use crate::error::Error;
use crate::model::{Ban, Reason, UserId, parse_id};

pub async fn ban_member(call: Call<'_>) -> Result<Answer, Error> {
    let (chat_id, user_id) = (call.chat_id()?, call.other_user()?);
    let until = call.body.optional_time("until")?;
    let actor = call.actor().await?;
    let ban = call.app.ban_member(&actor, chat_id, user_id, until).await?;
    answer(&ban, true)
}

pub async fn unban_member(call: Call<'_>) -> Result<Answer, Error> {
    let (chat_id, user_id) = (call.chat_id()?, call.other_user()?);
    let actor = call.actor().await?;
    let ban = call.app.unban_member(&actor, chat_id, &user_id).await?;
    answer(&ban, false)
}

pub async fn list_bans(call: Call<'_>) -> Result<Answer, Error> {
    let chat_id = call.chat_id()?;
    let (limit, after) = (call.body.limit()?, call.body.optional_id("after", UserId::parse)?);
    let actor = call.actor().await?;
    let page = call.app.list_bans(&actor, chat_id, after, limit).await?;
    Answer::new(&BansView {
        bans: page.bans.iter().map(BanView::from).collect(),
        next: page.next.as_ref(),
    })
}

pub async fn report_message(call: Call<'_>) -> Result<Answer, Error> {
    let chat_id = call.chat_id()?;
    let message_id = call.body.object("message")?.text("id", parse_id)?;
    let reason = call.body.optional_text("reason", Reason::parse)?;
    let actor = call.actor().await?;
    call.app.report_message(&actor, chat_id, message_id, reason).await?;
    Answer::new(&Nothing {})
}

/// `{member:{user, banned?, until?}}`
#[derive(Serialize)]
struct Banned<'a> {
    member: BannedView<'a>,
}

#[derive(Serialize)]
struct BannedView<'a> {
    user: PersonView<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    banned: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<Time>,
}

fn answer(ban: &Ban, banned: bool) -> Result<Answer, Error> {
    let member = BannedView {
        user: PersonView::from(&ban.user),
        banned: banned.then_some(true),
        until: ban.until.filter(|_| banned),
    };
    Answer::new(&Banned { member })
}

/// `{bans:[{user, until?, by, created_at}], next?}`
#[derive(Serialize)]
struct BansView<'a> {
    bans: Vec<BanView<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<&'a UserId>,
}

#[derive(Serialize)]
struct BanView<'a> {
    user: PersonView<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<Time>,
    by: OfId<&'a UserId>,
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
