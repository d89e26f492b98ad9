//! Teams: users who share chats.

use std::collections::BTreeSet;
use std::iter;

use super::access::TeamMember;
use super::users::find_user;
use super::{Actor, App, Viewer};
use crate::clock;
use crate::error::Error;
use crate::model::{Event, Name, Team, TeamId, UserId};
use crate::store::Tx;

impl App {
    /// Creates a team of the actor and `users`. Errors: `not_found`, naming every id in `users`
    /// that belongs to no user.
    pub async fn create_team(
        &self,
        actor: &Actor,
        name: Name,
        users: Vec<UserId>,
    ) -> Result<Team, Error> {
        let mut tx = self.begin_as(actor).await?;
        let unknown = tx.list_unknown_users(&users).await?;
        if !unknown.is_empty() {
            return Err(Error::no_users(&unknown));
        }
        // Sorted by id, because the store sorts members who joined at the same time so.
        let users: BTreeSet<_> = iter::once(actor.user_id.clone()).chain(users).collect();
        let now = clock::now();
        let team = Team {
            id: TeamId::new(),
            slug: free_slug(&mut tx, &name).await?,
            name,
            creator_id: actor.user_id.clone(),
            users: users.into_iter().collect(),
            created_at: now,
            modified_at: now,
        };
        tx.insert_team(&team).await?;
        tx.insert_team_members(team.id, &team.users, now).await?;
        tx.commit([]).await?;
        Ok(team)
    }

    /// The actor's teams, longest membership first; at most a page of them. Errors: `rate_limited`.
    pub async fn list_teams(&self, actor: &Actor) -> Result<Vec<Team>, Error> {
        let (max, max_bytes) = (self.limits.max_page, self.limits.max_page_bytes);
        let viewer = Viewer::from(actor);
        self.admit_reading(&viewer).await?;
        let permit = self.read_permit(&viewer).await?;
        let teams = self.store.list_teams(&actor.user_id, max, max_bytes).await?;
        drop(permit);
        self.count_bytes_read(&viewer, teams.iter().map(Team::size).sum()).await;
        Ok(teams)
    }

    /// Adds a user to one of the actor's teams. Errors: `not_found`; `conflict` for a user who is
    /// in it, and for a team with as many users as a chat may be created with.
    pub async fn add_to_team(
        &self,
        actor: &Actor,
        team_id: TeamId,
        user_id: UserId,
    ) -> Result<Team, Error> {
        let mut tx = self.begin_as(actor).await?;
        let TeamMember { team } = TeamMember::check_in(&mut tx, team_id, actor, "team.id").await?;
        find_user(&mut tx, &user_id).await?;
        if team.users.len() > self.limits.max_chat_users && !team.users.contains(&user_id) {
            return Err(Error::conflict("team.id", "the team is full"));
        }
        let users = std::slice::from_ref(&user_id);
        if tx.insert_team_members(team.id, users, clock::now()).await? == 0 {
            return Err(Error::conflict("user.id", "is in the team already"));
        }
        let team = find_team(&mut tx, team_id).await?;
        tx.commit([]).await?;
        Ok(team)
    }

    /// Removes a user from one of the actor's teams, and so from all the team's chats. The team's
    /// creator and the service may remove anyone, others only themselves. Errors: `not_found`,
    /// `forbidden`; `conflict` for a user who is not in the team.
    pub async fn remove_from_team(
        &self,
        actor: &Actor,
        team_id: TeamId,
        user_id: UserId,
    ) -> Result<Team, Error> {
        let mut tx = self.begin_as(actor).await?;
        let TeamMember { team } = TeamMember::check_in(&mut tx, team_id, actor, "team.id").await?;
        find_user(&mut tx, &user_id).await?;
        let any = actor.user_id == team.creator_id || actor.service;
        if !any && actor.user_id != user_id {
            return Err(Error::Forbidden("only the team's creator may remove others"));
        }
        if !tx.delete_team_member(team.id, &user_id).await? {
            return Err(Error::conflict("user.id", "is not in the team"));
        }
        let chat_ids = tx.list_team_chat_ids(team.id).await?;
        tx.lock_chats(&chat_ids).await?;
        tx.delete_invitations_in_team(team.id, &user_id).await?;
        let mut passed_on = Vec::new();
        for chat_id in &chat_ids {
            if tx.find_owner(*chat_id).await?.as_ref() == Some(&user_id) {
                passed_on.extend(self.pass_on(&mut tx, *chat_id, &user_id).await?);
            }
        }
        tx.delete_member_in_team(team.id, &user_id).await?;
        let team = find_team(&mut tx, team_id).await?;
        let left = |chat_id| Event::MemberLeft { chat_id, user_id: user_id.clone(), sees: false };
        tx.commit(chat_ids.into_iter().map(left).chain(passed_on)).await?;
        Ok(team)
    }
}

async fn find_team(tx: &mut Tx, id: TeamId) -> Result<Team, Error> {
    let team = tx.find_team(id).await?;
    team.ok_or_else(|| Error::no_team("team.id"))
}

/// A team's slug: the name in lowercase, with dashes for all but letters and digits, and with a
/// number if another team has this slug.
async fn free_slug(tx: &mut Tx, name: &Name) -> Result<String, Error> {
    let dashed = |c: char| if c.is_alphanumeric() { c } else { '-' };
    let dashed: String = name.as_ref().to_lowercase().chars().map(dashed).collect();
    let words: Vec<_> = dashed.split('-').filter(|word| !word.is_empty()).collect();
    let plain = if words.is_empty() { "team".to_owned() } else { words.join("-") };
    // Lock the name without its number: the second "crew" and the first "crew 2" would get the same
    // slug.
    let stem = plain.trim_end_matches(|c: char| c == '-' || c.is_ascii_digit());
    tx.lock_names(&[stem]).await?;
    if !tx.is_slug_taken(&plain).await? {
        return Ok(plain);
    }
    // Doubles the number, then halves the range. This takes few steps, even if many numbers are
    // taken. The number that it finds is free, but not always the lowest.
    let numbered = |number: u64| format!("{plain}-{number}");
    let (mut taken, mut free) = (1, 2);
    while tx.is_slug_taken(&numbered(free)).await? {
        (taken, free) = (free, free * 2);
    }
    while taken + 1 < free {
        let middle = taken + (free - taken) / 2;
        match tx.is_slug_taken(&numbered(middle)).await? {
            true => taken = middle,
            false => free = middle,
        }
    }
    Ok(numbered(free))
}
