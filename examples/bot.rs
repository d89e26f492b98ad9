//! A bot in a channel: it answers `ping`. Socket.IO clients meet it in the public chat `#bots`.
//! `cargo run --example bot`, or with another address after `--`.

use std::env;
use std::error::Error;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::Message;

const NICK: &str = "ping_bot";
const CHANNEL: &str = "bots";

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let server = env::args().nth(1).unwrap_or("ws://127.0.0.1:3000".to_owned());
    let (mut socket, _) = connect_async(format!("{server}/chat/login/{NICK}")).await?;
    while let Some(frame) = socket.next().await {
        let Message::Text(frame) = frame? else { continue };
        if let Some(answer) = answer(&serde_json::from_str(&frame)?) {
            socket.send(Message::text(answer.to_string())).await?;
        }
    }
    Err("the server has closed the connection".into())
}

/// The bot's answer to a frame, if any; docs/protocol.md lists the types of frames.
fn answer(frame: &Value) -> Option<Value> {
    let by_bot = frame["user"] == NICK;
    match frame["type"].as_i64() {
        // Logged in.
        Some(2) if by_bot => Some(json!({ "type": 4, "channel": CHANNEL })),
        // In the channel.
        Some(4) if by_bot => {
            println!("{NICK} is in #{CHANNEL}");
            None
        }
        Some(0) if !by_bot && frame["message"] == "ping" => {
            Some(json!({ "type": 0, "dest": CHANNEL, "message": "pong" }))
        }
        Some(-1) => {
            eprintln!("{}", frame["message"]);
            None
        }
        _ => None,
    }
}
