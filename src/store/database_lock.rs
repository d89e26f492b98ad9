//! A lock that keeps nodes from sharing a PostgreSQL database if they do not hear each other.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection, PgConnection};
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};

use super::within::{CONNECT_TIMEOUT, SIGN_OF_LIFE, connect, within};

const RETRY: Duration = Duration::from_millis(100);

/// How long the database may take to confirm that a node still has its [`DatabaseLock`].
const ENSURE_TIMEOUT: Duration = Duration::from_secs(10);

/// The number of a [`DatabaseLock`].
pub(super) const LOCK: i64 = i64::from_be_bytes(*b" chinwag");

/// The number of the lock that a node holds while somebody may be in one of its rooms without the
/// other nodes knowing it.
pub(super) const ROOMS: i64 = i64::from_be_bytes(*b"chinroom");

/// A lock that keeps a node without Redis, which hears no other nodes, from sharing a database with
/// others. PostgreSQL holds it as long as the connection is open.
#[derive(Debug)]
pub(super) struct DatabaseLock {
    options: PgConnectOptions,
    /// Whether this node is to be the only one.
    exclusive: bool,
    /// The connection that holds the locks; `None` once it was lost. Code that locks or unlocks
    /// takes it out while it does so: if the connection does not answer, it is not known what it
    /// has locked, and it is closed.
    locked: Mutex<Option<Locked>>,
    /// Whether the lock of the rooms is held, or is to be. It is changed only while `locked` is
    /// held.
    rooms: AtomicBool,
}

#[derive(Debug)]
struct Locked {
    connection: PgConnection,
    since: Instant,
    /// Whether this connection holds the lock of the rooms, too.
    rooms: bool,
}

impl From<PgConnection> for Locked {
    fn from(connection: PgConnection) -> Locked {
        Locked { connection, since: Instant::now(), rooms: false }
    }
}

impl DatabaseLock {
    /// Errors: there is another node that this one would not hear.
    pub async fn acquire(
        options: PgConnectOptions,
        exclusive: bool,
    ) -> Result<DatabaseLock, sqlx::Error> {
        // If a machine is gone, PostgreSQL notices soon and frees its lock.
        let signs_of_life = [
            ("tcp_keepalives_idle", "10"),
            ("tcp_keepalives_interval", "5"),
            ("tcp_keepalives_count", "3"),
            ("tcp_user_timeout", "10s"),
        ];
        let options = options.options(signs_of_life);
        let until = Instant::now() + CONNECT_TIMEOUT;
        let connection = loop {
            // The node that had the lock may still be shutting down.
            match lock(&options, exclusive).await? {
                Some(connection) => break connection,
                None if Instant::now() > until => return Err(refused(exclusive)),
                None => tokio::time::sleep(RETRY).await,
            }
        };
        let locked = Mutex::new(Some(connection.into()));
        Ok(DatabaseLock { options, exclusive, locked, rooms: AtomicBool::new(false) })
    }

    /// Takes the lock again if the connection was lost, and the lock of the rooms with it. Logs an
    /// error if another server that does not share Redis with this one has the lock, and a warning
    /// if PostgreSQL does not answer.
    pub async fn ensure_in_time(&self) {
        match timeout(ENSURE_TIMEOUT, self.ensure()).await {
            Ok(Ok(())) => {}
            Ok(Err(error @ sqlx::Error::Configuration(_))) => {
                tracing::error!(%error, "the lock of the database is another server's");
            }
            Ok(Err(error)) => tracing::warn!(%error, "the lock of the database is not held"),
            Err(_) => tracing::warn!("the lock of the database is not held"),
        }
    }

    async fn ensure(&self) -> Result<(), sqlx::Error> {
        self.ensure_locked(&mut *self.locked.lock().await).await
    }

    async fn ensure_locked(&self, place: &mut Option<Locked>) -> Result<(), sqlx::Error> {
        let (mut locked, mut lost) = (place.take(), None);
        if let Some(there) = &mut locked
            && let Err(error) = within(SIGN_OF_LIFE, there.connection.ping()).await
        {
            (locked, lost) = (None, Some(error));
        }
        if locked.is_none() {
            locked = lock(&self.options, self.exclusive).await?.map(Locked::from);
        }
        // PostgreSQL may leave the lock to the lost connection until it notices the loss.
        let mut locked = locked.ok_or_else(|| lost.unwrap_or_else(|| refused(self.exclusive)))?;
        if self.rooms.load(Ordering::Relaxed) && !locked.rooms {
            // The lock is shared: all nodes may hold it at once, so nobody waits for it.
            let lock = sqlx::query("select pg_advisory_lock_shared($1)").bind(ROOMS);
            within(CONNECT_TIMEOUT, lock.execute(&mut locked.connection)).await?;
            locked.rooms = true;
        }
        *place = Some(locked);
        Ok(())
    }

    /// Tells all nodes, as long as the connection is open, that somebody may be in one of this
    /// node's rooms without them knowing it.
    pub async fn hold_rooms(&self) -> Result<(), sqlx::Error> {
        let mut place = self.locked.lock().await;
        self.rooms.store(true, Ordering::Relaxed);
        self.ensure_locked(&mut place).await
    }

    /// Ends what [`hold_rooms`](Self::hold_rooms) began, if `all_is_known` returns true. It is
    /// called while no other task can begin anew.
    pub async fn release_rooms(
        &self,
        all_is_known: impl FnOnce() -> bool,
    ) -> Result<(), sqlx::Error> {
        // Mostly there is nothing to end. Then this must not wait for a task that holds `locked`
        // while it waits for PostgreSQL.
        if !self.rooms.load(Ordering::Relaxed) {
            return Ok(());
        }
        let mut place = self.locked.lock().await;
        if !all_is_known() {
            return Ok(());
        }
        self.rooms.store(false, Ordering::Relaxed);
        if let Some(mut locked) = place.take_if(|locked| locked.rooms) {
            let unlock = sqlx::query("select pg_advisory_unlock_shared($1)").bind(ROOMS);
            within(CONNECT_TIMEOUT, unlock.execute(&mut locked.connection)).await?;
            locked.rooms = false;
            *place = Some(locked);
        }
        Ok(())
    }

    /// Releases the lock, so that others can use the database.
    pub async fn release(&self) {
        *self.locked.lock().await = None;
    }

    /// Whether a transaction was committed whose own connection broke before the answer came;
    /// `None` if that is not known. This needs a connection that is older than the transaction: it
    /// shows that PostgreSQL has not crashed since, after which the id could belong to another
    /// transaction.
    pub async fn is_committed(&self, id: &str, begun_at: Instant) -> Option<bool> {
        let mut locked = self.locked.lock().await;
        let Locked { connection, since, .. } = locked.as_mut()?;
        if *since > begun_at {
            return None;
        }
        let until = Instant::now() + CONNECT_TIMEOUT;
        while Instant::now() < until {
            let status = sqlx::query_scalar("select pg_xact_status($1::text::xid8)").bind(id);
            let status: Result<Option<String>, _> =
                within(SIGN_OF_LIFE, status.fetch_one(&mut *connection)).await;
            match status.ok()??.as_str() {
                "committed" => return Some(true),
                "aborted" => return Some(false),
                // PostgreSQL has not noticed yet that the transaction's session is gone.
                _ => tokio::time::sleep(RETRY).await,
            }
        }
        None
    }
}

/// `None` if others hold a lock that conflicts.
async fn lock(
    options: &PgConnectOptions,
    exclusive: bool,
) -> Result<Option<PgConnection>, sqlx::Error> {
    let mut connection = connect(options).await?;
    let sql = match exclusive {
        true => "select pg_try_advisory_lock($1)",
        false => "select pg_try_advisory_lock_shared($1)",
    };
    let answer = sqlx::query_scalar(sql).bind(LOCK).fetch_one(&mut connection);
    let locked: bool = within(CONNECT_TIMEOUT, answer).await?;
    Ok(locked.then_some(connection))
}

fn refused(exclusive: bool) -> sqlx::Error {
    sqlx::Error::Configuration(match exclusive {
        true => "another server uses it; nodes that share a database need --redis-url".into(),
        false => "a server without --redis-url uses it; nodes that share a database need it".into(),
    })
}
