//! A chat that a test keeps locked in PostgreSQL, and the connections that wait for it.

use sqlx::{AssertSqlSafe, Connection, PgConnection};

use crate::support::soon;

/// The PostgreSQL backends that wait for a lock.
const WAITING: &str = "from pg_stat_activity
    where datname = current_database() and wait_event_type = 'Lock'";

/// Two connections to a server's database: `keeper` locks a chat, and `looker` looks at the locks.
pub struct Held {
    keeper: PgConnection,
    looker: PgConnection,
}

impl Held {
    pub async fn on(url: &str) -> Held {
        let (keeper, looker) = (PgConnection::connect(url).await, PgConnection::connect(url).await);
        Held { keeper: keeper.unwrap(), looker: looker.unwrap() }
    }

    pub async fn hold(&mut self, chat: &str) {
        let keep = format!("begin; select from chats where id = '{chat}' for no key update");
        sqlx::raw_sql(AssertSqlSafe(keep)).execute(&mut self.keeper).await.unwrap();
    }

    pub async fn let_go(&mut self) {
        sqlx::raw_sql("rollback").execute(&mut self.keeper).await.unwrap();
    }

    /// Waits until some connection waits for a lock.
    pub async fn awaited(&mut self, by: &str) {
        let waiting = format!("select count(*) {WAITING}");
        soon(&format!("{by} waits for the chat"), async {
            while self.count(&waiting).await == 0 {}
        })
        .await;
    }

    /// Fails unless exactly `but` rows of a table are locked.
    pub async fn assert_free(&mut self, table: &str, but: i64, by: &str) {
        let all = self.count(&format!("select count(*) from {table}")).await;
        let free =
            format!("select count(*) from (select from {table} for no key update skip locked) it");
        assert_eq!(self.count(&free).await, all - but, "{by} has locked {table} before the chat");
    }

    pub async fn count(&mut self, sql: &str) -> i64 {
        let sql = AssertSqlSafe(sql.to_owned());
        sqlx::query_scalar(sql).fetch_one(&mut self.looker).await.unwrap()
    }

    /// Ends the connections that wait for a lock.
    pub async fn cut_off(&mut self) {
        self.count(&format!("select count(pg_terminate_backend(pid)) {WAITING}")).await;
    }

    /// Ends the connections of all servers, of which there must be some.
    pub async fn cut_off_all(&mut self) {
        let ended = "select count(pg_terminate_backend(pid)) from pg_stat_activity
            where datname = current_database() and application_name = 'chinwag'";
        assert!(self.count(ended).await > 0);
    }
}
