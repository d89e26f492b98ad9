//! `delete-user`

use super::fields::{Id, OldMessages, request};
use super::views::OfId;
use super::views::people::OfUserId;
use super::{Answer, Answered, Call};
use crate::model::UserId;

request! {
    /// A user to delete.
    DeleteUser {
        /// Yourself, if it is absent; the service may name anybody.
        user: Option<Id<Option<UserId>>>,
        /// What becomes of what the user has said.
        messages: OldMessages,
    }
}

pub async fn delete_user(call: Call<'_>, asked: DeleteUser) -> Answered<OfUserId<'_>> {
    let named = asked.user.and_then(|user| user.id);
    let erase = matches!(asked.messages, OldMessages::Erase);
    let viewer = call.viewer().await?;
    let user_id = match named {
        Some(user_id) if viewer.user_id() != Some(&user_id) => {
            call.app.delete_user(&viewer, &user_id, erase).await?;
            user_id
        }
        Some(_) | None => {
            let actor = call.actor().await?;
            call.app.delete_self(&actor, erase).await?;
            actor.user_id().clone()
        }
    };
    Answer::new(&OfUserId { user: OfId { id: &user_id } })
}
