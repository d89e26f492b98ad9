//! Misbehaving clients: they send rubbish, disconnect in the middle of it, do not read, and ask for
//! what they may not see.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::sleep;

use crate::load::{ANSWER, SLEEPER, World};
use crate::random::Random;
use crate::support::patience::within;
use crate::support::{Client, message};

/// A user who is a member of no chat.
pub const SPY: &str = "spy";

const RUBBISH: [&str; 6] = [
    "\0\0\0\0",
    "GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: x\r\n",
    "POST /rpc HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{\"jsonrpc\":",
    "GET /chat/login/x HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
    "GET /socket.io/?EIO=3&transport=polling&sid=none HTTP/1.1\r\nHost: x\r\n\r\n",
    "POST /api/events/new-message HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nffff\r\n",
];

const FRAMES: [&str; 6] = [
    "42[",
    "421[\"new-message\"]",
    "51-[\"x\",{\"_placeholder\":true,\"num\":0}]",
    "9",
    "40/x,",
    "4",
];

pub async fn annoy(world: Arc<World>, mut random: Random) {
    while !world.stops() && !world.is_wrong() {
        let address = world.address(&mut random).await;
        let long = Duration::from_millis(random.below(3000) as u64);
        match random.below(5) {
            0 => {
                if let Ok(mut stream) = TcpStream::connect(address).await {
                    let rubbish = RUBBISH[random.below(RUBBISH.len())];
                    let _ = stream.write_all(rubbish.as_bytes()).await;
                    sleep(long).await;
                }
            }
            1 => {
                let Some(mut client) = connect(address).await else { continue };
                let mut frames = Vec::from_iter((0..5).map(|_| FRAMES[random.below(6)].to_owned()));
                frames.push("x".repeat(2 << 20));
                client.send_many(frames.into_iter()).await;
            }
            2 => sleep_on(address, long).await,
            _ => {
                if within(ANSWER, spy(&world, address, long)).await.is_none() {
                    world.wrong(format!("{SPY} is not answered"));
                }
            }
        }
        sleep(Duration::from_millis(100)).await;
    }
}

async fn connect(address: SocketAddr) -> Option<Client> {
    within(ANSWER, Client::try_connect(address)).await?
}

/// Connects as a member, and does not read.
async fn sleep_on(address: SocketAddr, long: Duration) {
    let Some(mut client) = connect(address).await else { return };
    let user = json!({ "user": { "id": SLEEPER, "handle": SLEEPER, "name": SLEEPER } });
    let _ = within(ANSWER, client.try_ask("create-user", user)).await;
    sleep(long).await;
}

/// Asks for the chats of others, which must be refused and not shown; none if the connection ends.
async fn spy(world: &World, address: SocketAddr, long: Duration) -> Option<()> {
    let mut client = Client::try_connect(address).await?;
    let claim = json!({ "user": { "id": world.pair[0].id, "name": "x" } });
    refuses(world, &mut client, "create-user", claim).await?;
    let user = json!({ "user": { "id": SPY, "handle": SPY, "name": SPY } });
    let entered = client.try_ask("create-user", user).await?;
    if entered.get("error").is_some() {
        return None;
    }
    for chat in world.chats.private.iter().chain([&world.chats.direct]) {
        let of_chat = json!({ "chat": { "id": chat } });
        let channel = json!({ "channel": format!("room-{chat}") });
        refuses(world, &mut client, "list-messages", of_chat.clone()).await?;
        refuses(world, &mut client, "join-chat", of_chat).await?;
        refuses(world, &mut client, "subscribe", channel).await?;
        refuses(world, &mut client, "new-message", message(chat, "spy was here")).await?;
    }
    sleep(long).await;
    client.try_ask("list-chats", json!({})).await?;
    for event in ["new-message", "chat-message"] {
        if let Some(body) = client.take_event(event) {
            world.wrong(format!("{SPY} was shown {body}"));
        }
    }
    Some(())
}

/// Reports an error unless a request is refused.
async fn refuses(world: &World, client: &mut Client, event: &str, body: Value) -> Option<()> {
    let answer = client.try_ask(event, body.clone()).await?;
    let code = answer["error"]["code"].as_str().unwrap_or_default();
    let refusals = ["not_found", "forbidden", "unauthenticated", "unavailable", "rate_limited"];
    if !refusals.contains(&code) {
        world.wrong(format!("{SPY}: {event} with {body} was answered {answer}"));
    }
    Some(())
}
