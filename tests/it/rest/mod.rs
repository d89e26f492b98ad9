//! Accounts, tokens and direct messages over REST and `/api/ws`.

mod accounts;
mod description;
mod gates;
mod live;
mod threads;
mod tokens;
