//! Redis goes down and comes back: the clients of one node notice nothing, those of the other nodes
//! are shown everything later, once and in order.

use std::time::Instant;

use crate::support::crowd::{Crowd, UNBOUNDED};
use crate::support::nodes::Processes;
use crate::support::services::{self, Services};
use crate::support::{Client, message};

/// Two nodes with a Redis of their own.
async fn start() -> Option<(Services, Processes)> {
    let (services, urls) = redis().await?;
    let nodes = Processes::on(vec![urls; 2], &UNBOUNDED).await;
    Some((services, nodes))
}

/// A Redis of the test's own, and the URLs of a new database and of it.
async fn redis() -> Option<(Services, (String, String))> {
    let postgres = services::postgres()?;
    let services = Services::start(&["redis"]).await?;
    let urls = (services::database(&postgres).await, services.url("redis"));
    Some((services, urls))
}

/// A chat of two on the first node and one on the second.
struct Three {
    chat: String,
    ann: Client,
    bob: Client,
    eve: Client,
}

impl Three {
    async fn meet(nodes: &Processes) -> Three {
        let mut ann = nodes[0].user("ann").await;
        let mut bob = nodes[0].user("bob").await;
        let mut eve = nodes[1].user("eve").await;
        let chat = ann.make_private(&mut [&mut bob, &mut eve]).await;
        Three { chat, ann, bob, eve }
    }

    /// Sends a message from ann on the first node; bob, on the same node, must be shown it.
    async fn say(&mut self, text: &str) {
        let said = self.ann.say(&self.chat, text).await;
        assert_eq!(self.bob.next("new-message").await, said);
    }

    async fn hears(&mut self, text: &str) {
        assert_eq!(self.eve.next("new-message").await["msg"], text);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis_is_killed_and_comes_back_under_load() {
    let Some((services, nodes)) = start().await else { return };
    let mut three = Three::meet(&nodes).await;
    let crowd = Crowd::gather(&nodes, 6, 4).await;
    crowd.goes_on(150).await;
    services.kill("redis").await;
    // Within a node, messages do not go through Redis.
    for text in ["one", "two", "three"] {
        three.say(text).await;
    }
    crowd.goes_on(150).await;
    services.start_again("redis").await;
    let began = Instant::now();
    three.say("four").await;
    for text in ["one", "two", "three", "four"] {
        three.hears(text).await;
    }
    println!("heard {:?} after Redis came back", began.elapsed());
    crowd.goes_on(150).await;
    let outcome = crowd.end().await;
    assert!(outcome.errors.is_empty(), "{outcome:?}");
    assert_eq!(outcome.resumed, 0, "{outcome:?}");
    three.eve.nothing_more().await;
    nodes.assert_no_defect();
}

#[tokio::test]
async fn nodes_hear_of_each_other_without_redis_too() {
    let Some((services, nodes)) = start().await else { return };
    let mut three = Three::meet(&nodes).await;
    services.stop("redis").await;
    for text in ["one", "two", "three"] {
        three.say(text).await;
        let began = Instant::now();
        three.hears(text).await;
        println!("heard {:?} later without Redis", began.elapsed());
    }
    // This holds for a chat that is new to a node, too.
    let mut dan = nodes[1].user("dan").await;
    let chat = three.ann.make_private(&mut [&mut dan]).await;
    let said = three.ann.say(&chat, "hello").await;
    assert_eq!(dan.next("new-message").await, said);
    let said = dan.say(&chat, "hello yourself").await;
    assert_eq!(three.ann.next("new-message").await, said);
    services.start_again("redis").await;
    three.say("four").await;
    three.hears("four").await;
    three.eve.nothing_more().await;
    dan.nothing_more().await;
    nodes.assert_no_defect();
}

#[tokio::test]
async fn nodes_start_without_redis() {
    let Some((services, urls)) = redis().await else { return };
    services.kill("redis").await;
    let nodes = Processes::on(vec![urls; 2], &[]).await;
    let mut three = Three::meet(&nodes).await;
    three.say("one").await;
    three.hears("one").await;
    services.start_again("redis").await;
    three.say("two").await;
    three.hears("two").await;
    let body = message(&three.chat, "three");
    let said = three.eve.ask("new-message", body).await;
    for client in [&mut three.ann, &mut three.bob, &mut three.eve] {
        assert_eq!(client.next("new-message").await, said);
    }
    nodes.assert_no_defect();
}
