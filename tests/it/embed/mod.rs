//! The server within a host application: the service, events and routes that the host has.

mod events;
mod routes;
mod service;

use chinwag::embed::{Chat, Event, Events, NewChat, NewUser, Service, User};

use crate::support::soon;

/// The user of this id and name, made by the host.
async fn user(service: &Service, id: &str) -> User {
    let new = NewUser { id: Some(id.into()), name: id.into(), ..NewUser::default() };
    service.create_user(new).await.unwrap()
}

/// A private chat of these users; the first of them owns it.
async fn chat(service: &Service, users: &[&str]) -> Chat {
    let [owner, others @ ..] = users else { panic!("a chat has an owner") };
    let users = others.iter().map(ToString::to_string).collect();
    let new = NewChat { name: "ours".into(), users, ..NewChat::default() };
    service.create_chat(owner, new).await.unwrap()
}

/// The next event; fails if any was missed.
async fn next(events: &mut Events) -> Event {
    soon("an event comes", events.next()).await.expect("the server runs").unwrap()
}
