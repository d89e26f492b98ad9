//! The addresses that the server listens on.

use std::net::{IpAddr, SocketAddr, TcpListener};
use std::process::Command;

use chinwag::{Config, Server};
use tempfile::TempDir;

use crate::support::program::{Running, output, program};
use crate::support::{database, get};

const EXPOSED: &str = "can be reached from other machines";

/// Whether this machine has IPv6.
fn has_ipv6() -> bool {
    TcpListener::bind("[::1]:0").is_ok()
}

async fn server_on(directory: &TempDir, listen: &[&str]) -> Server {
    Server::start(Config {
        listen: listen.iter().map(|it| (*it).into()).collect(),
        database_url: database::url_in(directory.path()).into(),
        ..Config::default()
    })
    .await
    .unwrap()
}

async fn assert_healthy(address: SocketAddr) {
    assert!(get(address, "/healthz", "").await.starts_with("HTTP/1.1 200 "), "{address}");
}

#[tokio::test]
async fn a_free_port_is_the_same_on_all_addresses() {
    let both = ["127.0.0.1", "::1"].map(|it| it.parse::<IpAddr>().unwrap());
    let both = if has_ipv6() { &both[..] } else { &both[..1] };
    let two = ["127.0.0.1:0".parse::<IpAddr>(), "127.0.0.2".parse()];
    let two: Vec<_> = two.into_iter().map(|it| it.unwrap_or(both[0])).collect();
    for (listen, expected) in [
        (vec!["localhost:0"], both),
        (vec!["LOCALHOST:0", "127.0.0.1:0"], both),
        (vec!["127.0.0.1:0", "127.0.0.2:0", "127.0.0.1:0"], &two),
    ] {
        let directory = TempDir::new().unwrap();
        let server = server_on(&directory, &listen).await;
        let addresses = server.addresses();
        assert_eq!(addresses[0], server.address());
        let found: Vec<_> = addresses.iter().map(SocketAddr::ip).collect();
        assert_eq!(found, expected, "{listen:?}");
        for address in addresses {
            assert_eq!(address.port(), server.address().port());
            assert_healthy(*address).await;
        }
        server.shutdown().await;
    }
}

/// Starts the program without the variable for the listening address.
fn start(arguments: &[&str], change: impl FnOnce(&mut Command)) -> Running {
    let directory = TempDir::new().unwrap();
    Running::with(directory.path(), |command| {
        command.args(arguments).env_remove("CHINWAG_LISTEN");
        change(command);
    })
}

#[tokio::test]
async fn the_first_line_names_all_addresses() {
    let running = start(&["--listen", "127.0.0.1:0,127.0.0.2:0"], |_| {});
    let port = running.address.port();
    let urls = format!("http://127.0.0.1:{port} and http://127.0.0.2:{port}");
    assert_eq!(running.first_line, format!("chinwag listening on {urls} (access: open)\n"));
    let repeated = ["--listen", "127.0.0.1:0", "--listen", "127.0.0.2:0"];
    assert!(start(&repeated, |_| {}).first_line.contains(" and http://127.0.0.2:"));
}

#[test]
fn the_database_hint_is_the_path_of_the_file_without_the_query() {
    let directory = TempDir::new().unwrap();
    let mut running = Running::with(directory.path(), |command| {
        command.args(["--listen", "127.0.0.1:0", "--database-url", "sqlite:chat.db?mode=rwc"]);
        command.current_dir(directory.path());
    });
    let file = directory.path().canonicalize().unwrap().join("chat.db");
    assert!(running.hints().ends_with(&format!("database: {}\n", file.display())));
}

#[test]
fn the_demo_page_hint_has_an_address_that_a_browser_reaches() {
    let mut served = start(&["--listen", "0.0.0.0:0", "--access", "token"], |_| {});
    let port = served.address.port();
    assert!(served.first_line.contains(&format!("http://0.0.0.0:{port} ")));
    assert!(served.hints().starts_with(&format!("demo page: http://127.0.0.1:{port}/\n")));
}

#[test]
fn the_default_addresses_are_both_loopback_addresses() {
    // This shows whether or not port 3000 is free here.
    let directory = TempDir::new().unwrap();
    let database = database::sqlite_in(directory.path());
    let mut command = Command::new("timeout");
    command.args(["--preserve-status", "3", env!("CARGO_BIN_EXE_chinwag")]);
    command.env_remove("CHINWAG_LISTEN").args(["--database-url", &database]);
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    let both = "http://127.0.0.1:3000 and http://[::1]:3000 (access: open)";
    let one = "http://127.0.0.1:3000 (access: open)";
    let served = text.contains(if has_ipv6() { both } else { one });
    assert!(served || text.contains("1:3000: Address already in use"), "{text}");
}

#[tokio::test]
async fn the_port_variable_is_used_if_no_address_is_set() {
    let with_port = |port: &'static str| {
        move |command: &mut Command| {
            command.env("PORT", port);
        }
    };
    let running = start(&["--access", "open"], with_port("0"));
    assert!(running.first_line.contains("http://0.0.0.0:"), "{}", running.first_line);
    let running = start(&["--listen", "127.0.0.1:0"], with_port("1"));
    assert!(running.first_line.contains("http://127.0.0.1:"), "{}", running.first_line);
    let running = start(&[], |command| {
        command.env("PORT", "1").env("CHINWAG_LISTEN", "127.0.0.1:0");
    });
    assert!(running.first_line.contains("http://127.0.0.1:"), "{}", running.first_line);

    for (port, why) in [("5000", EXPOSED), ("5000", "0.0.0.0:5000"), ("tcp://10.0.0.1:80", "PORT")]
    {
        let output = program().env_remove("CHINWAG_LISTEN").env("PORT", port).output().unwrap();
        assert_eq!(output.status.code(), Some(2));
        let text = String::from_utf8_lossy(&output.stderr);
        assert!(text.contains(why), "{text}");
    }
    // A command that does not serve ignores `PORT`.
    let mut command = program();
    command
        .args(["backup", "copy.db", "--database-url", "sqlite:none.db"])
        .env("PORT", "tcp://10.0.0.1:80");
    let text = String::from_utf8(command.output().unwrap().stderr).unwrap();
    assert!(text.contains("none.db") && !text.contains("PORT"), "{text}");
}

#[test]
fn an_address_without_a_port_is_refused() {
    for (setting, wrong, why) in [
        ("--listen", ["3000", "127.0.0.1", ":3000", "localhost:x"], "such as localhost:3000"),
        ("--metrics-listen", ["3000", "127.0.0.1", ":3000", "localhost:3000"], "an IP address"),
    ] {
        for address in wrong {
            let (output, text) = output(&[setting, address]);
            assert_eq!(output.status.code(), Some(2), "{text}");
            assert!(text.contains(why), "{text}");
        }
    }
    let (output, text) = output(&["--listen", "no-such-name.invalid:3000"]);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("cannot listen on no-such-name.invalid:3000"), "{text}");
}
