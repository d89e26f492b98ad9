//! The ledger without a server around it, for the benchmark of storing a message: in the figures of
//! a whole server, the sockets are most of the cost.

use futures_util::future::join_all;

use super::{Keeping, Store};
use crate::config::{Limits, Url};
use crate::error::Error;
use crate::model::{Body, Chat, ChatId, ConnectionId, MessageType, Name, NewMessage, User, UserId};

/// A store with users in chats of two. It panics on errors, as only a benchmark uses it.
#[doc(hidden)]
pub struct LedgerAlone {
    store: Store,
    members: Vec<(ChatId, UserId)>,
    next: usize,
}

impl LedgerAlone {
    pub async fn open(url: &Url, chats: usize) -> LedgerAlone {
        let opened = Store::open(url, &Limits::default(), Keeping::default(), String::new()).await;
        let (store, mut events) = opened.unwrap_or_else(|error| panic!("{error}"));
        tokio::spawn(async move { while events.recv().await.is_some() {} });
        let made = make_chats(&store, chats).await;
        let members = made.unwrap_or_else(|error| panic!("{error}"));
        LedgerAlone { store, members, next: 0 }
    }

    /// Appends `count` messages of 100 bytes at the same time, each sent by another member; returns
    /// once all are durable.
    pub async fn append(&mut self, count: usize) {
        let messages = Vec::from_iter((0..count).map(|_| self.message()));
        let sent = messages.into_iter().map(|message| self.store.append_message(message));
        for sent in join_all(sent).await {
            sent.unwrap_or_else(|error| panic!("{error}"));
        }
    }

    fn message(&mut self) -> NewMessage {
        let (chat_id, user_id) = self.members[self.next % self.members.len()].clone();
        self.next += 1;
        let body = Body::parse(&format!("{:100}", self.next), &Limits::default());
        NewMessage {
            chat_id,
            user_id,
            kind: MessageType::Text,
            body: body.unwrap_or_else(|problem| panic!("{problem:?}")),
            client_id: None,
            reply: None,
            mentions: None,
            data: None,
            file: None,
            by: ConnectionId::new(),
            of_member: true,
            anonymous: true,
        }
    }
}

async fn make_chats(store: &Store, count: usize) -> Result<Vec<(ChatId, UserId)>, Error> {
    let name = Name::parse("somebody", &Limits::default());
    let name = name.unwrap_or_else(|problem| panic!("{problem:?}"));
    let mut members = Vec::new();
    let mut tx = store.begin().await?;
    for _ in 0..count {
        let users = [User::new(name.clone()), User::new(name.clone())];
        for user in &users {
            tx.insert_user(user).await?;
        }
        let users = users.map(|user| user.id);
        let chat = Chat::new(name.clone(), users[0].clone(), users.to_vec());
        tx.insert_chat(&chat).await?;
        members.extend(users.into_iter().map(|user_id| (chat.id, user_id)));
    }
    tx.commit([]).await?;
    Ok(members)
}
