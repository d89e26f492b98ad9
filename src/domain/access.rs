//! Access is a value: code that has a value of one of these types has checked the right, and a
//! function that needs the right takes the value as a parameter.
//!
//! A chat that is neither private nor a team's is public: anyone may see it. A team's chat may be
//! seen by the team's members, or, if it is also private, only by its own members. A chat that
//! somebody may not see does not exist for them: `not_found`. The service may see and do
//! everything.

use super::{Actor, Viewer};
use crate::error::Error;
use crate::model::{ChatId, Role, Team, TeamId, UserId};
use crate::store::{Standing, Store, Tx};

/// The right to see a chat and its history.
pub(super) struct Reader {
    pub chat_id: ChatId,
    pub ephemeral: bool,
    /// The `seq` of the chat's last message.
    pub last_seq: i64,
    pub member: bool,
    /// Whether the viewer was invited into the chat and has not answered.
    pub invited: bool,
    /// The viewer sees messages after this `seq`.
    pub seen_after: i64,
    direct: bool,
}

/// Membership of a chat.
pub(super) struct Member {
    pub chat_id: ChatId,
    pub user_id: UserId,
    /// The member sees messages after this `seq`.
    pub seen_after: i64,
    direct: bool,
    role: Role,
    service: bool,
}

/// The right to decide what others say in a chat, and who says it: a moderator, the owner, and the
/// service have it.
pub(super) struct Moderator {
    /// The moderator may not decide about members with this role or a higher one.
    equal: Option<Role>,
}

/// The right to send to a chat.
pub(super) struct Speaker {
    /// The speaker sees messages after this `seq`.
    pub seen_after: i64,
}

/// Ownership of a chat. The owner is its creator, or the member to whom the chat was handed over.
pub(super) struct Owner {
    pub chat_id: ChatId,
    pub user_id: UserId,
}

/// Membership of a team.
pub(super) struct TeamMember {
    pub team: Team,
}

impl Standing {
    /// Whether the user may see the chat.
    pub(super) fn sees(&self) -> bool {
        self.member || self.sees_as_stranger()
    }

    /// Whether the user could see the chat without being a member.
    pub(super) fn sees_as_stranger(&self) -> bool {
        !self.private && (!self.of_team || self.in_team)
    }

    /// The user sees messages after this `seq`. A user who is no member has not joined, and sees
    /// only messages to come if `since_joining` is set.
    fn seen_after(&self, service: bool) -> i64 {
        match self.since_joining && !service {
            true => self.joined_seq.unwrap_or(self.last_seq),
            false => 0,
        }
    }
}

impl Reader {
    /// Errors: `not_found`.
    pub async fn check(store: &Store, chat_id: ChatId, viewer: &Viewer) -> Result<Reader, Error> {
        let found = store.find_standing(chat_id, viewer.user_id()).await?;
        let is_nobody = viewer.user_id().is_none() && !viewer.service;
        let standing = visible(found, viewer.service);
        let standing = standing.map_err(|error| match is_nobody {
            true => Error::no_public_chat(),
            false => error,
        })?;
        Ok(Reader::of(chat_id, standing, viewer.service))
    }

    /// Like `check`, in the transaction that needs the right.
    pub async fn check_in(tx: &mut Tx, chat_id: ChatId, actor: &Actor) -> Result<Reader, Error> {
        let found = tx.find_standing(chat_id, &actor.user_id).await?;
        Ok(Reader::of(chat_id, visible(found, actor.service)?, actor.service))
    }

    fn of(chat_id: ChatId, standing: Standing, service: bool) -> Reader {
        Reader {
            seen_after: standing.seen_after(service),
            chat_id,
            ephemeral: standing.ephemeral,
            last_seq: standing.last_seq,
            member: standing.member,
            invited: standing.invited,
            direct: standing.direct,
        }
    }

    /// Lets the reader also see what was sent after this `seq`.
    pub fn since(self, seq: i64) -> Reader {
        Reader { seen_after: self.seen_after.min(seq), ..self }
    }

    /// For actions that would change who is in a chat. Errors: `forbidden` for a direct chat.
    pub fn refuse_direct(&self) -> Result<(), Error> {
        refuse_direct(self.direct)
    }
}

impl Speaker {
    /// Errors: `not_found`; `forbidden` for an actor who may see the chat and is no member, and for
    /// a member who is muted or blocked, or is no moderator of a frozen chat. In a direct chat only
    /// its two users may send, not even the service.
    pub async fn check(store: &Store, chat_id: ChatId, actor: &Actor) -> Result<Speaker, Error> {
        let found = store.find_standing(chat_id, Some(&actor.user_id)).await?;
        Speaker::of(found, actor)
    }

    /// Like `check`, in the transaction that needs the right.
    pub async fn check_in(tx: &mut Tx, chat_id: ChatId, actor: &Actor) -> Result<Speaker, Error> {
        let found = tx.find_standing(chat_id, &actor.user_id).await?;
        Speaker::of(found, actor)
    }

    fn of(found: Option<Standing>, actor: &Actor) -> Result<Speaker, Error> {
        let standing = visible(found, actor.service)?;
        let speaker = Speaker { seen_after: standing.seen_after(actor.service) };
        if actor.service && !standing.direct {
            return Ok(speaker);
        }
        if !standing.member {
            return Err(Error::NO_MEMBER);
        }
        if standing.blocked {
            return Err(Error::BLOCKED);
        }
        if standing.muted {
            return Err(Error::MUTED);
        }
        match standing.frozen && standing.role == Role::Member {
            true => Err(Error::FROZEN),
            false => Ok(speaker),
        }
    }
}

impl Member {
    /// Errors: `not_found`; `forbidden` for an actor who may see the chat and is no member.
    pub async fn check_in(tx: &mut Tx, chat_id: ChatId, actor: &Actor) -> Result<Member, Error> {
        let found = tx.find_standing(chat_id, &actor.user_id).await?;
        Member::of(chat_id, found, actor)
    }

    fn of(chat_id: ChatId, found: Option<Standing>, actor: &Actor) -> Result<Member, Error> {
        let standing = visible(found, actor.service)?;
        match standing.member || actor.service {
            true => Ok(Member {
                chat_id,
                user_id: actor.user_id.clone(),
                seen_after: standing.seen_after(actor.service),
                direct: standing.direct,
                role: standing.role,
                service: actor.service,
            }),
            false => Err(Error::NO_MEMBER),
        }
    }

    /// For actions that would change who is in a chat. Errors: `forbidden` for a direct chat.
    pub fn refuse_direct(&self) -> Result<(), Error> {
        refuse_direct(self.direct)
    }
}

impl Moderator {
    /// Errors: those of [`Member::check_in`]; `forbidden` as for [`of`](Moderator::of), and for a
    /// direct chat.
    pub async fn check(store: &Store, chat_id: ChatId, actor: &Actor) -> Result<Moderator, Error> {
        let found = store.find_standing(chat_id, Some(&actor.user_id)).await?;
        Moderator::of_group(&Member::of(chat_id, found, actor)?)
    }

    /// Like `check`, in the transaction that needs the right.
    pub async fn check_in(tx: &mut Tx, chat_id: ChatId, actor: &Actor) -> Result<Moderator, Error> {
        Moderator::of_group(&Member::check_in(tx, chat_id, actor).await?)
    }

    fn of_group(member: &Member) -> Result<Moderator, Error> {
        member.refuse_direct()?;
        Moderator::of(member)
    }

    /// Errors: `forbidden`. In a direct chat only the service is a moderator.
    pub fn of(member: &Member) -> Result<Moderator, Error> {
        match member.role {
            _ if member.service => Ok(Moderator { equal: None }),
            Role::Member => Err(Error::Forbidden("only a moderator of the chat may do this")),
            role => Ok(Moderator { equal: Some(role) }),
        }
    }

    /// For actions that both users of a direct chat may do. Errors: `forbidden`.
    pub fn or_of_two(member: &Member) -> Result<Moderator, Error> {
        match member.direct {
            true => Ok(Moderator { equal: None }),
            false => Moderator::of(member),
        }
    }

    /// Errors: `forbidden` for a member with the moderator's own role or a higher one.
    pub fn refuse_equal(&self, role: Role) -> Result<(), Error> {
        match self.equal.is_some_and(|equal| role >= equal) {
            true => Err(Error::Forbidden("this member moderates the chat as you do")),
            false => Ok(()),
        }
    }
}

impl Owner {
    /// Errors: `not_found`; `forbidden` for an actor who may see the chat and is not its owner, and
    /// for a direct chat, which has none.
    pub async fn check_in(tx: &mut Tx, chat_id: ChatId, actor: &Actor) -> Result<Owner, Error> {
        let found = tx.find_standing(chat_id, &actor.user_id).await?;
        let standing = visible(found, actor.service)?;
        refuse_direct(standing.direct)?;
        match standing.role == Role::Owner || actor.service {
            true => Ok(Owner { chat_id, user_id: actor.user_id.clone() }),
            false => Err(Error::Forbidden("only the owner of the chat may do this")),
        }
    }
}

impl TeamMember {
    /// Errors: `not_found` at `field`, also for an actor who is not in the team.
    pub async fn check_in(
        tx: &mut Tx,
        team_id: TeamId,
        actor: &Actor,
        field: &'static str,
    ) -> Result<TeamMember, Error> {
        match tx.find_team(team_id).await? {
            Some(team) if team.users.contains(&actor.user_id) || actor.service => {
                Ok(TeamMember { team })
            }
            _ => Err(Error::no_team(field)),
        }
    }
}

fn refuse_direct(direct: bool) -> Result<(), Error> {
    match direct {
        true => Err(Error::Forbidden("a direct chat stays as it is")),
        false => Ok(()),
    }
}

fn visible(standing: Option<Standing>, service: bool) -> Result<Standing, Error> {
    let standing = standing.filter(|standing| standing.sees() || service);
    let standing = standing.ok_or_else(Error::no_chat)?;
    match standing.banned && !service {
        true if standing.sees_as_stranger() => {
            Err(Error::Forbidden("you are banned from this chat"))
        }
        true => Err(Error::no_chat()),
        false => Ok(standing),
    }
}
