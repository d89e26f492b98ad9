//! What the protocols' texts require of a server, a table for each part: Engine.IO 4 and 3, whose
//! texts are in the repository `socketio/engine.io-protocol`, and on top of them Socket.IO 5 and 4,
//! in `socketio/socket.io-protocol`. Where the server deviates, a table says so.

mod engine;
mod socket;

use std::collections::HashMap;
use std::time::Duration;

use data_encoding::HEXLOWER;
use futures_util::future::join_all;

use crate::support::TestServer;
use crate::support::patience::within;
use crate::support::transports::{Opening, Transport};

use self::Over::{Both, Polling, WebSocket};

/// A rule, the transports that it applies to, and the steps that show it, separated by ` | `:
///
/// - `> 2` sends a packet. It must be accepted, unless the next step is that the session closes.
/// - `+ 0102` sends bytes, as the transport carries them.
/// - `post 1:2` sends a polling client's body as it is.
/// - `< 3` is the packet that must come next, but for pings of the server, which are answered; `…`
///   in it stands for anything.
/// - `poll 1:3` is the body of the next poll, in which `…` stands for anything, too.
/// - `closed`: the session ends, and nothing but pings comes until then.
/// - `works`: a request is sent, and its answer is the next packet.
///
/// A step after `ws: ` is of a WebSocket that `ws: open` opens beside the session; `ws2: ` is a
/// second one. `␞` is the separator of protocol 4.
type Rule = (&'static str, Over, &'static str);

#[derive(Clone, Copy)]
enum Over {
    Both,
    WebSocket,
    Polling,
}

/// What takes longer than this counts as never happening.
const PATIENCE: Duration = Duration::from_secs(15);

/// Plays all rules on connections of this version of Engine.IO, each after these first steps. Fails
/// with all rules that do not hold.
async fn hold(server: &TestServer, protocol: u8, first: &str, rules: &[Rule]) {
    let mut plays = Vec::new();
    for (name, over, steps) in rules {
        for polling in [false, true] {
            if matches!((over, polling), (Both, _) | (WebSocket, false) | (Polling, true)) {
                let told = format!("EIO={protocol}, polling: {polling}: {name}");
                let steps = format!("{first}{steps}");
                plays.push(async move {
                    play(server, protocol, polling, &steps)
                        .await
                        .map_err(|why| format!("{told}: {why}"))
                });
            }
        }
    }
    let broken = Vec::from_iter(join_all(plays).await.into_iter().filter_map(Result::err));
    assert!(broken.is_empty(), "{broken:#?}");
}

async fn play(server: &TestServer, protocol: u8, polling: bool, steps: &str) -> Result<(), String> {
    let opening = Opening { protocol, polling, query: "", authorization: "" };
    let transport = Transport::open(server, opening).await;
    let mut transports = HashMap::from([("", transport)]);
    let steps = Vec::from_iter(steps.split(" | ").map(str::trim));
    for (at, step) in steps.iter().copied().enumerate() {
        let ends = steps.get(at + 1).is_some_and(|next| next.ends_with("closed"));
        let (whom, what) = match step.split_once(": ") {
            Some((whom, what)) if whom.starts_with("ws") => (whom, what),
            _ => ("", step),
        };
        if what == "open" {
            let beside = transports[""].websocket().await;
            transports.insert(whom, beside);
            continue;
        }
        let transport = transports.get_mut(whom).expect("it was opened");
        let done = within(PATIENCE, take(transport, protocol, what, ends)).await;
        done.unwrap_or_else(|| Err("nothing came".into()))
            .map_err(|why| format!("at `{step}`: {why}"))?;
    }
    Ok(())
}

async fn take(
    transport: &mut Transport<'_>,
    protocol: u8,
    step: &str,
    ends: bool,
) -> Result<(), String> {
    let (verb, what) = step.split_once(' ').unwrap_or((step, ""));
    let what = what.replace('␞', "\u{1e}");
    let sent = match verb {
        ">" => transport.try_send(&what).await,
        "+" => transport.send_bytes(protocol, &HEXLOWER.decode(what.as_bytes()).unwrap()).await,
        "post" => transport.post(&what).await,
        "works" => transport.try_send(r#"429["works?"]"#).await,
        _ => true,
    };
    if !sent && !ends {
        return Err("it was not taken".into());
    }
    match verb {
        "<" if what == "2" => is_like("2", transport.next().await),
        "<" => is_like(&what, next(transport).await),
        "poll" => is_like(&what, transport.poll().await),
        "works" => is_like("439[…]", next(transport).await),
        "closed" => loop {
            match transport.next().await.as_deref() {
                None => return Ok(()),
                // The server says that the session is closed, or that there is nothing to bring.
                Some("" | "1" | "2" | "6") => {}
                Some(other) => return Err(format!("{other} came")),
            }
        },
        _ => Ok(()),
    }
}

/// The next packet except pings, which are answered.
async fn next(transport: &mut Transport<'_>) -> Option<String> {
    loop {
        match transport.next().await? {
            packet if packet == "2" => transport.try_send("3").await,
            packet => return Some(packet),
        };
    }
}

fn is_like(pattern: &str, got: Option<String>) -> Result<(), String> {
    let got = got.ok_or("the session has ended")?;
    let mut parts = pattern.split('…');
    let mut rest = got.strip_prefix(parts.next().unwrap_or_default());
    let mut parts = parts.peekable();
    while let (Some(part), Some(text)) = (parts.next(), rest) {
        rest = match parts.peek() {
            Some(_) => text.split_once(part).map(|(_, after)| after),
            None => text.strip_suffix(part).map(|_| ""),
        };
    }
    (rest == Some("")).then_some(()).ok_or(format!("{got} came"))
}
