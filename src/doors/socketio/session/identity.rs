//! A socket's way into the namespace and out of it, and the users that it acts as.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use engineioxide::Str;
use tokio_util::task::AbortOnDropHandle;

use super::{Session, lock};
use crate::domain::{Connection, Viewer, Way};
use crate::doors::failure::log;
use crate::doors::socketio::{packets, show};
use crate::error::Error;
use crate::model::{Event, UserId};

impl Session {
    /// Lets the socket in, as the user of its token if it has one. If it is refused, it may try
    /// again until the time for the handshake is over.
    pub(super) async fn let_in(self: &Arc<Self>, credential: Option<String>, welcome: Str) {
        let app = &self.hub.app;
        let connected = async {
            // The first try was counted as a connection.
            if self.tried.swap(true, Ordering::Relaxed) {
                app.admit_request(&Viewer::nobody(self.address)).await?;
            }
            app.connect(self.id, credential.as_deref(), self.address).await
        };
        let connected = connected.await;
        if self.limited.goes_on(connected.as_ref().err()) {
            return self.close();
        }
        let connection = match connected {
            Ok(connection) => Arc::new(connection),
            Err(error) => {
                log("connect", &error);
                return match error {
                    Error::Unauthenticated(_) | Error::RateLimited { .. } => self.refuse(&error),
                    // A client does not try again after a refusal, but it does after its connection
                    // was closed.
                    _ => self.close(),
                };
            }
        };
        *lock(&self.connection) = Some(connection.clone());
        self.entered.store(true, Ordering::Relaxed);
        if connection.user_id().is_some() {
            // Before it is in, other connections that had claimed its user without a token must
            // have lost the user.
            self.hub.app.wait_until_shown().await;
        }
        self.deliver(welcome);
        if let Some(user_id) = connection.user_id() {
            self.finish_after(connection.ended());
            if let Err(error) = self.act_as(user_id).await {
                log("connect", &error);
                self.close();
            }
        }
    }

    fn refuse(&self, error: &Error) {
        if let Some(socket) = self.socket.upgrade() {
            self.deliver(packets::refusal(socket.protocol, error));
        }
    }

    pub(super) fn finish_after(&self, ended: impl Future<Output = ()> + Send + 'static) {
        let session = self.this.clone();
        let ending = tokio::spawn(async move {
            ended.await;
            if let Some(session) = session.upgrade() {
                session.finish_requests().await;
            }
        });
        *lock(&self.ending) = Some(AbortOnDropHandle::new(ending));
    }

    /// Takes the socket out of the namespace: until it enters again, it acts as nobody and hears
    /// nothing.
    pub(super) async fn let_out(&self, connection: Option<Arc<Connection>>) {
        if connection.is_none() {
            return;
        }
        *lock(&self.ending) = None;
        self.hub.app.start_over(self.id).await;
        *lock(&self.latest) = None;
        *lock(&self.connection) = None;
    }

    /// Makes the socket act as this user from now on: it hears of all the user's chats, and of the
    /// invitations that wait for an answer. Errors: those of
    /// [`App::act_as`](crate::domain::App::act_as).
    pub async fn act_as(&self, user_id: &UserId) -> Result<(), Error> {
        let connection = &*self.connection().ok_or(Error::NO_USER)?;
        if lock(&self.latest).as_ref().is_some_and(|actor| actor.user_id() == user_id) {
            return Ok(());
        }
        let app = &self.hub.app;
        let new = app.act_as(connection, user_id, |actor| self.set_latest(actor)).await?;
        if new {
            // A convenience: the socket acts as the user without it, and can ask.
            let page = app.list_invitations(user_id, None, app.limits().max_page).await;
            let page = page.inspect_err(|error| log("invitation", error));
            let invitations = page.map(|page| page.invitations).unwrap_or_default();
            // In the order in which they came.
            let shown = invitations.into_iter().rev().map(Event::Invited);
            let packets = shown.filter_map(|event| show::show(&event, Way::User));
            packets.for_each(|packet| self.deliver(packet));
        }
        Ok(())
    }
}
