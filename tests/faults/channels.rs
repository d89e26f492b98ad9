//! Clients of the channels. The server does not acknowledge a message; it shows it to its
//! sender, too.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::sleep;

use crate::history::Shown;
use crate::load::{ANSWER, Actor, PAUSE, World};
use crate::plain::{Next, Plain};
use crate::random::Random;

const NAME: &str = "faults";

/// Makes the channel by having a nick join it; returns the id of its chat.
pub async fn make(world: &World, nick: &str) -> String {
    join(world, nick, &mut Random::new(0, 0)).await.expect("a channel");
    let chats = world.done(&Actor::named(nick), "list-chats", json!({})).await;
    chats["chats"][0]["id"].as_str().unwrap().to_owned()
}

/// Sends and receives messages, on one connection after the other.
pub async fn talk(world: Arc<World>, nick: &'static str, mut random: Random) {
    let mut number = 0;
    while !world.stops() && !world.is_wrong() {
        let Some(mut plain) = join(&world, nick, &mut random).await else {
            // The nick is taken until the server knows that the connection before has gone.
            sleep(PAUSE).await;
            continue;
        };
        number += 1;
        world.history().figures.connections += 1;
        let who = format!("{nick}.{number}");
        let texts = talk_on(&world, &mut plain, &who, &mut random).await;
        let chat = world.chats.channel.clone();
        world.history().show(Shown { who, chat, texts, own: HashSet::new() });
    }
}

/// Talks until the connection ends, or for a while; returns the texts that came.
async fn talk_on(world: &World, plain: &mut Plain, who: &str, random: &mut Random) -> Vec<String> {
    let (mut texts, mut number) = (Vec::new(), 0);
    while !world.stops() && !random.one_in(200) {
        match plain.next(Duration::from_millis(random.below(200) as u64)).await {
            Next::Frame(frame) if frame["type"] == 0 => {
                texts.push(frame["message"].as_str().unwrap_or_default().to_owned());
            }
            Next::Frame(frame) if frame["type"] == -1 => {
                world.may_again("a frame of the channel", &json!({ "error": frame }));
            }
            Next::Frame(_) => {}
            Next::Nothing => {
                number += 1;
                let text = format!("{who} {number}");
                let packet = json!({ "type": 0, "dest": NAME, "message": text });
                if !plain.send(&packet).await {
                    break;
                }
            }
            Next::Closed => break,
        }
    }
    texts
}

/// Connects a nick and joins the channel; none if that fails.
async fn join(world: &World, nick: &str, random: &mut Random) -> Option<Plain> {
    let address = world.address(random).await;
    let mut plain = Plain::open(address, &format!("/chat/login/{nick}"), None).await?;
    until(&mut plain, |frame| frame["type"] == 2 && frame["user"] == nick).await?;
    plain.send(&json!({ "type": 4, "channel": NAME })).await;
    until(&mut plain, |frame| frame["type"] == 4 && frame["user"] == nick).await?;
    Some(plain)
}

/// Waits for a frame; none if an error comes first, or the connection ends.
async fn until(plain: &mut Plain, is_it: impl Fn(&Value) -> bool) -> Option<()> {
    loop {
        match plain.next(ANSWER).await {
            Next::Frame(frame) if is_it(&frame) => return Some(()),
            Next::Frame(frame) if frame["type"] != -1 => {}
            _ => return None,
        }
    }
}
