//! A start takes no longer when more messages are stored. `CHINWAG_RESTART=1000000` stores so many.

use std::env;
use std::time::{Duration, Instant};

use serde_json::json;
use sqlx::{AssertSqlSafe, Connection, SqliteConnection};
use tempfile::TempDir;
use tokio::time::sleep;

use crate::support::database::{is_no_file, sqlite_in};
use crate::support::program::Running;
use crate::support::{Client, TestServer};

const CHATS: usize = 100;
/// How often each is started; the quickest start counts, as other programs disturb.
const STARTS: usize = 7;

/// A database, and one of its chats.
struct Filled {
    directory: TempDir,
    chat: String,
}

impl Filled {
    /// A database with so many messages, all of which can be searched.
    async fn with(messages: usize) -> Filled {
        let server = TestServer::start().await;
        let mut ann = server.user("ann").await;
        let mut chat = String::new();
        for _ in 0..CHATS {
            chat = ann.chat("long", true, &[]).await;
        }
        let (directory, each) = (server.shutdown().await, messages / CHATS);
        let fill = format!(
            "with recursive numbers (n) as
                 (select 1 union all select n + 1 from numbers where n < {each})
             insert into messages
                 (chat_id, seq, id, user_id, kind, body, created_at, modified_at)
             select chats.id, n, randomblob(16), creator_id, 0,
                 'message number ' || n || ' of this chat, as long as most are', n, n
             from chats cross join numbers;
             update chats set last_seq = {each};"
        );
        let mut database = SqliteConnection::connect(&sqlite_in(directory.path())).await.unwrap();
        sqlx::raw_sql(AssertSqlSafe(fill)).execute(&mut database).await.unwrap();
        // Now the index of words is complete.
        let server = TestServer::on(directory, |_| {}).await;
        let behind = "select count(*) from chats where not exists (select 1 from search_chats s
                      where s.chat_id = chats.id and s.seq = last_seq)";
        while sqlx::query_scalar::<_, i64>(behind).fetch_one(&mut database).await.unwrap() > 0 {
            sleep(Duration::from_millis(50)).await;
        }
        database.close().await.unwrap();
        Filled { directory: server.shutdown().await, chat }
    }

    /// How long it takes after a kill until a client that connects at once is shown a page.
    async fn start(&self) -> Duration {
        let began = Instant::now();
        let mut running = Running::start(self.directory.path());
        let mut client = Client::connect(running.address).await;
        let user = json!({ "external_id": "ann", "name": "ann", "photo": "" });
        client.done("create-user", json!({ "user": user })).await;
        let query = json!({ "chat": { "id": self.chat }, "query": { "limit": 10 } });
        let page = client.done("list-messages", query).await;
        let took = began.elapsed();
        assert!(!page["messages"].as_array().unwrap().is_empty());
        // When it is killed, its log is not empty.
        client.say(&self.chat, "hello").await;
        running.kill();
        took
    }
}

#[tokio::test]
async fn more_stored_messages_do_not_slow_the_start() {
    if is_no_file("more_stored_messages_do_not_slow_the_start") {
        return;
    }
    let many = env::var("CHINWAG_RESTART").map_or(50_000, |text| text.parse().expect("messages"));
    let filled = [Filled::with(1000).await, Filled::with(many).await];
    let mut quickest = [Duration::MAX; 2];
    for _ in 0..STARTS {
        for (filled, quickest) in filled.iter().zip(&mut quickest) {
            *quickest = filled.start().await.min(*quickest);
        }
    }
    println!("with 1,000 messages {:?}, with {many} {:?}", quickest[0], quickest[1]);
    assert!(quickest[1] <= 2 * quickest[0], "{quickest:?}");
}
