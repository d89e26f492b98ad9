//! Two users who write to each other through `/api/ws`, which does not show a connection the
//! messages that this connection has sent.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tokio::time::sleep;

use crate::history::Shown;
use crate::load::{Account, PAUSE, World};
use crate::plain::{Next, Plain};
use crate::random::Random;

/// One of the two sends and receives messages, on one connection after the other.
pub async fn talk(world: Arc<World>, at: usize, mut random: Random) {
    let mut number = 0;
    let (me, other) = (world.pair[at].clone(), world.pair[1 - at].clone());
    while !world.stops() && !world.is_wrong() {
        let address = world.address(&mut random).await;
        let Some(plain) = Plain::open(address, "/api/ws", Some(&me.token)).await else {
            sleep(PAUSE).await;
            continue;
        };
        number += 1;
        world.history().figures.connections += 1;
        let shown = talk_on(&world, plain, [&me, &other], number, &mut random).await;
        world.history().show(shown);
    }
}

/// Talks until the connection ends, or for a while; returns what it was shown.
async fn talk_on(
    world: &World,
    mut plain: Plain,
    [me, other]: [&Account; 2],
    connection: usize,
    random: &mut Random,
) -> Shown {
    let (who, chat) = (format!("{}.{connection}", me.name), world.chats.direct.clone());
    let mut shown = Shown { who, chat, texts: Vec::new(), own: HashSet::new() };
    while !world.stops() && !random.one_in(100) {
        match plain.next(Duration::from_millis(random.below(300) as u64)).await {
            Next::Frame(frame) if frame.get("error").is_some() => {
                world.may_again("a frame of a direct message", &frame);
            }
            Next::Frame(frame) => {
                shown.texts.push(frame["message"].as_str().unwrap_or_default().to_owned());
            }
            Next::Nothing => {
                let text = format!("{} {}", shown.who, shown.own.len());
                let packet = json!({ "author": me.name, "recipient": other.name, "message": text });
                shown.own.insert(text);
                if !plain.send(&packet).await {
                    break;
                }
            }
            Next::Closed => break,
        }
    }
    shown
}
