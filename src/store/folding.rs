//! Names that were stored before names were folded and checked for invisible characters. They stay
//! as they are; their folded forms are filled in before the server accepts clients.
//!
//! If several handles or email addresses fold to the same form, the user with the lowest id gets
//! it. The others are found only by their exact spelling.

use std::collections::HashSet;

use futures_util::TryStreamExt;

use super::sqlite::json;
use super::{Store, Transaction, Tx, on};
use crate::config::Limits;
use crate::error::Error;
use crate::model::{Handle, Name, fold};

/// A user whose handle or email address is not folded: the id, the handle and the email address.
type Unfolded = (String, Option<String>, Option<String>);

/// The ids of users, and a folded form of each.
type Forms = (Vec<String>, Vec<String>);

impl Store {
    /// Fills in missing folded forms, and logs how many names stay that would be refused now.
    pub async fn fold_names(&self, limits: &Limits) -> Result<(), Error> {
        let mut last = String::new();
        loop {
            let page = self.list_unfolded(&last).await?;
            let Some((id, ..)) = page.last() else {
                break;
            };
            last.clone_from(id);
            let mut tx = self.begin().await?;
            tx.fold(&page).await?;
            tx.commit([]).await?;
        }
        self.fold_beginnings().await?;
        self.fold_public_names().await?;
        let alike = self.count_unfolded().await?;
        if alike > 0 {
            tracing::warn!(
                alike,
                "users have a handle or an email address that is another's in another spelling: \
                 they stay, and are found by their own spelling alone"
            );
        }
        self.check_names(limits).await
    }

    async fn list_unfolded(&self, after: &str) -> Result<Vec<Unfolded>, Error> {
        let page = on!(Db self, |pool| {
            sqlx::query_as(
                "select id, handle, email from users
                 where id > $1 and ((handle is not null and handle_folded is null)
                     or (email is not null and email_folded is null))
                 order by id limit 200",
            )
            .bind(after)
            .fetch_all(pool)
            .await
        })?;
        Ok(page)
    }

    /// Fills in the forms by which names are searched.
    async fn fold_beginnings(&self) -> Result<(), Error> {
        loop {
            let page: Vec<(String, Name)> = on!(Db self, |pool| {
                sqlx::query_as("select id, name from users where name_folded is null limit 1000")
                    .fetch_all(pool)
                    .await
            })?;
            if page.is_empty() {
                return Ok(());
            }
            let (ids, forms) = page.iter().map(|(id, name)| (id, name.folded())).unzip();
            let mut tx = self.begin().await?;
            tx.update_beginnings(ids, forms).await?;
            tx.commit([]).await?;
        }
    }

    async fn count_unfolded(&self) -> Result<i64, Error> {
        let count = on!(Db self, |pool| {
            sqlx::query_scalar(
                "select count(*) from users
                 where (handle is not null and handle_folded is null)
                     or (email is not null and email_folded is null)",
            )
            .fetch_one(pool)
            .await
        })?;
        Ok(count)
    }

    /// Logs, once for each database, how many names would be refused now.
    async fn check_names(&self, limits: &Limits) -> Result<(), Error> {
        let unchecked: bool = on!(Db self, |pool| {
            sqlx::query_scalar("select exists (select 1 from unchecked where what = 'names')")
                .fetch_one(pool)
                .await
        })?;
        if !unchecked {
            return Ok(());
        }
        match self.count_refused(limits).await {
            Ok(0) => {}
            Ok(refused) => tracing::warn!(
                refused,
                "handles and names of users, chats and teams would be refused now, as invisible \
                 say: they stay"
            ),
            Err(error) => {
                error.warn("the names could not be looked through; the next start tries again");
                return Ok(());
            }
        }
        let mut tx = self.begin().await?;
        on!(Tx tx, |connection| {
            sqlx::query("delete from unchecked where what = 'names'").execute(connection).await?;
        });
        tx.commit([]).await
    }

    async fn count_refused(&self, limits: &Limits) -> Result<u64, Error> {
        // Do not check the length, as its limit can be set.
        let limits = Limits { max_name: usize::MAX, ..limits.clone() };
        let is_refused = |(is_handle, name): &(bool, String)| match is_handle {
            true => Handle::parse(name, &limits).is_err(),
            false => Name::parse(name, &limits).is_err(),
        };
        let refused = on!(Db self, |pool| {
            sqlx::query_as(
                "select true, handle from users where handle is not null
                 union all select false, name from users
                 union all select false, name from chats
                 union all select false, name from teams",
            )
            .fetch(pool)
            .try_fold(0, async |refused, name| Ok(refused + u64::from(is_refused(&name))))
            .await
        })?;
        Ok(refused)
    }
}

impl Tx {
    /// Gives each user the folded forms, unless another user has them.
    async fn fold(&mut self, page: &[Unfolded]) -> Result<(), Error> {
        // Until the transaction ends, nobody else can take any of these names.
        let names = page.iter().flat_map(|(_, handle, email)| handle.iter().chain(email));
        self.lock_names(&Vec::from_iter(names.map(String::as_str))).await?;
        let handles = forms(page.iter().map(|(id, handle, _)| (id, handle)));
        let emails = forms(page.iter().map(|(id, _, email)| (id, email)));
        match &mut *self.inner {
            Transaction::Sqlite(inner) => {
                sqlx::query(
                    "update users set handle_folded = j.value ->> 1 from json_each($1) j
                     where users.id = j.value ->> 0 and handle_folded is null and not exists (
                         select 1 from users u where u.handle_folded = j.value ->> 1
                     )",
                )
                .bind(json(handles.0.iter().zip(&handles.1)))
                .execute(&mut **inner)
                .await?;
                sqlx::query(
                    "update users set email_folded = j.value ->> 1 from json_each($1) j
                     where users.id = j.value ->> 0 and email_folded is null and not exists (
                         select 1 from users u where u.email_folded = j.value ->> 1
                     )",
                )
                .bind(json(emails.0.iter().zip(&emails.1)))
                .execute(&mut **inner)
                .await?;
            }
            Transaction::Postgres(inner) => {
                sqlx::query(
                    "update users set handle_folded = form
                     from unnest($1::text[], $2::text[]) forms (user_id, form)
                     where id = user_id and handle_folded is null and not exists (
                         select 1 from users u where u.handle_folded = form
                     )",
                )
                .bind(handles.0)
                .bind(handles.1)
                .execute(&mut **inner)
                .await?;
                sqlx::query(
                    "update users set email_folded = form
                     from unnest($1::text[], $2::text[]) forms (user_id, form)
                     where id = user_id and email_folded is null and not exists (
                         select 1 from users u where u.email_folded = form
                     )",
                )
                .bind(emails.0)
                .bind(emails.1)
                .execute(&mut **inner)
                .await?;
            }
        }
        Ok(())
    }
}

impl Tx {
    async fn update_beginnings(
        &mut self,
        ids: Vec<&String>,
        forms: Vec<String>,
    ) -> Result<(), Error> {
        match &mut *self.inner {
            Transaction::Sqlite(inner) => {
                sqlx::query(
                    "update users set name_folded = j.value ->> 1 from json_each($1) j
                     where users.id = j.value ->> 0",
                )
                .bind(json(ids.iter().zip(&forms)))
                .execute(&mut **inner)
                .await?;
            }
            Transaction::Postgres(inner) => {
                sqlx::query(
                    "update users set name_folded = form
                     from unnest($1::text[], $2::text[]) forms (user_id, form) where id = user_id",
                )
                .bind(ids)
                .bind(forms)
                .execute(&mut **inner)
                .await?;
            }
        }
        Ok(())
    }
}

/// The folded form of each name; if several are the same, only the first.
fn forms<'a>(names: impl Iterator<Item = (&'a String, &'a Option<String>)>) -> Forms {
    let mut given = HashSet::new();
    let forms = names.filter_map(|(id, name)| Some((id.clone(), fold(name.as_ref()?))));
    forms.filter(|(_, form)| given.insert(form.clone())).unzip()
}
