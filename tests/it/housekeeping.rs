//! What the server does by itself: at its start, and every half a minute.

use std::time::Duration;

use chinwag::Config;
use tempfile::TempDir;
use tokio::time::sleep;

use crate::held::Held;
use crate::proxy::Proxy;
use crate::services;
use crate::support::TestServer;

/// Two rounds come in less.
const PATIENCE: Duration = Duration::from_secs(70);

/// Asks until this is the answer.
async fn until(what: &str, looker: &mut Held, sql: &str, answer: i64) {
    let waiting = async {
        while looker.count(sql).await != answer {
            sleep(Duration::from_millis(100)).await;
        }
    };
    assert!(tokio::time::timeout(PATIENCE, waiting).await.is_ok(), "did not happen: {what}");
}

#[tokio::test]
async fn a_lock_whose_connection_says_nothing_is_taken_again() {
    let Some(postgres) = services::postgres() else { return };
    let database = services::database(&postgres).await;
    let proxy = Proxy::to(&database).await;
    let through_it = |config: &mut Config| config.database_url = proxy.url(&database).into();
    let _server = TestServer::on(TempDir::new().unwrap(), through_it).await;
    let mut looker = Held::on(&database).await;
    let locks = "select count(*) from pg_locks join pg_database d on d.oid = database
        where locktype = 'advisory' and granted and datname = current_database()";
    assert_eq!(looker.count(locks).await, 1);
    proxy.cut_off();
    looker.cut_off_all().await;
    until("PostgreSQL has dropped it", &mut looker, locks, 0).await;
    until("it is taken again", &mut looker, locks, 1).await;
}
