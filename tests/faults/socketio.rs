//! Clients of Socket.IO: some speak, some receive everything, and guests join and leave.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::{Instant, sleep, timeout_at};

use crate::history::Message;
use crate::load::{ANSWER, Actor, END, GUEST, PAUSE, World, said};
use crate::patience::{PATIENCE, Patience};
use crate::random::Random;
use crate::schedule::between;
use crate::support::Client;
use crate::support::patience::within;

/// A connection that acts as a user, and what it has been shown.
struct Connected {
    world: Arc<World>,
    who: String,
    client: Client,
    /// The number of the latest message that was pushed, by chat.
    pushed: HashMap<String, i64>,
}

impl Connected {
    /// Connects to any node that lets it in. None: it cannot in time, or something is wrong.
    async fn enter(world: &Arc<World>, actor: &Actor, random: &mut Random) -> Option<Connected> {
        let mut patience = Patience::new(&world.site.truce);
        while patience.lasts() {
            let address = world.address(random).await;
            let entering = within(ANSWER, enter(world, address, actor));
            match entering.await {
                Some(Some(client)) => {
                    world.history().figures.connections += 1;
                    let (world, who) = (world.clone(), actor.id.clone());
                    return Some(Connected { world, who, client, pushed: HashMap::new() });
                }
                Some(None) => sleep(PAUSE).await,
                None => world.wrong(format!("{} is not answered on connecting", actor.id)),
            }
            if world.is_wrong() {
                return None;
            }
        }
        world.wrong(format!("{} cannot connect", actor.id));
        None
    }

    /// The answer to a request; none if the connection ends first.
    async fn ask(&mut self, event: &str, body: Value) -> Option<Value> {
        match within(ANSWER, self.client.try_ask(event, body.clone())).await {
            Some(answer) => answer,
            None => {
                self.world.wrong(format!("{}: {event} is not answered: {body}", self.who));
                None
            }
        }
    }

    /// Records the messages that were pushed so far.
    fn note_pushes(&mut self) {
        while let Some(body) = self.client.take_event("new-message") {
            self.note(&body);
        }
    }

    /// Records a message that was pushed, which must be the next of its chat.
    fn note(&mut self, body: &Value) -> Option<Message> {
        let message = self.tell(body)?;
        let before = self.pushed.insert(message.chat.clone(), message.seq);
        if before.is_some_and(|before| message.seq != before + 1) {
            self.world.wrong(format!("{} was shown {message:?} after {before:?}", self.who));
        }
        Some(message)
    }

    fn tell(&self, body: &Value) -> Option<Message> {
        let Some(message) = Message::read(body) else {
            self.world.wrong(format!("{} was shown {body}", self.who));
            return None;
        };
        let mut history = self.world.history();
        history.figures.pushes += 1;
        history.tell(message.clone());
        Some(message)
    }

    /// Records the messages that were pushed to a guest who has joined after the message `joined`,
    /// and may have left after the message `left`. Pushes of messages up to `joined` may still come
    /// after the answer to joining; messages after `left` must never come.
    fn note_stay(&mut self, joined: i64, left: Option<i64>) {
        while let Some(body) = self.client.take_event("new-message") {
            let Some(message) = self.tell(&body) else { return };
            if left.is_some_and(|left| message.seq > left) {
                self.world
                    .wrong(format!("{} left after {left:?} and was shown {message:?}", self.who));
            } else if message.seq > joined {
                let before = self.pushed.insert(message.chat.clone(), message.seq);
                if before.is_some_and(|before| message.seq != before + 1) {
                    self.world
                        .wrong(format!("{} was shown {message:?} after {before:?}", self.who));
                }
            }
        }
    }
}

async fn enter(world: &World, address: std::net::SocketAddr, actor: &Actor) -> Option<Client> {
    if let Some(token) = &actor.token {
        return Client::try_enter(address, &format!("40{}", json!({ "token": token }))).await;
    }
    let mut client = Client::try_connect(address).await?;
    let user = json!({ "id": actor.id, "handle": actor.id, "name": actor.id });
    let answer = client.try_ask("create-user", json!({ "user": user })).await?;
    match answer.get("error") {
        None => Some(client),
        Some(_) => {
            world.may_again("create-user", &answer);
            None
        }
    }
}

/// Sends one message after the other, each until it is acknowledged, and some of them twice.
pub async fn speak(world: Arc<World>, name: &'static str, mut random: Random) {
    let (actor, chats, mut number) = (Actor::named(name), world.chats.shared(), 0);
    let mut connection = None;
    while !world.stops() {
        number += 1;
        let (text, chat) = (format!("{name} {number}"), &chats[random.below(chats.len())]);
        let began = Instant::now();
        let said = say(&world, &mut connection, &actor, chat, &text, &mut random).await;
        let Some(answer) = said else { return };
        world.acknowledged(&answer, &text, began.elapsed());
        if random.one_in(8) {
            if random.one_in(2) {
                connection = None;
            }
            let again = say(&world, &mut connection, &actor, chat, &text, &mut random).await;
            let Some(again) = again else { return };
            if again != answer {
                world.wrong(format!("a message was answered {answer}, and sent again {again}"));
            }
        }
        sleep(Duration::from_millis(random.below(40) as u64)).await;
    }
}

/// Sends a message until it is answered. None: it is refused, or not answered in time.
async fn say(
    world: &Arc<World>,
    connection: &mut Option<Connected>,
    actor: &Actor,
    chat: &str,
    text: &str,
    random: &mut Random,
) -> Option<Value> {
    let mut patience = Patience::new(&world.site.truce);
    while patience.lasts() {
        if connection.is_none() {
            *connection = Some(Connected::enter(world, actor, random).await?);
        }
        let connected = connection.as_mut()?;
        let answer = connected.ask("new-message", said(chat, text)).await;
        connected.note_pushes();
        match answer {
            Some(answer) if answer.get("error").is_none() => return Some(answer),
            Some(answer) if !world.may_again("new-message", &answer) => return None,
            Some(_) => sleep(PAUSE).await,
            None => *connection = None,
        }
    }
    world.wrong(format!("{text:?} is not acknowledged"));
    None
}

/// Receives every message of these chats to the end, on one connection after the other. It drops
/// its connections without closing them, and sometimes reads slowly.
pub async fn hear(world: Arc<World>, who: Actor, chats: Vec<String>, mut random: Random) {
    let mut kept: HashMap<_, _> = chats.into_iter().map(|chat| (chat, Vec::new())).collect();
    while !kept.values().all(|messages| is_whole(messages)) {
        let Some(mut connected) = Connected::enter(&world, &who, &mut random).await else { break };
        listen(&mut connected, &mut kept, &mut random).await;
        connected.note_pushes();
        if world.is_wrong() {
            break;
        }
    }
    let mut history = world.history();
    for (chat, messages) in kept {
        history.keep(&who.id, &chat, messages);
    }
}

fn is_whole(messages: &[Message]) -> bool {
    messages.last().is_some_and(|last| last.text == END)
}

/// Catches up, then receives pushes for a while; none unless it has got the last of each chat.
async fn listen(
    connected: &mut Connected,
    kept: &mut HashMap<String, Vec<Message>>,
    random: &mut Random,
) -> Option<()> {
    for (chat, messages) in &mut *kept {
        catch_up(connected, chat, messages).await?;
    }
    let goes = Instant::now() + between(random, PAUSE, Duration::from_secs(15));
    let slowly = if random.one_in(4) { 50 } else { 0 };
    while !kept.values().all(|messages| is_whole(messages)) {
        // Once the load ends, it stays until it has everything.
        let until = if connected.world.stops() { Instant::now() + PATIENCE } else { goes };
        let event = timeout_at(until, connected.client.try_next_event()).await.ok()??;
        if let ("new-message", body) = (event.0.as_str(), event.1) {
            let message = connected.note(&body)?;
            let who = &connected.who;
            let Some(known) = kept.get_mut(&message.chat) else {
                connected.world.wrong(format!("{who} was shown {message:?}"));
                return None;
            };
            match known.get(message.seq as usize - 1) {
                Some(same) if *same == message => {}
                None if message.seq == known.len() as i64 + 1 => known.push(message),
                other => {
                    let last = known.len();
                    let what = format!("{who} has {last}, and was shown {message:?} for {other:?}");
                    connected.world.wrong(what);
                    return None;
                }
            }
        }
        if slowly > 0 {
            sleep(Duration::from_millis(random.below(slowly) as u64)).await;
        }
    }
    Some(())
}

/// Asks for the messages that came meanwhile; none if the connection ends first.
async fn catch_up(
    connected: &mut Connected,
    chat: &str,
    messages: &mut Vec<Message>,
) -> Option<()> {
    loop {
        let query = json!({ "after_seq": messages.len() });
        let body = json!({ "chat": { "id": chat }, "query": query });
        let page = connected.ask("list-messages", body).await?;
        let Some(listed) = page["messages"].as_array() else {
            if !connected.world.may_again("list-messages", &page) {
                return None;
            }
            sleep(PAUSE).await;
            continue;
        };
        for message in listed.iter().filter_map(Message::read) {
            if message.seq != messages.len() as i64 + 1 {
                let what = format!("{message:?} was listed after seq {}", messages.len());
                connected.world.wrong(what);
                return None;
            }
            connected.world.history().tell(message.clone());
            messages.push(message);
        }
        if page.get("next").is_none() {
            return Some(());
        }
    }
}

/// Joins and leaves the open chat, over and over. An acknowledged request must hold, and a guest
/// who has left must be pushed nothing. A request without an answer may take effect later: another
/// guest goes on then.
pub async fn come_and_go(world: Arc<World>, mut random: Random) {
    let (mut guests, mut member) = (0, Some(false));
    while !world.stops() && !world.is_wrong() {
        if member.is_none() {
            (guests, member) = (guests + 1, Some(false));
        }
        let guest = Actor::named(&format!("{GUEST}{guests}"));
        let Some(mut connected) = Connected::enter(&world, &guest, &mut random).await else {
            return;
        };
        visit(&mut connected, &mut member, &mut random).await;
    }
}

/// Joins and leaves until the connection ends, or for a while. `member` becomes none when a request
/// may or may not have taken effect.
async fn visit(
    connected: &mut Connected,
    member: &mut Option<bool>,
    random: &mut Random,
) -> Option<()> {
    let open = connected.world.chats.open.clone();
    let is_there = is_member(connected, &open).await?;
    if member.is_some_and(|member| member != is_there) {
        let who = &connected.who;
        connected.world.wrong(format!("{who}'s membership is {is_there}, not {member:?}"));
    }
    let (mut joins, mut joined) = (!is_there, 0);
    while !connected.world.stops() && !random.one_in(20) {
        *member = None;
        let event = if joins { "join-chat" } else { "leave-chat" };
        let answer = connected.ask(event, json!({ "chat": { "id": open } })).await?;
        let Some(last) = answer["chat"]["last_seq"].as_i64() else {
            connected.world.may_again(event, &answer);
            sleep(PAUSE).await;
            return None;
        };
        *member = Some(joins);
        if joins {
            joined = last;
            connected.pushed.insert(open.clone(), last);
        }
        let left = (!joins).then_some(last);
        connected.note_stay(joined, left);
        sleep(Duration::from_millis(random.below(200) as u64)).await;
        is_member(connected, &open).await?;
        connected.note_stay(joined, left);
        joins = !joins;
    }
    Some(())
}

/// Whether the user is a member of the chat; none if the server does not say.
async fn is_member(connected: &mut Connected, chat: &str) -> Option<bool> {
    let answer = connected.ask("list-chats", json!({})).await?;
    let Some(chats) = answer["chats"].as_array() else {
        connected.world.may_again("list-chats", &answer);
        return None;
    };
    Some(chats.iter().any(|it| it["id"] == chat))
}
