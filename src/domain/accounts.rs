//! Accounts: signing up with a password, and the tokens that a password or a refresh token gives.

use std::net::IpAddr;

use super::identity::Connection;
use super::keys::{digest, new_token};
use super::users::insert_nick;
use super::{Actor, App};
use crate::clock;
use crate::config::{Limits, Registration};
use crate::error::Error;
use crate::model::{
    ConnectionId, Event, Handle, Name, NewAccount, Password, Token, User, UserId, fold,
};
use crate::store::{Taken, Tx};

/// How many tokens a user may have: one for each device, and some forgotten ones.
const MAX_TOKENS: i64 = 100;

impl App {
    /// Creates a protected user and their first token. Errors: `forbidden` if nobody may sign up;
    /// `conflict`, naming the values that other users have; `rate_limited` after too many accounts
    /// from the address; `unavailable`.
    pub async fn register(
        &self,
        new: &NewAccount,
        password: Password,
        address: IpAddr,
    ) -> Result<Token, Error> {
        if self.registration == Registration::Closed {
            return Err(Error::Forbidden("nobody can sign up here"));
        }
        // Count this before the answer says which values are taken: nobody may ask that without a
        // limit.
        self.admit_sign_up(address)?;
        // Check before the password is hashed, which costs the most. A name may still be taken
        // meanwhile.
        refuse_taken(self.store.find_taken(new).await?)?;
        let hash = self.passwords.permit(address).await?.hash(password).await?;
        let mut tx = self.store.begin().await?;
        let email = new.email.as_ref().map(AsRef::as_ref);
        let phone_number = new.phone_number.as_ref().map(AsRef::as_ref);
        let names = [Some(new.username.as_ref()), email, phone_number];
        tx.lock_names(&Vec::from_iter(names.into_iter().flatten())).await?;
        refuse_taken(tx.find_taken(new).await?)?;
        let user = user_of(new, &self.limits);
        tx.insert_user(&user).await?;
        tx.update_account(&user.id, new, &hash).await?;
        self.issue_token(tx, user.id, None).await
    }

    /// A new token for a client that knows the password. Errors: `unauthenticated`; `rate_limited`
    /// after too many failures of the user or from the address; `unavailable`.
    pub async fn log_in(
        &self,
        username: &str,
        password: Password,
        address: IpAddr,
    ) -> Result<Token, Error> {
        let user_id = self.check_password(username, password, address).await?;
        let tx = self.store.begin().await?;
        self.issue_token(tx, user_id, None).await
    }

    /// Gives a nick a password, which protects it. The nick must be the actor's own or nobody's.
    /// After this the connection `id` has proved to be that user. Errors: `forbidden` if nobody may
    /// sign up; `conflict` if the nick is somebody else's; `unavailable`.
    pub async fn register_nick(
        &self,
        id: ConnectionId,
        actor: Option<&Actor>,
        nick: &Handle,
        password: Password,
        address: IpAddr,
    ) -> Result<Connection, Error> {
        if self.registration == Registration::Closed {
            return Err(Error::Forbidden("nobody can sign up here"));
        }
        self.admit_sign_up(address)?;
        let hash = self.passwords.permit(address).await?.hash(password).await?;
        let mut tx = self.store.begin().await?;
        tx.lock_names(&[nick.as_ref()]).await?;
        let (user_id, known) = match tx.find_user_by_handle(nick).await? {
            Some(user) => (protect(&mut tx, actor, user).await?, true),
            None => (insert_nick(&mut tx, nick, true).await?.id, false),
        };
        tx.update_password(&user_id, &hash).await?;
        let event = Event::UserProtected { user_id: user_id.clone(), by: Some(id) };
        tx.commit(known.then_some(event)).await?;
        Ok(Connection::proven(id, user_id, address))
    }

    /// Lets a client connect as the user whose password it knows. Errors: those of
    /// [`log_in`](App::log_in).
    pub async fn connect_by_password(
        &self,
        id: ConnectionId,
        username: &str,
        password: Password,
        address: IpAddr,
    ) -> Result<Connection, Error> {
        let user_id = self.check_password(username, password, address).await?;
        Ok(Connection::proven(id, user_id, address))
    }

    async fn check_password(
        &self,
        username: &str,
        password: Password,
        address: IpAddr,
    ) -> Result<UserId, Error> {
        let (user_id, hash) = self.store.find_password(username).await?.unzip();
        let permit = self.passwords.permit(address).await?;
        let account = fold(username);
        self.admit_login(&account, address)?;
        let right = permit.verify(password, hash).await?;
        let Some(user_id) = user_id.filter(|_| right) else {
            self.failed_login(&account, address)?;
            return Err(Error::unauthenticated("wrong username or password"));
        };
        Ok(user_id)
    }

    /// Ends the token that the refresh token came with, and returns a new one. Errors:
    /// `unauthenticated`, also if the refresh token has expired.
    pub async fn refresh_token(&self, refresh_token: &str) -> Result<Token, Error> {
        let hash = digest(refresh_token);
        // A wrong refresh token is refused without a transaction.
        let known = self.store.is_refresh_token(&hash).await?;
        let mut tx = match known {
            true => self.store.begin().await?,
            false => return Err(BAD_REFRESH_TOKEN),
        };
        let ended = tx.delete_token_to_refresh(&hash, clock::now()).await?;
        let (access_key_id, user_id) = ended.ok_or(BAD_REFRESH_TOKEN)?;
        self.issue_token(tx, user_id, Some(access_key_id)).await
    }

    /// Ends the token that the connection came with, and all connections with this token. Errors:
    /// `forbidden` for a connection without a token of this server.
    pub async fn end_token(&self, connection: &Connection) -> Result<(), Error> {
        let access_key_id = connection
            .access_key_id()
            .ok_or(Error::Forbidden("only a token that was given out here can be ended"))?;
        let mut tx = self.store.begin().await?;
        if let Some(user_id) = tx.delete_token(access_key_id).await? {
            let access_key_id = access_key_id.to_owned();
            tx.commit([Event::TokenEnded { user_id, access_key_id }]).await?;
        }
        self.carrier.leases.end(access_key_id);
        Ok(())
    }

    /// Commits a new token for the user, and the end of the token that it replaces. If the user
    /// then has too many tokens, the oldest ends, too.
    async fn issue_token(
        &self,
        mut tx: Tx,
        user_id: UserId,
        replaced: Option<String>,
    ) -> Result<Token, Error> {
        let token = new_token(user_id)?;
        tx.delete_expired_tokens(token.created_at).await?;
        tx.insert_token(&token, &digest(token.refresh_token.expose())).await?;
        let oldest = tx.delete_oldest_tokens(&token.user_id, MAX_TOKENS).await?;
        let ended = Vec::from_iter(oldest.into_iter().chain(replaced));
        let event = |access_key_id: &String| Event::TokenEnded {
            user_id: token.user_id.clone(),
            access_key_id: access_key_id.clone(),
        };
        tx.commit(ended.iter().map(event)).await?;
        ended.iter().for_each(|access_key_id| self.carrier.leases.end(access_key_id));
        Ok(token)
    }
}

/// Protects a user, who is about to get a password. It must be the actor's own user.
async fn protect(tx: &mut Tx, actor: Option<&Actor>, user: User) -> Result<UserId, Error> {
    let own = actor.is_some_and(|actor| *actor.user_id() == user.id);
    // Users of the host application act with its tokens, and get no password here.
    if !own || user.protected || user.external_id.is_some() {
        return Err(Error::conflict("user", "another user has this nick"));
    }
    tx.update_user(&User { protected: true, modified_at: clock::now(), ..user.clone() }).await?;
    Ok(user.id)
}

fn refuse_taken(taken: Taken) -> Result<(), Error> {
    let fields = [("username", taken.username), ("email", taken.email), ("phone", taken.phone)];
    let taken: Vec<_> = fields.iter().filter(|(_, taken)| *taken).map(|(name, _)| *name).collect();
    match taken.first() {
        Some(field) => {
            let why = format!("another user has this {}", taken.join(", this "));
            Err(Error::Conflict { field, why: why.into() })
        }
        None => Ok(()),
    }
}

fn user_of(new: &NewAccount, limits: &Limits) -> User {
    let name = match (&new.first_name, &new.last_name) {
        (Some(first), Some(last)) => Name::joined(first, " ", last, limits),
        (Some(name), None) | (None, Some(name)) => name.clone(),
        (None, None) => Name::from(&new.username),
    };
    User { handle: Some(new.username.clone()), protected: true, ..User::new(name) }
}

const BAD_REFRESH_TOKEN: Error = Error::unauthenticated("this refresh token is not valid");
