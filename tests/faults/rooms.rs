//! Users of the rooms API, who send messages and poll. It takes no `client_id`, so that they send
//! no message a second time.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::sleep;

use crate::history::Shown;
use crate::load::{PAUSE, World};
use crate::random::Random;
use crate::support::rpc::{call, state, texts};

/// Sends and picks up messages. It starts anew after a lost answer, whose messages do not come
/// again.
pub async fn talk(world: Arc<World>, name: &'static str, mut random: Random) {
    let (open, mut number) = (world.chats.open.clone(), 0);
    while !world.stops() && !world.is_wrong() {
        number += 1;
        let who = format!("{name}.{number}");
        let mut shown = Shown { who, chat: open.clone(), texts: Vec::new(), own: HashSet::new() };
        // These calls may fail: the user may be logged in or in the room already.
        let _ = ask(&world, "NewUser", json!([name]), &mut random).await;
        let _ = ask(&world, "EnterRoom", json!([state(name, "0"), open]), &mut random).await;
        stay(&world, &state(name, &open), &mut shown, &mut random).await;
        world.history().show(shown);
        sleep(PAUSE).await;
    }
}

/// Talks in the room; none once a call has failed.
async fn stay(world: &World, state: &Value, shown: &mut Shown, random: &mut Random) -> Option<()> {
    // Skips the messages so far: some may have been in an answer that was lost.
    ask(world, "PickUpHistory", json!([state]), random).await?;
    let mut number = 0;
    while !world.stops() {
        if random.one_in(3) {
            let picked = ask(world, "PickUpHistory", json!([state]), random).await?;
            shown.texts.extend(texts(&picked["Messages"]));
        } else {
            number += 1;
            let text = format!("{} {number}", shown.who);
            ask(world, "SendMessage", json!([text, state]), random).await?;
            world.history().acknowledge_text(&shown.chat, text);
        }
        sleep(Duration::from_millis(random.below(150) as u64)).await;
    }
    Some(())
}

/// The result of a call; none if it is refused, or not answered.
async fn ask(world: &World, method: &str, params: Value, random: &mut Random) -> Option<Value> {
    let mut answer = world.post("/rpc", None, &call(1, method, params), random).await?;
    if answer["error"]["data"]["code"] == "internal" {
        world.wrong(format!("{method} failed with {answer}"));
    }
    answer.get_mut("result").map(Value::take)
}
