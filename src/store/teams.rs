//! The `teams` and `team_members` tables.

use futures_util::TryStreamExt;
use sqlx_macros::FromRow;

use super::sqlite::json;
use super::{Store, Transaction, Tx, on};
use crate::clock::Time;
use crate::error::Error;
use crate::model::{Name, Team, TeamId, UserId};

/// A team's columns and its members' ids, one per line: no id has a line break.
macro_rules! team_columns {
    () => {
        "t.id, t.name, t.slug, t.creator_id, t.created_at, t.modified_at, (
             select string_agg(user_id, '\n') from (
                 select user_id from team_members where team_id = t.id
                 order by joined_at, user_id
             ) m
         ) as users"
    };
}

const FIND_TEAM: &str = concat!("select ", team_columns!(), " from teams t where t.id = $1");

const LIST_TEAMS: &str = concat!(
    "select ",
    team_columns!(),
    " from team_members own join teams t on t.id = own.team_id
     where own.user_id = $1 order by own.joined_at, t.id limit $2"
);

#[derive(FromRow)]
struct TeamRow {
    id: TeamId,
    name: Name,
    slug: String,
    creator_id: UserId,
    users: Option<String>,
    created_at: Time,
    modified_at: Time,
}

impl TeamRow {
    /// About how many bytes it takes on the wire.
    fn size(&self) -> usize {
        const FIXED: usize = 300;
        let users = self.users.as_ref().map_or(0, String::len);
        FIXED + self.name.as_ref().len() + self.slug.len() + users
    }
}

impl From<TeamRow> for Team {
    fn from(row: TeamRow) -> Team {
        let users = row.users.unwrap_or_default();
        Team {
            id: row.id,
            name: row.name,
            slug: row.slug,
            creator_id: row.creator_id,
            users: users.lines().map(UserId::stored).collect(),
            created_at: row.created_at,
            modified_at: row.modified_at,
        }
    }
}

impl Store {
    /// The teams that a user is in, longest membership first: at most `limit` of them, and no more
    /// than fit into `max_bytes` after the first.
    pub async fn list_teams(
        &self,
        user_id: &UserId,
        limit: usize,
        max_bytes: usize,
    ) -> Result<Vec<Team>, Error> {
        let (mut teams, mut bytes) = (Vec::new(), 0);
        on!(Db self, |pool| {
            let mut rows = sqlx::query_as::<_, TeamRow>(LIST_TEAMS)
                .bind(user_id)
                .bind(limit as i64)
                .fetch(pool);
            while let Some(row) = rows.try_next().await? {
                bytes += row.size();
                if bytes > max_bytes && !teams.is_empty() {
                    break;
                }
                teams.push(Team::from(row));
            }
        });
        Ok(teams)
    }
}

impl Tx {
    /// Until the transaction ends, nobody else can change the team.
    pub async fn find_team(&mut self, id: TeamId) -> Result<Option<Team>, Error> {
        if let Transaction::Postgres(inner) = &mut *self.inner {
            sqlx::query("select 1 from teams where id = $1 for no key update")
                .bind(id)
                .execute(&mut **inner)
                .await?;
        }
        let row: Option<TeamRow> = on!(Tx self, |connection| {
            sqlx::query_as(FIND_TEAM).bind(id).fetch_optional(connection).await
        })?;
        Ok(row.map(Team::from))
    }

    pub async fn is_slug_taken(&mut self, slug: &str) -> Result<bool, Error> {
        let taken = on!(Tx self, |connection| {
            sqlx::query_scalar("select exists (select 1 from teams where slug = $1)")
                .bind(slug)
                .fetch_one(connection)
                .await
        })?;
        Ok(taken)
    }

    /// Stores a new team; its `users` become members by
    /// [`insert_team_members`](Tx::insert_team_members).
    pub async fn insert_team(&mut self, team: &Team) -> Result<(), Error> {
        on!(Tx self, |connection| {
            sqlx::query(
                "insert into teams (id, name, slug, creator_id, created_at, modified_at)
                 values ($1, $2, $3, $4, $5, $6)",
            )
            .bind(team.id)
            .bind(&team.name)
            .bind(&team.slug)
            .bind(&team.creator_id)
            .bind(team.created_at)
            .bind(team.modified_at)
            .execute(connection)
            .await?;
        });
        Ok(())
    }

    /// Returns how many of `user_ids` were no members before.
    pub async fn insert_team_members(
        &mut self,
        team_id: TeamId,
        user_ids: &[UserId],
        joined_at: Time,
    ) -> Result<u64, Error> {
        let done = match &mut *self.inner {
            Transaction::Sqlite(inner) => sqlx::query(
                "insert into team_members (team_id, user_id, joined_at)
                     select $1, value, $3 from json_each($2) where true on conflict do nothing",
            )
            .bind(team_id)
            .bind(json(user_ids.iter()))
            .bind(joined_at)
            .execute(inner.in_place())
            .await?
            .rows_affected(),
            Transaction::Postgres(inner) => sqlx::query(
                "insert into team_members (team_id, user_id, joined_at)
                     select $1, id, $3 from unnest($2::text[]) u (id) on conflict do nothing",
            )
            .bind(team_id)
            .bind(user_ids)
            .bind(joined_at)
            .execute(&mut **inner)
            .await?
            .rows_affected(),
        };
        Ok(done)
    }

    /// Returns false if the user was no member.
    pub async fn delete_team_member(
        &mut self,
        team_id: TeamId,
        user_id: &UserId,
    ) -> Result<bool, Error> {
        let deleted = on!(Tx self, |connection| {
            sqlx::query("delete from team_members where team_id = $1 and user_id = $2")
                .bind(team_id)
                .bind(user_id)
                .execute(connection)
                .await?
                .rows_affected()
        });
        Ok(deleted > 0)
    }
}
