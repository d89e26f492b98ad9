//! The requests that a client may send, by their `type`, and how each is done. If others are told
//! of a request, its answer is the same frame; other requests have answers of their own.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures_util::FutureExt;

use super::frames;
use super::session::{Login, Session};
use crate::config::Limits;
use crate::doors::failure;
use crate::doors::input::Input;
use crate::doors::measured::Measured;
use crate::doors::requests::fields::{NoFields, PasswordToTry, Request, request};
use crate::doors::shape::Frame;
use crate::doors::websocket::{Closing, Received};
use crate::error::Error;
use crate::model::{Body, ChannelName, Handle, Password};

request! {
    /// Something to say in a channel.
    ToSay {
        /// The channel; `#`s before its name are ignored.
        dest: ChannelName,
        /// What to say.
        message: Body,
    }

    /// A nick and its password.
    ToRegister {
        /// The nick.
        user: Handle,
        /// Its password, of 10 characters or more.
        password: Password,
    }

    /// Another nick.
    ToLogIn {
        /// The nick.
        user: Handle,
        /// Its password, if it is protected.
        password: Option<PasswordToTry>,
    }

    /// A channel.
    NamedChannel {
        /// The channel; `#`s before its name are ignored.
        channel: ChannelName,
    }

    /// Whose nicks are asked for.
    ToList {
        /// Those in this channel; without it, all.
        channel: Option<ChannelName>,
    }
}

/// What clients send.
pub const SENT: &[Frame] = &[
    Frame::of::<ToSay>(frames::MESSAGE, "say", "Say something in a channel"),
    Frame::of::<ToRegister>(frames::REGISTER, "register", "Protect a nick by a password"),
    Frame::of::<ToLogIn>(frames::LOG_IN, "log-in", "Take another nick, or prove one"),
    Frame::of::<NoFields>(frames::LOG_OUT, "log-out", "Leave; the server closes"),
    Frame::of::<NamedChannel>(frames::JOIN, "join", "Come into a channel"),
    Frame::of::<NamedChannel>(frames::LEAVE, "leave", "Leave a channel"),
    Frame::of::<ToList>(frames::LIST, "list", "List nicks"),
];

/// Handles one frame. When it returns, all pushes that it has caused are sent, so that the answer
/// to the next frame comes after them.
pub async fn handle(session: &Arc<Session>, frame: Received) {
    if session.is_out() {
        return;
    }
    let _measured = Measured::begin("channels");
    let packet = read(&frame, session.hub.app.limits());
    let request = packet.as_ref().ok().map(|(kind, _)| *kind);
    let answer = async {
        session.hub.app.admit_request(&session.viewer()).await?;
        let (kind, packet) = packet?;
        obey(session, kind, &packet).await?;
        session.hub.app.wait_until_shown().await;
        Ok(())
    };
    // A panic in one request must not keep the nick from being freed later.
    let answer = AssertUnwindSafe(answer).catch_unwind().await;
    let error = answer.unwrap_or(Err(Error::Internal(None))).err();
    if session.limited.goes_on(error.as_ref()) {
        return session.end(Closing::LIMITED);
    }
    if let Some(error) = error {
        failure::log("channels", &error);
        session.refuse(&error, request);
        if session.login().is_ok() && !session.hub.app.has_nick(session.outlet.id) {
            // The nick was given up, as nobody knows whether it was changed.
            session.end(Closing::UNAVAILABLE);
        }
    }
}

/// Reads a frame. Returns its `type`, and the whole of it.
fn read<'a>(frame: &'a Received, limits: &'a Limits) -> Result<(i64, Input<'a>), Error> {
    let invalid = |why: String| Error::Invalid { field: None, why };
    let Received::Text(text) = frame else {
        return Err(invalid("the request must be a text frame".into()));
    };
    let raw = serde_json::from_str(text).map_err(|error| invalid(error.to_string()))?;
    let packet = Input::new(raw, limits)?;
    // A number that is too large is read as the largest, which is no `type`.
    let kind = packet.optional_number("type", i64::MIN).ok().flatten();
    let kind = kind.filter(|kind| *kind < i64::MAX);
    let kind = kind.ok_or_else(|| packet.invalid("type", "must be a whole number"))?;
    Ok((kind, packet))
}

/// Does what a request asks. Errors: `unauthenticated` for a connection that has not logged in,
/// unless it does so now; `invalid` for an unknown `type`.
async fn obey(session: &Arc<Session>, kind: i64, packet: &Input<'_>) -> Result<(), Error> {
    match (kind, session.login()) {
        (frames::REGISTER, login) => register(session, login.ok(), packet).await,
        (frames::LOG_IN, login) => log_in(session, login, packet).await,
        (_, Err(error)) => Err(error),
        (frames::MESSAGE, Ok(login)) => say(session, &login, packet).await,
        (frames::LOG_OUT, Ok(_)) => log_out(session).await,
        (frames::JOIN, Ok(login)) => join(session, &login, packet).await,
        (frames::LEAVE, Ok(login)) => leave(session, &login, packet).await,
        (frames::LIST, Ok(login)) => list(session, &login, packet).await,
        (_, Ok(_)) => Err(packet.invalid("type", "must be a number from 0 to 6")),
    }
}

async fn say(session: &Session, login: &Login, packet: &Input<'_>) -> Result<(), Error> {
    let ToSay { dest, message } = ToSay::read(packet)?;
    session.hub.app.say(&login.actor, &dest, message).await
}

async fn register(
    session: &Arc<Session>,
    login: Option<Arc<Login>>,
    packet: &Input<'_>,
) -> Result<(), Error> {
    let ToRegister { user: nick, password } = ToRegister::read(packet)?;
    let app = &session.hub.app;
    let actor = login.as_ref().map(|login| &login.actor);
    let (id, address) = (session.outlet.id, session.address);
    let proven = app.register_nick(id, actor, &nick, password, address).await?;
    let own = login.as_ref().filter(|login| login.nick.folded() == nick.folded());
    let nick = own.map_or(nick, |login| login.nick.clone());
    session.answer(frames::of_nick(frames::REGISTER, &nick));
    match login {
        None => session.take_nick(Arc::new(proven), &nick).await,
        Some(login) if login.nick == nick && login.connection.is_anonymous() => {
            let actor = app.claim(&proven, login.actor.user_id()).await?;
            session.log_in(Arc::new(proven), actor, nick);
            Ok(())
        }
        Some(_) => Ok(()),
    }
}

async fn log_in(
    session: &Arc<Session>,
    login: Result<Arc<Login>, Error>,
    packet: &Input<'_>,
) -> Result<(), Error> {
    let ToLogIn { user: nick, password } = ToLogIn::read(packet)?;
    if login.as_ref().is_ok_and(|login| login.nick.folded() == nick.folded()) {
        // Some clients log in under their own nick once they are connected.
        return Ok(());
    }
    let password = password.map(|PasswordToTry(password)| password);
    let (app, id, address) = (&session.hub.app, session.outlet.id, session.address);
    let connection = match (login, password) {
        (Ok(login), password) => {
            app.connect_as(&login.connection, &nick, password, address).await?
        }
        (Err(_), Some(password)) => {
            Arc::new(app.connect_by_password(id, nick.as_ref(), password, address).await?)
        }
        (Err(error), None) => return Err(error),
    };
    session.take_nick(connection, &nick).await
}

async fn log_out(session: &Session) -> Result<(), Error> {
    session.end(Closing::NORMAL);
    session.hub.app.leave_nick(session.outlet.id).await;
    Ok(())
}

async fn join(session: &Session, login: &Login, packet: &Input<'_>) -> Result<(), Error> {
    let NamedChannel { channel } = NamedChannel::read(packet)?;
    session.hub.app.join_channel(&login.actor, &channel).await
}

async fn leave(session: &Session, login: &Login, packet: &Input<'_>) -> Result<(), Error> {
    let NamedChannel { channel } = NamedChannel::read(packet)?;
    session.hub.app.leave_channel(&login.actor, &channel).await
}

async fn list(session: &Session, login: &Login, packet: &Input<'_>) -> Result<(), Error> {
    let app = &session.hub.app;
    let nicks = match ToList::read(packet)?.channel {
        Some(channel) => app.list_nicks_in(&login.actor, &channel).await?,
        None => app.list_nicks(&login.actor).await?,
    };
    session.answer(frames::list(&nicks));
    Ok(())
}
