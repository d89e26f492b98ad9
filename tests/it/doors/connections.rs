//! The limits of connections, in all and from one address.

use std::fs;
use std::net::SocketAddr;
use std::time::Duration;

use chinwag::{Access, Limits};
use futures_util::future::join_all;
use serde_json::json;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

use crate::support::live::Live;
use crate::support::program::{Running, freeze};
use crate::support::{Client, TestServer, message, soon};

const POLLING: &str = "/socket.io/?EIO=4&transport=polling";
const WHY: &str = "--max-connections-per-address";

fn status(answer: &str) -> &str {
    answer.split(' ').nth(1).unwrap_or("none")
}

#[tokio::test]
async fn sockets_over_the_limit_are_closed() {
    let server = TestServer::with_limits(|limits| {
        limits.max_connections = 3;
        limits.max_connections_per_address = Some(3);
    })
    .await;
    let _two = [server.connect().await, server.connect().await];
    // Polling opens sockets without keeping connections.
    let open = async || {
        let answer = server.get(POLLING, "").await;
        let sid = answer.split("\"sid\":\"").nth(1).unwrap().split('"').next().unwrap();
        let next = server.get(&format!("{POLLING}&sid={sid}"), "").await;
        status(&next).to_owned()
    };
    assert_eq!(open().await, "200");
    assert_eq!(open().await, "400", "there is no such socket");
}

#[tokio::test]
async fn connections_over_the_limit_wait() {
    let server = TestServer::with_limits(|limits| {
        limits.max_connections = 2;
        limits.max_connections_per_address = Some(2);
    })
    .await;
    let one = Client::connect(server.address()).await;
    let _two = Client::connect(server.address()).await;
    let mut third = std::pin::pin!(Client::connect(server.address()));
    let early = tokio::time::timeout(Duration::from_millis(300), third.as_mut()).await;
    assert!(early.is_err(), "a third connection was accepted");
    drop(one);
    soon("the third connection is accepted", third).await;
}

/// How many connections to a server wait to be accepted.
#[cfg(target_os = "linux")]
fn unaccepted(server: SocketAddr) -> usize {
    let local = format!(":{:04X} 00000000:0000 0A ", server.port());
    let sockets = fs::read_to_string("/proc/net/tcp").unwrap();
    let mut queues = sockets.lines().filter_map(|line| line.split_once(&local)?.1.split_once(' '));
    let (queues, _) = queues.next().expect("it listens");
    usize::from_str_radix(queues.rsplit_once(':').unwrap().1, 16).unwrap()
}

/// How often the kernel has refused a connection because too many wait, of any server.
#[cfg(target_os = "linux")]
fn overflows() -> u64 {
    let counts = fs::read_to_string("/proc/net/netstat").unwrap();
    let mut rows = counts.lines().filter_map(|line| line.strip_prefix("TcpExt: "));
    let (names, values) = rows.next().zip(rows.next()).unwrap();
    let mut counts = names.split(' ').zip(values.split(' '));
    counts.find(|(name, _)| *name == "ListenOverflows").unwrap().1.parse().unwrap()
}

/// A server that is paused accepts no connections.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn the_queue_of_unaccepted_connections_is_bounded() {
    let directory = TempDir::new().unwrap();
    let running = Running::start(directory.path());
    freeze(running.id()).await;
    let system = fs::read_to_string("/proc/sys/net/core/somaxconn").unwrap();
    let most = system.trim().parse::<usize>().unwrap().min(4096);
    let server = running.address;
    let mut waiting = Vec::new();
    let request = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    for _ in 0..most {
        let room = soon("there is room for it", TcpStream::connect(server));
        let mut stream = room.await.unwrap();
        // Before it is accepted: the server closes a connection that says nothing for 10 s.
        stream.write_all(request).await.unwrap();
        waiting.push(stream);
    }
    soon("they wait", async {
        while unaccepted(server) < most {
            tokio::task::yield_now().await;
        }
    })
    .await;
    let before = overflows();
    let further = join_all((0..64).map(|_| TcpStream::connect(server)));
    let refused = async {
        while overflows() == before {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        _ = further => panic!("{most} connections wait, and 64 further ones"),
        () = soon("one is refused", refused) => {}
    }
    // The kernel queues one more.
    assert!(unaccepted(server) <= most + 1, "{} connections wait", unaccepted(server));
    running.signal("CONT");
    for mut stream in waiting {
        let mut answer = [0; 12];
        soon("an answer", stream.read_exact(&mut answer)).await.unwrap();
        assert_eq!(&answer, b"HTTP/1.1 200");
    }
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_client_that_acknowledges_no_bytes_is_closed() {
    let server = TestServer::with_limits(|limits| {
        limits.unacked_timeout = Duration::from_secs(1);
    })
    .await;
    let (mut ann, bob) = (server.user("ann").await, server.sign_up("bob").await);
    let watch = json!({ "users": [{ "id": bob.id() }] });
    // A connection with small buffers, which is never read.
    let _unread = Live::connect(&server, bob.access()).await;
    assert_eq!(ann.done("watch-users", watch).await["users"][0]["online"], true);
    let direct = ann.done("open-direct", json!({ "user": { "id": bob.id() } })).await;
    let chat = direct["chat"]["id"].as_str().unwrap();
    for _ in 0..10 {
        ann.done("new-message", message(chat, &"x".repeat(400_000))).await;
    }
    // A ping is sent only after 25 s: this is noticed earlier.
    assert_eq!(ann.next_of("presence").await["online"], false);
}

/// A connection that comes from another loopback address.
async fn from(address: &str, server: SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(format!("{address}:0").parse().unwrap()).unwrap();
    socket.connect(server).await.unwrap()
}

/// What the server sends next on a connection; nothing once it has ended.
async fn said(stream: &mut TcpStream) -> String {
    let mut said = [0; 1024];
    let length = soon("something is said", stream.read(&mut said)).await.unwrap_or(0);
    String::from_utf8_lossy(&said[..length]).into_owned()
}

/// Whether the server answers a request on a connection, which stays open.
async fn is_served(stream: &mut TcpStream) -> bool {
    let request = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";
    // It may have been closed.
    let _ = stream.write_all(request).await;
    status(&said(stream).await) == "200"
}

#[tokio::test]
async fn one_address_cannot_take_all_connections() {
    // By default one address may have half of them.
    let server = TestServer::with_limits(|limits| limits.max_connections = 4).await;
    let taker = async || from("127.0.0.2", server.address()).await;
    let (mut first, mut second) = (taker().await, taker().await);
    assert!(is_served(&mut first).await && is_served(&mut second).await);
    for _ in 0..10 {
        // One too many is answered before it asks.
        let refused = said(&mut taker().await).await;
        assert_eq!(status(&refused), "429", "{refused}");
        assert!(refused.contains(WHY), "{refused}");
    }
    let mut bystander = server.connect().await;
    bystander.ask("list-chats", serde_json::json!({})).await;

    drop(first);
    let again = async { while !is_served(&mut taker().await).await {} };
    soon("the place is free again", again).await;
}

/// A server behind one proxy; each client of the test plays that proxy.
async fn behind_a_proxy(change: impl FnOnce(&mut Limits)) -> TestServer {
    TestServer::with(|config| {
        config.access = Some(Access::Open);
        config.trusted_proxies = 1;
        change(&mut config.limits);
    })
    .await
}

#[tokio::test]
async fn behind_a_proxy_the_address_that_it_saw_is_counted() {
    let server = behind_a_proxy(|limits| limits.max_connections_per_address = Some(2)).await;
    let open = async |path: &str, from: &str| {
        let url = format!("ws://{}{path}", server.address());
        let mut request = url.into_client_request().unwrap();
        request.headers_mut().insert("x-forwarded-for", from.parse().unwrap());
        Client::open_url(request).await
    };
    let asked = async |from: &str| {
        let answer = server.get("/healthz", &format!("X-Forwarded-For: {from}\r\n")).await;
        let refused = status(&answer) == "429";
        assert_eq!(refused, answer.contains(WHY), "{answer}");
        !refused
    };
    let socket = "/socket.io/?EIO=4&transport=websocket";
    // The addresses of a /64 count as one.
    for (one, same, other) in [
        ("203.0.113.1", "203.0.113.1", "203.0.113.2"),
        ("2001:db8:0:1::1", "2001:db8:0:1:ffff::1", "2001:db8:0:2::1"),
    ] {
        let first = open(socket, one).await;
        let _second = open("/chat/login/ann", same).await;
        assert!(!asked(one).await && !asked(same).await, "{one}");
        assert!(asked(other).await, "{other}");
        drop(first);
        soon("a place is free again", async { while !asked(one).await {} }).await;
    }
}

#[tokio::test]
async fn one_address_cannot_take_all_sockets_by_polling() {
    // By default one address may have half of them.
    let server = behind_a_proxy(|limits| limits.max_connections = 4).await;
    let (taker, bystander) = ("203.0.113.1", "203.0.113.2");
    let from = |address| format!("X-Forwarded-For: {address}\r\n");
    let open = async |address| {
        let answer = server.get(POLLING, &from(address)).await;
        let sid = answer.split("\"sid\":\"").nth(1).unwrap().split('"').next().unwrap();
        let path = format!("{POLLING}&sid={sid}");
        // Its first packet is a ping.
        let stays = status(&server.get(&path, &from(address)).await) == "200";
        stays.then_some(path)
    };
    let mut taken = Vec::new();
    for _ in 0..10 {
        taken.extend(open(taker).await);
    }
    assert_eq!(taken.len(), 2);
    assert!(open(bystander).await.is_some());
    // The end of a socket makes room for another one.
    let head = format!("POST {} HTTP/1.1\r\nHost: localhost\r\n{}", taken[0], from(taker));
    let close = format!("{head}Content-Length: 1\r\nConnection: close\r\n\r\n1");
    assert_eq!(status(&server.exchange(&close).await), "200");
    soon("there is room again", async { while open(taker).await.is_none() {} }).await;
    assert!(open(taker).await.is_none());
}

#[tokio::test]
async fn a_proxy_may_have_more_connections_than_a_client() {
    let server = behind_a_proxy(|limits| limits.max_connections_per_address = Some(1)).await;
    let mut clients = Vec::new();
    for number in 1..=4 {
        let url = format!("ws://{}/chat/login/nick_{number}", server.address());
        let mut request = url.into_client_request().unwrap();
        let from = format!("203.0.113.{number}").parse().unwrap();
        request.headers_mut().insert("x-forwarded-for", from);
        clients.push(Client::open_url(request).await);
    }
}
