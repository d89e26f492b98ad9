//! The same texts are found on SQLite and on PostgreSQL, and both hide what must not be found.

use std::time::Duration;

use chinwag::Search;
use serde_json::json;
use sqlx::{Connection, PgConnection, SqliteConnection};
use tokio::time::sleep;

use super::promises::Place;
use crate::socketio::changes::edit;
use crate::socketio::search::query;
use crate::support::steps::of_chat;
use crate::support::{Client, TestServer, soon};

/// A text, the queries that find it, and queries that do not.
const TEXTS: [(&str, &[&str], &[&str]); 16] = [
    (
        "Les élèves ŒUVRENT à l’école",
        &["eleve", "ÉCOLE", "oeuvrent", "l ecole"],
        &["cole", "elev a"],
    ),
    ("Die Straße nach Łódź", &["strasse", "STRASSE", "lodz", "Straße n"], &["trasse", "strassen"]),
    ("İstanbul'da ıssız", &["istanbul", "ISTANBUL", "issiz"], &["stanbul"]),
    ("Привет, ЁЖИК", &["привет", "ежик", "ПРИВЕТ еж"], &["ривет"]),
    ("Ὀδυσσεὺς ΚΑΛΗΜΕΡΑ", &["οδυσσευς", "καλημέρα"], &["δυσσευς"]),
    ("كِتَابٌ جديد", &["كتاب", "كِتَاب", "جد"], &["تاب"]),
    ("שָׁלוֹם עולם", &["שלום", "עולם של"], &["לום"]),
    ("हिन्दी में संदेश", &["हिन्दी", "संदेश", "हिन"], &["न्दी"]),
    ("한국어 메시지", &["한국어", "메시", "한국"], &["국어"]),
    ("東京都に行く", &["東京", "京都", "東", "く", "行く 東京"], &["京東", "大阪"]),
    ("ﾗｰﾒﾝとカタカナ", &["ラーメン", "カタカナ", "ナ"], &["ラメン"]),
    ("สวัสดีครับ", &["สวัสดี", "ครับ", "ดีค"], &["ครัง"]),
    ("ＦＵＬＬ width №5", &["full", "no5", "WIDTH full"], &["ull"]),
    ("snake_case, 3.14 (a-b)", &["snake", "case snake", "14 3", "b a"], &["snakecase"]),
    ("soft\u{ad}hyphen zero\u{200b}width", &["softhyphen", "zerowidth"], &["hyphen"]),
    (
        "it's \"quoted\" * 'AND' : & | ! OR NOT",
        &["s it", "\"quoted\"", "and", "'or' & !not"],
        &["t it"],
    ),
];

async fn finds_texts_of_all_scripts(place: Place) {
    let server = place.start_with(|_| {}).await;
    let mut ann = server.user("ann").await;
    let chat = ann.chat("tea", true, &[]).await;
    for (text, ..) in TEXTS {
        ann.say_quietly(&chat, text).await;
    }
    for (text, found, not_found) in TEXTS {
        for words in found {
            ann.finds(query(words), &[text]).await;
        }
        for words in not_found {
            ann.finds(query(words), &[]).await;
        }
    }
}

#[tokio::test]
async fn a_file_finds_texts_of_all_scripts() {
    finds_texts_of_all_scripts(Place::sqlite()).await;
}

#[tokio::test]
async fn postgres_finds_texts_of_all_scripts() {
    let Some(place) = Place::postgres().await else { return };
    finds_texts_of_all_scripts(place).await;
}

/// Half a megabyte of different words, and after them a word that is too far behind to be indexed.
async fn takes_the_largest_messages(place: Place) {
    let server = place.start_with(|_| {}).await;
    let mut ann = server.user("ann").await;
    let chat = ann.chat("tea", true, &[]).await;
    let dense: String = ('\u{4e00}'..'\u{9f00}').cycle().step_by(7).take(170_000).collect();
    let spaced: String = (0..70_000).map(|at| format!("{at:06} ")).collect();
    ann.say_quietly(&chat, &dense).await;
    ann.say_quietly(&chat, &spaced).await;
    ann.say_quietly(&chat, &"x".repeat(500_000)).await;
    ann.finds(query("000001"), &[&spaced]).await;
    ann.finds(query(&"x".repeat(100)), &[&"x".repeat(500_000)]).await;
    ann.finds(query("一"), &[&dense]).await;
}

#[tokio::test]
async fn a_file_takes_the_largest_messages() {
    takes_the_largest_messages(Place::sqlite()).await;
}

#[tokio::test]
async fn postgres_takes_the_largest_messages() {
    let Some(place) = Place::postgres().await else { return };
    takes_the_largest_messages(place).await;
}

/// Without search nothing is indexed; with it, everything stored is found.
async fn search_is_turned_off_and_on(place: Place) {
    let url = place.url.clone();
    let server = place.start_with(|_| {}).await;
    let mut ann = server.user("ann").await;
    let chat = ann.chat("tea", true, &[]).await;
    let said = ann.say_quietly(&chat, "word old").await;
    ann.finds(query("word"), &["word old"]).await;
    let directory = server.shutdown().await;
    let (rows, chats) = counts(&url).await;
    assert_eq!((rows, chats), (1, 1));

    let off = Place { directory, url: url.clone() };
    let server = off.start_with(|config| config.search = Search::Off).await;
    assert_eq!(counts(&url).await, (0, 0));
    let mut ann = server.user("ann").await;
    ann.done("edit-message", edit(&chat, &said, "word new")).await;
    for at in 0..250 {
        let said = ann.say_quietly(&chat, &format!("more {at}")).await;
        if at == 150 {
            // The words of this message are indexed twice, those of the others once.
            ann.done("edit-message", edit(&chat, &said, "more than one")).await;
        }
    }
    let directory = server.shutdown().await;
    assert_eq!(counts(&url).await, (0, 0));

    let on = Place { directory, url: url.clone() };
    let server = on.start_with(|_| {}).await;
    let mut ann = server.user("ann").await;
    ann.finds(query("word"), &["word new"]).await;
    ann.finds(query("old"), &[]).await;
    ann.finds(query("more 249"), &["more 249"]).await;
    let all = json!({ "query": { "text": "more", "user_id": ann.id, "limit": 1000 } });
    let all = ann.done("search-messages", all).await;
    assert_eq!(all["messages"].as_array().unwrap().len(), 250);
    nothing_is_left_of(&mut ann, &chat, &url).await;
    drop(server);
}

/// Deletes the chat and waits until the index is empty.
async fn nothing_is_left_of(ann: &mut Client, chat: &str, url: &str) {
    assert_eq!(counts(url).await, (251, 1));
    ann.done("delete-chat", of_chat(chat)).await;
    let is_empty = async {
        while counts(url).await != (0, 0) {
            sleep(Duration::from_millis(50)).await;
        }
    };
    soon("the words of a deleted chat are gone", is_empty).await;
}

/// How many messages and chats are in the index.
async fn counts(url: &str) -> (i64, i64) {
    let sql = "select (select count(*) from search_words), (select count(*) from search_chats)";
    if url.starts_with("sqlite:") {
        let mut connection = SqliteConnection::connect(url).await.unwrap();
        let counts = sqlx::query_as(sql).fetch_one(&mut connection).await.unwrap();
        connection.close().await.unwrap();
        return counts;
    }
    let mut connection = PgConnection::connect(url).await.unwrap();
    sqlx::query_as(sql).fetch_one(&mut connection).await.unwrap()
}

#[tokio::test]
async fn search_is_turned_off_and_on_with_a_file() {
    search_is_turned_off_and_on(Place::sqlite()).await;
}

#[tokio::test]
async fn search_is_turned_off_and_on_with_postgres() {
    let Some(place) = Place::postgres().await else { return };
    search_is_turned_off_and_on(place).await;
}

/// Messages that were committed before a server ended are found by the next one, indexed or not.
#[tokio::test]
async fn messages_from_before_a_restart_are_found_after_it() {
    let server = TestServer::start().await;
    let mut ann = server.user("ann").await;
    let chat = ann.chat("tea", true, &[]).await;
    let said = ann.say_quietly(&chat, "one word").await;
    ann.finds(query("word"), &["one word"]).await;
    ann.done("edit-message", edit(&chat, &said, "another")).await;
    ann.say_quietly(&chat, "last word").await;
    // It ends at once, before these are indexed.
    let server = TestServer::on(server.shutdown().await, |_| {}).await;
    let mut ann = server.user("ann").await;
    ann.finds(query("word"), &["last word"]).await;
    ann.finds(query("another"), &["another"]).await;
    let none = json!({ "query": { "text": "one" } });
    ann.finds(none, &[]).await;
}
