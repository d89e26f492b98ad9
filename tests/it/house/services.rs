//! The services that tests start for themselves: these answer, and end as they should.

use sqlx::{Connection, PgConnection};
use tokio::net::TcpStream;

use crate::support::services::{Services, address, ask_redis, database, kafka, postgres, redis};
use crate::support::soon;

#[tokio::test]
async fn postgres_answers_and_makes_databases() {
    let Some(url) = postgres() else { return };
    let (one, other) = (database(&url).await, database(&url).await);
    assert_ne!(one, other);
    let mut connection = PgConnection::connect(&one).await.unwrap();
    let answer: (i32,) = sqlx::query_as("select 1").fetch_one(&mut connection).await.unwrap();
    assert_eq!(answer, (1,));
}

#[tokio::test]
async fn redis_answers() {
    let Some(url) = redis() else { return };
    assert_eq!(ask_redis(&url, "PING").await, "+PONG");
}

#[tokio::test]
async fn kafka_answers() {
    let Some(broker) = kafka() else { return };
    soon("a connection", TcpStream::connect(broker)).await.unwrap();
}

#[tokio::test]
async fn a_service_is_stopped_and_started_on_the_same_port() {
    let Some(services) = Services::start(&["redis"]).await else { return };
    let url = services.url("redis");
    assert_eq!(ask_redis(&url, "SET a 1").await, "+OK");
    services.stop("redis").await;
    assert!(TcpStream::connect(address(&url)).await.is_err());
    services.start_again("redis").await;
    assert_eq!(ask_redis(&url, "GET a").await, "$-1", "it kept something");
    services.kill("redis").await;
    services.start_again("redis").await;
    assert_eq!(services.url("redis"), url);
    assert_eq!(ask_redis(&url, "PING").await, "+PONG");
    drop(services);
    assert!(TcpStream::connect(address(&url)).await.is_err(), "it outlived its test");
}
