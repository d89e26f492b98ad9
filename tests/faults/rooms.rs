//! Users of the rooms API, who call and pick up. It takes no `client_id`: what was not answered is
//! not said again.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::sleep;

use crate::history::Shown;
use crate::load::{PAUSE, World};
use crate::random::Random;
use crate::support::rpc::{call, state, texts};

/// Says and picks up, from one lost answer to the next: what was in it does not come again.
pub async fn talk(world: Arc<World>, name: &'static str, mut random: Random) {
    let (open, mut number) = (world.chats.open.clone(), 0);
    while !world.stops() && !world.is_wrong() {
        number += 1;
        let who = format!("{name}.{number}");
        let mut shown = Shown { who, chat: open.clone(), texts: Vec::new(), own: HashSet::new() };
        // Whether the user is there is not known.
        let _ = ask(&world, "NewUser", json!([name]), &mut random).await;
        let _ = ask(&world, "EnterRoom", json!([state(name, "0"), open]), &mut random).await;
        stay(&world, &state(name, &open), &mut shown, &mut random).await;
        world.history().show(shown);
        sleep(PAUSE).await;
    }
}

/// None once a call has failed.
async fn stay(world: &World, state: &Value, shown: &mut Shown, random: &mut Random) -> Option<()> {
    // What was in an answer that was lost is not to be missed.
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
        world.wrong(format!("{method} was answered {answer}"));
    }
    answer.get_mut("result").map(Value::take)
}
