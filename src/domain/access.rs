//! Access is a value: whoever holds one of these has been checked, and a function that needs the
//! right takes it as a parameter.
//!
//! A chat that is neither private nor a team's is public: anyone may see it. A team's chat may be
//! seen by the team's members, or, if it is also private, by its own members only. What someone
//! may not see does not exist for them: `not_found`.

use crate::error::Error;
use crate::model::{ChatId, Team, TeamId, UserId};
use crate::store::{Standing, Store, Tx};

/// May see a chat and its history.
pub(super) struct Reader {
    pub chat_id: ChatId,
}

/// Is a member of a chat.
pub(super) struct Member {
    pub chat_id: ChatId,
    pub user_id: UserId,
}

/// Has made a chat and is a member of it.
pub(super) struct Owner {
    pub chat_id: ChatId,
    pub user_id: UserId,
}

/// Is a member of a team.
pub(super) struct TeamMember {
    pub team: Team,
}

impl Standing {
    /// Whether the chat exists for them.
    pub(super) fn sees(&self) -> bool {
        self.member || (!self.private && (!self.of_team || self.in_team))
    }
}

impl Reader {
    /// Errors: `not_found`.
    pub async fn check(
        store: &Store,
        chat_id: ChatId,
        user_id: Option<&UserId>,
    ) -> Result<Reader, Error> {
        visible(store.find_standing(chat_id, user_id).await?)?;
        Ok(Reader { chat_id })
    }

    /// The same, in the transaction that needs it.
    pub async fn check_in(tx: &mut Tx, chat_id: ChatId, user_id: &UserId) -> Result<Reader, Error> {
        visible(tx.find_standing(chat_id, user_id).await?)?;
        Ok(Reader { chat_id })
    }
}

impl Member {
    /// Errors: `not_found`; `forbidden` for who may see the chat and is no member.
    pub async fn check_in(tx: &mut Tx, chat_id: ChatId, user_id: &UserId) -> Result<Member, Error> {
        let standing = visible(tx.find_standing(chat_id, user_id).await?)?;
        match standing.member {
            true => Ok(Member { chat_id, user_id: user_id.clone() }),
            false => Err(Error::NO_MEMBER),
        }
    }
}

impl Owner {
    /// Errors: `not_found`; `forbidden` for who may see the chat and is not its owner.
    pub async fn check_in(tx: &mut Tx, chat_id: ChatId, user_id: &UserId) -> Result<Owner, Error> {
        let standing = visible(tx.find_standing(chat_id, user_id).await?)?;
        match standing.member && standing.creator {
            true => Ok(Owner { chat_id, user_id: user_id.clone() }),
            false => Err(Error::Forbidden("only the owner of the chat may do this")),
        }
    }
}

impl TeamMember {
    /// Errors: `not_found` at `field`, also for who is not in the team.
    pub async fn check_in(
        tx: &mut Tx,
        team_id: TeamId,
        user_id: &UserId,
        field: &'static str,
    ) -> Result<TeamMember, Error> {
        match tx.find_team(team_id).await? {
            Some(team) if team.users.contains(user_id) => Ok(TeamMember { team }),
            _ => Err(Error::no_team(field)),
        }
    }
}

fn visible(standing: Option<Standing>) -> Result<Standing, Error> {
    standing.filter(Standing::sees).ok_or_else(Error::no_chat)
}
