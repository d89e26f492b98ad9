//! `/api/register`, `/api/accounts` and `/api/auth_token`: accounts and their tokens.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, Uri};
use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::Hub;
use super::body::{Body, Form};
use super::caller::{Guest, connect};
use super::envelope::{Envelope, Refusal};
use crate::clock::Time;
use crate::config::Limits;
use crate::doors::client::Client;
use crate::doors::credential::credential;
use crate::error::Error;
use crate::model::{Email, Handle, Name, NewAccount, Password, PhoneNumber, Token, UserId};

/// Who wants to sign up. All of it is required, and trimmed.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it describes what `NewAccount` is read from")]
pub struct NewAccountForm {
    #[schema(max_length = 255)]
    first_name: String,
    #[schema(max_length = 255)]
    last_name: String,
    #[schema(pattern = r"^[A-Za-z]\w{1,31}$")]
    username: String,
    #[schema(min_length = 10, max_length = 1024, format = Password)]
    password: String,
    #[schema(max_length = 254)]
    email: String,
    #[schema(pattern = r"^\+?\d{1,31}$")]
    phone: String,
}

/// Who wants to sign up with little more than a name. All is trimmed.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it describes what `NewAccount` is read from")]
pub struct ShortAccountForm {
    #[schema(pattern = r"^[A-Za-z]\w{1,31}$")]
    username: String,
    #[schema(min_length = 10, max_length = 1024, format = Password)]
    password: String,
    #[schema(max_length = 255)]
    first_name: Option<String>,
    #[schema(max_length = 255)]
    last_name: Option<String>,
    #[schema(max_length = 254)]
    email: Option<String>,
    #[schema(pattern = r"^\+?\d{1,31}$")]
    phone: Option<String>,
}

#[derive(ToSchema)]
#[expect(dead_code, reason = "it describes what a login is read from")]
pub struct Login {
    username: String,
    #[schema(format = Password)]
    password: String,
}

#[derive(ToSchema)]
#[expect(dead_code, reason = "it describes what a refresh is read from")]
pub struct Refresh {
    refresh_token: String,
}

/// A new account and its first token.
#[derive(Serialize, ToSchema)]
pub struct Registered {
    /// Null if it was not given, as the next three.
    email: Option<String>,
    first_name: Option<String>,
    last_name: Option<String>,
    phone_number: Option<String>,
    token: TokenView,
    username: String,
}

/// A token. Its secrets are shown this once.
#[derive(Serialize, ToSchema)]
pub struct TokenView {
    /// 52 characters of base32, as `secret_access_key` and `refresh_token`.
    access_key_id: String,
    /// A JWT, signed already: `Authorization: Bearer <access_token>`.
    access_token: String,
    #[schema(value_type = String, format = DateTime)]
    created_at: Time,
    #[schema(value_type = String, format = DateTime)]
    expires_at: Time,
    is_refreshable: bool,
    #[schema(value_type = String, format = DateTime)]
    modified_at: Time,
    refresh_token: String,
    /// What to sign JWTs of one's own with: HS256, with `kid` = `access_key_id`.
    secret_access_key: String,
    #[schema(value_type = String)]
    user_id: UserId,
}

impl From<Token> for TokenView {
    fn from(token: Token) -> TokenView {
        TokenView {
            access_token: token.access_token.expose().to_owned(),
            access_key_id: token.access_key_id,
            created_at: token.created_at,
            expires_at: token.expires_at,
            is_refreshable: token.is_refreshable,
            modified_at: token.modified_at,
            refresh_token: token.refresh_token.expose().to_owned(),
            secret_access_key: token.secret_access_key.expose().to_owned(),
            user_id: token.user_id,
        }
    }
}

/// Sign up with a password. It needs no credential.
#[utoipa::path(post, path = "/api/register", tag = "accounts",
    request_body(content((NewAccountForm = "application/json"),
        (NewAccountForm = "application/x-www-form-urlencoded"))),
    responses(
        (status = 200, body = Envelope<Registered>),
        (status = 400, description = "`Form error`: why by field; or `User error`: what is taken"),
        (status = 403, description = "nobody can sign up here"),
        (status = 429, description = "too many requests"),
    ))]
pub async fn register(
    State(hub): State<Arc<Hub>>,
    Guest(client): Guest,
    Body(body): Body,
) -> Result<Envelope<Registered>, Refusal> {
    sign_up(&hub, client, body, true).await
}

/// Sign up with a username and a password; all else may be left out. It needs no credential.
#[utoipa::path(post, path = "/api/accounts", tag = "accounts",
    request_body(content((ShortAccountForm = "application/json"),
        (ShortAccountForm = "application/x-www-form-urlencoded"))),
    responses(
        (status = 200, body = Envelope<Registered>),
        (status = 400, description = "`Form error`: why by field; or `User error`: what is taken"),
        (status = 403, description = "nobody can sign up here"),
        (status = 429, description = "too many requests"),
    ))]
pub async fn create_account(
    State(hub): State<Arc<Hub>>,
    Guest(client): Guest,
    Body(body): Body,
) -> Result<Envelope<Registered>, Refusal> {
    sign_up(&hub, client, body, false).await
}

/// Signs a user up. If it must be `complete`, no field may be left out.
async fn sign_up(
    hub: &Hub,
    client: Client,
    body: Box<RawValue>,
    complete: bool,
) -> Result<Envelope<Registered>, Refusal> {
    let (new, password) = read_account(&body, hub.app.limits(), complete)?;
    // The body may be large, and signing up takes a while: do not keep it.
    drop(body);
    let token =
        hub.app.register(&new, password, client.address).await.map_err(|error| match error {
            Error::Conflict { why, .. } => Refusal::user(&why),
            error => Refusal::from(error),
        })?;
    Ok(Envelope::of(Registered {
        email: new.email.as_ref().map(text),
        first_name: new.first_name.as_ref().map(text),
        last_name: new.last_name.as_ref().map(text),
        phone_number: new.phone_number.as_ref().map(text),
        token: token.into(),
        username: text(&new.username),
    }))
}

fn text(text: &impl AsRef<str>) -> String {
    text.as_ref().to_owned()
}

/// Log in: a new token for a username and its password.
#[utoipa::path(post, path = "/api/auth_token", tag = "accounts",
    request_body(content((Login = "application/json"),
        (Login = "application/x-www-form-urlencoded"))),
    responses(
        (status = 200, body = Envelope<TokenView>),
        (status = 400, description = "`Form error`"),
        (status = 401, description = "`Authentication error`"),
        (status = 429, description = "too many requests, or wrong passwords"),
    ))]
pub async fn log_in(
    State(hub): State<Arc<Hub>>,
    Guest(client): Guest,
    Body(body): Body,
) -> Result<Envelope<TokenView>, Refusal> {
    let mut form = Form::read(&body, hub.app.limits())?;
    let username = form.text("username", |text, _| Ok(text.to_owned()));
    let password = form.text("password", |text, _| Ok(Password::attempt(text)));
    let (Some(username), Some(password)) = (username, password) else {
        return Err(form.refusal());
    };
    drop(body);
    let token = hub.app.log_in(&username, password, client.address).await?;
    Ok(Envelope::of(token.into()))
}

/// A new token in place of the one that the refresh token came with; that one ends.
#[utoipa::path(post, path = "/api/auth_token/refresh", tag = "accounts",
    request_body(content((Refresh = "application/json"),
        (Refresh = "application/x-www-form-urlencoded"))),
    responses(
        (status = 200, body = Envelope<TokenView>),
        (status = 400, description = "`Form error`"),
        (status = 401, description = "`Authentication error`"),
        (status = 429, description = "too many requests"),
    ))]
pub async fn refresh(
    State(hub): State<Arc<Hub>>,
    _: Guest,
    Body(body): Body,
) -> Result<Envelope<TokenView>, Refusal> {
    let mut form = Form::read(&body, hub.app.limits())?;
    let Some(refresh_token) = form.text("refresh_token", |text, _| Ok(text.to_owned())) else {
        return Err(form.refusal());
    };
    Ok(Envelope::of(hub.app.refresh_token(&refresh_token).await?.into()))
}

/// Ends the token that the request brings, and closes its live connections.
#[utoipa::path(delete, path = "/api/auth_token", tag = "accounts", security(("token" = [])),
    responses(
        (status = 200, body = Envelope<Value>),
        (status = 401, description = "`Authentication error`"),
        (status = 403, description = "the service's key and the host application's tokens end elsewhere"),
        (status = 429, description = "too many requests"),
    ))]
pub async fn log_out(
    State(hub): State<Arc<Hub>>,
    Guest(client): Guest,
    headers: HeaderMap,
    uri: Uri,
    Body(body): Body,
) -> Result<Envelope<Value>, Refusal> {
    let in_body = || {
        let mut form = Form::read(&body, hub.app.limits()).ok()?;
        form.text("access_token", |text, _| Ok(text.to_owned()))
    };
    let token = credential(&headers, &uri).or_else(in_body);
    let connection = connect(&hub.app, token.as_deref(), client.address).await?;
    hub.app.end_token(&connection).await?;
    Ok(Envelope::empty())
}

fn read_account(
    body: &RawValue,
    limits: &Limits,
    complete: bool,
) -> Result<(NewAccount, Password), Refusal> {
    let mut form = Form::read(body, limits)?;
    let first_name = form.text_if("first_name", complete, Name::parse);
    let last_name = form.text_if("last_name", complete, Name::parse);
    let username = form.text("username", Handle::parse_username);
    let password = form.text("password", Password::parse);
    let email = form.text_if("email", complete, Email::parse);
    let phone_number = form.text_if("phone", complete, PhoneNumber::parse);
    match (username, password) {
        (Some(username), Some(password)) if form.is_right() => {
            let account = NewAccount { username, first_name, last_name, email, phone_number };
            Ok((account, password))
        }
        _ => Err(form.refusal()),
    }
}
