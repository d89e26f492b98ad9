//! `watch-users`, `unwatch-users`

use super::fields::{Id, request};
use super::views::people::PeopleView;
use super::{Answer, Answered, Call};
use crate::model::UserId;

request! {
    /// Users to watch.
    WatchUsers {
        /// The users.
        users: Vec<Id<UserId>>,
    }
}

pub async fn watch_users(call: Call<'_>, asked: WatchUsers) -> Answered<PeopleView<'_>> {
    let users = asked.users.into_iter().map(|user| user.id).collect();
    let viewer = call.viewer().await?;
    let found = call.app.watch_users(call.asker.connection().id(), &viewer, users).await?;
    Answer::new(&PeopleView::from(&found))
}

pub async fn unwatch_users(call: Call<'_>, asked: WatchUsers) -> Answered<PeopleView<'_>> {
    let users = asked.users.into_iter().map(|user| user.id).collect();
    let viewer = call.viewer().await?;
    let found = call.app.unwatch_users(call.asker.connection().id(), &viewer, users).await?;
    Answer::new(&PeopleView::from(&found))
}
