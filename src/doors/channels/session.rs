//! One connection: its nick, and how it ends.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio_tungstenite::tungstenite::Utf8Bytes;
use tokio_util::task::AbortOnDropHandle;

use super::show::{self, Push};
use super::{Hub, frames};
use crate::domain::{Actor, Connection, Recipient, Shown, Viewer};
use crate::doors::limited::Limited;
use crate::doors::websocket::{Closing, Outlet};
use crate::error::Error;
use crate::model::{ConnectionId, Handle, UserId};

pub struct Session {
    pub hub: Arc<Hub>,
    pub outlet: Arc<Outlet>,
    pub address: IpAddr,
    pub limited: Limited,
    state: Mutex<State>,
}

enum State {
    /// It waits for a password.
    Waiting,
    In(Arc<Login>),
    /// It is being closed, and its requests are ignored.
    Out,
}

/// The user and the nick of a connection.
pub struct Login {
    pub connection: Arc<Connection>,
    pub actor: Actor,
    pub nick: Handle,
    /// Closes the connection when its token ends.
    _ending: Option<AbortOnDropHandle<()>>,
}

impl Session {
    pub fn new(hub: Arc<Hub>, outlet: Arc<Outlet>, address: IpAddr) -> Session {
        let limited = Limited::of(hub.app.limits().max_pending);
        Session { hub, outlet, address, limited, state: Mutex::new(State::Waiting) }
    }

    /// Its user and its nick. Errors: `unauthenticated` until it has logged in.
    pub fn login(&self) -> Result<Arc<Login>, Error> {
        match &*self.state() {
            State::In(login) => Ok(login.clone()),
            State::Waiting | State::Out => Err(Error::unauthenticated("log in first")),
        }
    }

    pub fn is_out(&self) -> bool {
        matches!(&*self.state(), State::Out)
    }

    pub fn is_waiting(&self) -> bool {
        matches!(&*self.state(), State::Waiting)
    }

    /// Connects under a nick, and waits until everybody has been told. Errors: those of
    /// [`take_nick`](crate::domain::App::take_nick).
    pub async fn take_nick(
        self: &Arc<Self>,
        connection: Arc<Connection>,
        nick: &Handle,
    ) -> Result<(), Error> {
        let app = &self.hub.app;
        let (actor, nick) = app.take_nick(&connection, nick).await?;
        let _following = match app.follow_user(&connection, actor.user_id()).await {
            Ok(following) => following,
            Err(error) => {
                app.leave_nick(connection.id()).await;
                return Err(error);
            }
        };
        self.log_in(connection, actor, nick);
        self.hub.app.wait_until_shown().await;
        Ok(())
    }

    /// From now on the connection is this user, unless it is being closed.
    pub fn log_in(self: &Arc<Self>, connection: Arc<Connection>, actor: Actor, nick: Handle) {
        let ending = connection.user_id().map(|_| self.end_after(connection.ended()));
        let mut state = self.state();
        if !matches!(&*state, State::Out) {
            *state = State::In(Arc::new(Login { connection, actor, nick, _ending: ending }));
        }
    }

    fn end_after(
        self: &Arc<Self>,
        ended: impl Future<Output = ()> + Send + 'static,
    ) -> AbortOnDropHandle<()> {
        let session = Arc::downgrade(self);
        AbortOnDropHandle::new(tokio::spawn(async move {
            ended.await;
            if let Some(session) = session.upgrade() {
                session.expel("your token has ended");
            }
        }))
    }

    /// Ends a connection that may not act as its user any more.
    pub fn expel(&self, why: &'static str) {
        // This goes out with the close frame.
        self.outlet.push(frames::error(&Error::unauthenticated(why), None));
        self.end(Closing::UNAUTHENTICATED);
    }

    /// Closes the connection after the frames sent before; further requests are ignored.
    pub fn end(&self, why: Closing) {
        // The former state is dropped only after the lock.
        let _before = std::mem::replace(&mut *self.state(), State::Out);
        self.outlet.close(why);
    }

    pub fn refuse(&self, error: &Error, request: Option<i64>) {
        self.outlet.send(frames::error(error, request));
    }

    pub fn answer(&self, frame: Utf8Bytes) {
        self.outlet.send(frame);
    }

    pub fn viewer(&self) -> Viewer {
        let login = self.login();
        login.map_or_else(|_| Viewer::nobody(self.address), |login| Viewer::from(&login.actor))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Recipient for Session {
    fn id(&self) -> ConnectionId {
        self.outlet.id
    }

    fn show(&self, shown: &Shown<'_>) -> bool {
        shown.frame(show::show).is_some_and(|Push(frame)| self.outlet.push(frame))
    }

    fn flush(&self) {
        self.outlet.flush();
    }

    fn lose_user(&self, _: &UserId) {
        self.expel("to act as this user takes a password or a token");
    }

    fn restart(&self) {
        self.end(Closing::SHUTDOWN);
    }

    fn finish(&self) {
        self.outlet.finish();
    }
}
