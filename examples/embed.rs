//! Runs the server in a program that adds an HTTP route and receives the committed events. It has
//! the same settings as `chinwag`: `cargo run --example embed -- --help`.

use std::error::Error;

use chinwag::axum::Router;
use chinwag::axum::extract::{Path, State};
use chinwag::axum::http::StatusCode;
use chinwag::axum::routing::post;
use chinwag::embed::{Event, NewChat, NewMessage, NewUser, Service};
use chinwag::{Program, Server};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let config = Program::of_process().config;
    let routes = |service| Router::new().route("/say/{chat}", post(say)).with_state(service);
    let server = Server::start_with_routes(config, routes).await?;
    let mut events = server.events();

    let host = NewUser { id: Some("host".into()), name: "Host".into(), ..NewUser::default() };
    let host = server.service().create_user(host).await?;
    // At the next start, this finds the chat that the first one has made.
    let client_id = Some("news".into());
    let news = NewChat { name: "News".into(), public: true, client_id, ..NewChat::default() };
    let news = server.service().create_chat(&host.id, news).await?;
    println!("say something: curl -d Hello http://{}/say/{}", server.address(), news.id);

    let end = tokio::signal::ctrl_c();
    tokio::pin!(end);
    loop {
        let event = tokio::select! {
            event = events.next() => event,
            _ = &mut end => break,
        };
        match event {
            Some(Ok(Event::MessageSent(said))) => println!("{}: {}", said.user_name, said.value),
            Some(Ok(_)) => {}
            Some(Err(missed)) => println!("{missed}"),
            None => break,
        }
    }
    server.shutdown().await;
    Ok(())
}

/// Sends the body of the request to the chat, as the host. Anybody who reaches the server may do
/// this: a real program must check here who the caller is.
async fn say(
    State(service): State<Service>,
    Path(chat): Path<String>,
    text: String,
) -> Result<String, (StatusCode, String)> {
    match service.new_message("host", &chat, NewMessage::text(text)).await {
        Ok(message) => Ok(format!("this is message {}\n", message.seq)),
        Err(error) => Err((StatusCode::BAD_REQUEST, format!("{error}\n"))),
    }
}
