//! Users as others see them: found by what names them in full, or by how their names begin; and
//! when they were last seen.

use std::collections::HashMap;

use futures_util::TryStreamExt;
use sqlx_macros::FromRow;

use super::sqlite::json;
use super::{Db, Store, Transaction, Tx, on};
use crate::clock::Time;
use crate::error::Error;
use crate::model::{Naming, Person, UserId, fold};

macro_rules! columns {
    () => {
        "u.id, u.handle, u.name, u.photo, u.data, u.last_seen_at"
    };
}

/// Searches all users. Of each of the two indexes, no more is read than is asked for.
const FIND_PEOPLE: &str = concat!(
    "select ",
    columns!(),
    " from users u
     where u.deletion is null and u.id in (
         select id from (
             select id from users where handle_folded >= $1 and handle_folded < $2
             order by handle_folded limit $3
         ) by_handle
         union all
         select id from (
             select id from users where name_folded >= $1 and name_folded < $2
             order by name_folded, id limit $3
         ) by_name
     )
     order by u.name_folded, u.id limit $3"
);

/// Searches users who share a chat or a team with `$4`, private chats first, and the user with
/// exactly this handle. However large the chats are, no more rows are read than the limits say.
const FIND_ACQUAINTANCES: &str = concat!(
    "select ",
    columns!(),
    " from users u
     where u.deletion is null and (
         (u.handle_folded >= $1 and u.handle_folded < $2)
         or (u.name_folded >= $1 and u.name_folded < $2)
     ) and u.id in (
         select id from users where handle_folded = $1
         union all
         select user_id from (
             select others.user_id from (
                 select m.chat_id from members m join chats c on c.id = m.chat_id
                 where m.user_id = $4 and not c.ended
                 order by c.private desc, c.active_at desc limit 1000
             ) mine join members others on others.chat_id = mine.chat_id limit 10000
         ) in_chats
         union all
         select user_id from (
             select others.user_id from team_members mine
             join team_members others on others.team_id = mine.team_id
             where mine.user_id = $4 limit 10000
         ) in_teams
     )
     order by u.name_folded, u.id limit $3"
);

/// A user, with the external id, by which the user may be named, too.
#[derive(FromRow)]
struct Named {
    #[sqlx(flatten)]
    person: Person,
    external_id: Option<String>,
}

/// Users, as many as fit on a page.
pub struct People {
    pub users: Vec<Person>,
    /// Whether there are more users that did not fit.
    pub more: bool,
}

impl Store {
    /// These users, in this order, without unknown ones; no more than fit into `max_bytes` after
    /// the first.
    pub async fn list_people(&self, namings: &[Naming], max_bytes: usize) -> Result<People, Error> {
        let [mut ids, mut external_ids, mut handles, mut folded] = [const { Vec::new() }; 4];
        for naming in namings {
            match naming {
                Naming::Id(id) => ids.push(id.as_ref().to_owned()),
                Naming::ExternalId(id) => external_ids.push(id.as_ref().to_owned()),
                Naming::Handle(handle) => {
                    handles.push(handle.as_ref().to_owned());
                    folded.push(handle.folded());
                }
            }
        }
        let mut found = Found { by_name: HashMap::new(), users: Vec::new(), bytes: 0, max_bytes };
        match &self.db {
            Db::Sqlite(pools) => {
                let mut rows = sqlx::query_as::<_, Named>(concat!(
                    "select ",
                    columns!(),
                    ", u.external_id from users u
                     where u.deletion is null and (
                         u.id in (select value from json_each($1))
                         or u.external_id in (select value from json_each($2))
                         or u.handle in (select value from json_each($3))
                         or u.handle_folded in (select value from json_each($4))
                     )"
                ))
                .bind(json(ids.iter()))
                .bind(json(external_ids.iter()))
                .bind(json(handles.iter()))
                .bind(json(folded.iter()))
                .fetch(&pools.readers);
                while let Some(row) = rows.try_next().await?.filter(|row| found.takes(row)) {
                    found.add(row);
                }
            }
            Db::Postgres(pool) => {
                let mut rows = sqlx::query_as::<_, Named>(concat!(
                    "select ",
                    columns!(),
                    ", u.external_id from users u
                     where u.deletion is null and (
                         u.id = any($1) or u.external_id = any($2)
                         or u.handle = any($3) or u.handle_folded = any($4)
                     )"
                ))
                .bind(ids)
                .bind(external_ids)
                .bind(handles)
                .bind(folded)
                .fetch(pool);
                while let Some(row) = rows.try_next().await?.filter(|row| found.takes(row)) {
                    found.add(row);
                }
            }
        }
        Ok(found.in_order(namings))
    }

    /// Users whose handle or name begins with `beginning`, which is
    /// [folded](crate::model::fold_beginning): all users, or those who share a chat or a team with
    /// `known_to`. At most `limit` of them, and no more than fit into `max_bytes` after the first.
    pub async fn find_people(
        &self,
        beginning: &str,
        known_to: Option<&UserId>,
        limit: usize,
        max_bytes: usize,
    ) -> Result<People, Error> {
        let sql = if known_to.is_some() { FIND_ACQUAINTANCES } else { FIND_PEOPLE };
        let (mut users, mut bytes) = (Vec::new(), 0);
        on!(Db self, |pool| {
            let mut query = sqlx::query_as::<_, Person>(sql)
                .bind(beginning)
                .bind(format!("{beginning}{}", char::MAX))
                .bind(limit as i64 + 1);
            if let Some(user_id) = known_to {
                query = query.bind(user_id);
            }
            let mut rows = query.fetch(pool);
            while let Some(person) = rows.try_next().await? {
                bytes += person.size();
                if users.len() == limit || (bytes > max_bytes && !users.is_empty()) {
                    return Ok(People { users, more: true });
                }
                users.push(person);
            }
        });
        Ok(People { users, more: false })
    }
}

/// What has been read about the users that are asked for.
struct Found {
    /// The index in `users` for each id, external id, handle and folded handle.
    by_name: HashMap<(Kind, String), usize>,
    users: Vec<Person>,
    bytes: usize,
    max_bytes: usize,
}

#[derive(PartialEq, Eq, Hash)]
enum Kind {
    Id,
    ExternalId,
    Handle,
    Folded,
}

impl Found {
    /// Whether there is room for a user.
    fn takes(&mut self, row: &Named) -> bool {
        self.bytes += row.person.size();
        self.bytes <= self.max_bytes || self.users.is_empty()
    }

    fn add(&mut self, row: Named) {
        let Named { person, external_id } = row;
        let at = self.users.len();
        let handle = person.handle.as_ref().map(|handle| handle.as_ref().to_owned());
        let folded = handle.as_ref().map(|handle| (Kind::Folded, fold(handle)));
        let names = [
            Some((Kind::Id, person.id.as_ref().to_owned())),
            external_id.map(|id| (Kind::ExternalId, id)),
            handle.map(|handle| (Kind::Handle, handle)),
            folded,
        ];
        self.by_name.extend(names.into_iter().flatten().map(|name| (name, at)));
        self.users.push(person);
    }

    fn in_order(self, namings: &[Naming]) -> People {
        let more = self.bytes > self.max_bytes && self.users.len() < namings.len();
        let at = |kind, name: &str| self.by_name.get(&(kind, name.to_owned())).copied();
        let places = namings.iter().filter_map(|naming| match naming {
            Naming::Id(id) => at(Kind::Id, id.as_ref()),
            Naming::ExternalId(id) => at(Kind::ExternalId, id.as_ref()),
            Naming::Handle(handle) => {
                at(Kind::Handle, handle.as_ref()).or_else(|| at(Kind::Folded, &handle.folded()))
            }
        });
        let places = Vec::from_iter(places);
        let mut users = Vec::from_iter(self.users.into_iter().map(Some));
        // A user who is named twice is listed once.
        let users = places.into_iter().filter_map(|at| users.get_mut(at)?.take()).collect();
        People { users, more }
    }
}

impl Tx {
    /// A user as others see them.
    pub async fn find_person(&mut self, id: &UserId) -> Result<Option<Person>, Error> {
        let person = on!(Tx self, |connection| {
            sqlx::query_as(concat!(
                "select ",
                columns!(),
                " from users u where u.id = $1 and u.deletion is null"
            ))
            .bind(id)
            .fetch_optional(connection)
            .await
        })?;
        Ok(person)
    }

    /// The users with whom a user has a direct chat, latest activity first: at most `max`.
    pub async fn list_direct_with(
        &mut self,
        user_id: &UserId,
        max: i64,
    ) -> Result<Vec<UserId>, Error> {
        let users = on!(Tx self, |connection| {
            sqlx::query_scalar(
                "select other.user_id from members m
                 join chats c on c.id = m.chat_id and c.direct_pair is not null
                 join members other on other.chat_id = m.chat_id and other.user_id <> $1
                 where m.user_id = $1 order by c.active_at desc limit $2",
            )
            .bind(user_id)
            .bind(max)
            .fetch_all(connection)
            .await
        })?;
        Ok(users)
    }

    /// Notes when users were last seen.
    pub async fn update_last_seen(&mut self, seen: &[(UserId, Time)]) -> Result<(), Error> {
        match &mut *self.inner {
            Transaction::Sqlite(inner) => {
                sqlx::query(
                    "update users set last_seen_at = j.value ->> 1 from json_each($1) j
                     where users.id = j.value ->> 0 and users.deletion is null
                         and coalesce(users.last_seen_at, 0) < j.value ->> 1",
                )
                .bind(json(seen.iter().map(|(id, at)| (id, at.as_micros()))))
                .execute(inner.in_place())
                .await?;
            }
            Transaction::Postgres(inner) => {
                // Lock in the order in which all transactions lock users.
                sqlx::query(
                    "with locked as (
                         select u.id from users u where u.id = any($1) order by u.id
                         for no key update
                     )
                     update users set last_seen_at = seen.at
                     from unnest($1::text[], $2::bigint[]) seen (id, at)
                     join locked on locked.id = seen.id
                     where users.id = seen.id and users.deletion is null
                         and coalesce(users.last_seen_at, 0) < seen.at",
                )
                .bind(Vec::from_iter(seen.iter().map(|(id, _)| id)))
                .bind(Vec::from_iter(seen.iter().map(|(_, at)| *at)))
                .execute(&mut **inner)
                .await?;
            }
        }
        Ok(())
    }
}
