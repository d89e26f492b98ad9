//! The table of events: each decodes its body, calls the function of the same name in the domain
//! and encodes what that returns. (`subscribe` and `unsubscribe` keep the socket's own side too.)

mod chats;
mod invitations;
mod messages;
mod rooms;
mod teams;
mod users;

use serde_json::Value;

use super::packets::Answer;
use super::session::Session;
use crate::domain::{Actor, App};
use crate::doors::input::Input;
use crate::error::Error;
use crate::model::{ChatId, UserId, parse_id};

/// One request of one socket.
struct Call<'a> {
    session: &'a Session,
    app: &'a App,
    body: Input<'a>,
}

/// Answers the request `event`; an event that is none is `invalid`.
pub(super) async fn answer(
    session: &Session,
    app: &App,
    event: &str,
    body: &Value,
) -> Result<Answer, Error> {
    let call = || Ok::<_, Error>(Call { session, app, body: Input::new(body, app.limits())? });
    match event {
        "create-user" => users::create_user(call()?).await,
        "create-chat" => chats::create_chat(call()?).await,
        "list-chats" => chats::list_chats(call()?).await,
        "update-chat" => chats::update_chat(call()?).await,
        "join-chat" => chats::join_chat(call()?).await,
        "leave-chat" => chats::leave_chat(call()?).await,
        "mark-read" => chats::mark_read(call()?).await,
        "remove-member" => chats::remove_member(call()?).await,
        "list-messages" => messages::list_messages(call()?).await,
        "new-message" => messages::new_message(call()?).await,
        "subscribe" => rooms::subscribe(call()?).await,
        "unsubscribe" => rooms::unsubscribe(call()?).await,
        "invite" => invitations::invite(call()?).await,
        "list-invitations" => invitations::list_invitations(call()?).await,
        "accept-invitation" => invitations::accept_invitation(call()?).await,
        "decline-invitation" => invitations::decline_invitation(call()?).await,
        "create-team" => teams::create_team(call()?).await,
        "list-teams" => teams::list_teams(call()?).await,
        "add-to-team" => teams::add_to_team(call()?).await,
        "remove-from-team" => teams::remove_from_team(call()?).await,
        _ => Err(Error::Invalid { field: None, why: format!("there is no event {event}") }),
    }
}

impl Call<'_> {
    fn chat_id(&self) -> Result<ChatId, Error> {
        self.body.object("chat")?.text("id", parse_id)
    }

    /// Who asks: the request's `user`, whom the socket acts as from now on, or else its latest.
    async fn actor(&self) -> Result<Actor, Error> {
        let user_id = self.claim_user().await?.ok_or(Error::Unauthenticated)?;
        Ok(Actor { user_id, connection: self.session.id })
    }

    /// The request's `user`, whom the socket acts as from now on, or else its latest, if any.
    async fn claim_user(&self) -> Result<Option<UserId>, Error> {
        let Some(user) = self.body.optional_object("user")? else {
            return Ok(self.session.latest_user());
        };
        let user_id = user.text("id", UserId::parse)?;
        self.session.act_as(&user_id).await?;
        Ok(Some(user_id))
    }

    /// Who asks where the request's `user` is somebody else: the socket's latest.
    fn latest_actor(&self) -> Result<Actor, Error> {
        let user_id = self.session.latest_user().ok_or(Error::Unauthenticated)?;
        Ok(Actor { user_id, connection: self.session.id })
    }

    /// The request's `user` where it is not the one who asks.
    fn other_user(&self) -> Result<UserId, Error> {
        self.body.object("user")?.text("id", UserId::parse)
    }
}
