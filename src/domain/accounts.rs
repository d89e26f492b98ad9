//! Accounts: signing up with a password, and the tokens that a password or a refresh token gives.

use std::net::IpAddr;

use super::App;
use super::identity::Connection;
use super::keys::{digest, new_token};
use crate::clock;
use crate::config::{Limits, Registration};
use crate::error::Error;
use crate::model::{Name, NewAccount, Password, Photo, Token, User, UserId};
use crate::store::{Taken, Tx};

impl App {
    /// Makes a protected user and their first token. Errors: `forbidden` if nobody may sign up;
    /// `conflict`, naming what other users have; `unavailable`.
    pub async fn register(&self, new: &NewAccount, password: Password) -> Result<Token, Error> {
        if self.registration == Registration::Closed {
            return Err(Error::Forbidden("nobody can sign up here"));
        }
        let hash = self.passwords.turn().await?.hash(password).await?;
        let mut tx = self.store.begin().await?;
        refuse_taken(tx.find_taken(new).await?)?;
        let user = user_of(new, &self.limits);
        tx.insert_user(&user).await?;
        tx.update_account(&user.id, new, &hash).await?;
        let token = issue_token(&mut tx, user.id).await?;
        tx.commit([]).await?;
        Ok(token)
    }

    /// A new token for who knows the password. Errors: `unauthenticated`; `rate_limited` after too
    /// many failures of the user or from the address; `unavailable`.
    pub async fn log_in(
        &self,
        username: &str,
        password: Password,
        address: IpAddr,
    ) -> Result<Token, Error> {
        let (user_id, hash) = self.store.find_password(username).await?.unzip();
        let turn = self.passwords.turn().await?;
        self.admit_login(username, address)?;
        let right = turn.verify(password, hash).await?;
        let Some(user_id) = user_id.filter(|_| right) else {
            self.failed_login(username, address)?;
            return Err(Error::Unauthenticated("wrong username or password"));
        };
        let mut tx = self.store.begin().await?;
        let token = issue_token(&mut tx, user_id).await?;
        tx.commit([]).await?;
        Ok(token)
    }

    /// A new token in place of the one that the refresh token came with, which ends. Errors:
    /// `unauthenticated`, also once that has expired.
    pub async fn refresh_token(&self, refresh_token: &str) -> Result<Token, Error> {
        let mut tx = self.store.begin().await?;
        let ended = tx.delete_token_to_refresh(&digest(refresh_token), clock::now()).await?;
        let (access_key_id, user_id) =
            ended.ok_or(Error::Unauthenticated("this refresh token is not valid"))?;
        let token = issue_token(&mut tx, user_id).await?;
        tx.commit([]).await?;
        self.live.end(&access_key_id);
        Ok(token)
    }

    /// Ends the token that the connection came with, and all its connections. Errors: `forbidden`
    /// for what is no token of this server's.
    pub async fn end_token(&self, connection: &Connection) -> Result<(), Error> {
        let access_key_id = connection
            .access_key_id()
            .ok_or(Error::Forbidden("only a token that was given out here can be ended"))?;
        let mut tx = self.store.begin().await?;
        tx.delete_token(access_key_id).await?;
        tx.commit([]).await?;
        self.live.end(access_key_id);
        Ok(())
    }
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
    let now = clock::now();
    User {
        id: UserId::new(),
        external_id: None,
        handle: Some(new.username.clone()),
        name: Name::joined(&new.first_name, " ", &new.last_name, limits),
        photo: Photo::none(),
        protected: true,
        created_at: now,
        modified_at: now,
    }
}

async fn issue_token(tx: &mut Tx, user_id: UserId) -> Result<Token, Error> {
    let token = new_token(user_id)?;
    tx.delete_expired_tokens(token.created_at).await?;
    tx.insert_token(&token, &digest(token.refresh_token.expose())).await?;
    Ok(token)
}
