//! Records what clients were told, and compares it with what the database has at the end.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use serde_json::Value;
use sqlx::{Connection, PgConnection, SqliteConnection};
use uuid::Uuid;

use crate::load::END;

/// A message as a client was told of it, or as it is stored.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Message {
    pub chat: String,
    pub seq: i64,
    pub id: String,
    pub user: String,
    pub text: String,
}

impl Message {
    /// None if `body` is not a message.
    pub fn read(body: &Value) -> Option<Message> {
        let text = |field: &str| Some(body[field].as_str()?.to_owned());
        Some(Message {
            chat: text("chat_id")?,
            seq: body["seq"].as_i64()?,
            id: text("id")?,
            user: text("user_id")?,
            text: text("msg")?,
        })
    }
}

/// The texts of one chat that a connection was shown, in their order.
pub struct Shown {
    pub who: String,
    pub chat: String,
    pub texts: Vec<String>,
    /// The texts that it has sent itself, where its door does not show them to the sender.
    pub own: HashSet<String>,
}

/// All that clients were told.
#[derive(Default)]
pub struct History {
    /// The messages in answers, pushes and pages.
    told: HashSet<Message>,
    /// The chat and the text of each message acknowledged without its id and `seq`.
    acknowledged: Vec<(String, String)>,
    shown: Vec<Shown>,
    /// The user, the chat, and what this user's client has collected of it over all its
    /// connections.
    kept: Vec<(String, String, Vec<Message>)>,
    /// The errors found so far.
    pub wrong: Vec<String>,
    pub figures: Figures,
}

#[derive(Clone, Copy, Debug, Default)]
pub struct Figures {
    pub faults: usize,
    pub messages: usize,
    pub acknowledged: usize,
    pub pushes: usize,
    pub connections: usize,
    /// The longest time from first sending a message to its acknowledgement.
    pub longest: Duration,
}

impl History {
    pub fn tell(&mut self, message: Message) {
        self.told.insert(message);
    }

    pub fn acknowledge(&mut self, message: Message, after: Duration) {
        self.tell(message);
        self.figures.acknowledged += 1;
        self.figures.longest = self.figures.longest.max(after);
    }

    pub fn acknowledge_text(&mut self, chat: &str, text: String) {
        self.acknowledged.push((chat.to_owned(), text));
        self.figures.acknowledged += 1;
    }

    pub fn show(&mut self, shown: Shown) {
        self.figures.pushes += shown.texts.len();
        self.shown.push(shown);
    }

    pub fn keep(&mut self, who: &str, chat: &str, messages: Vec<Message>) {
        self.kept.push((who.to_owned(), chat.to_owned(), messages));
    }

    /// Compares all that clients were told with what is stored.
    pub fn judge(&mut self, stored: &Stored) {
        let mut wrong = stored.wrong();
        for message in &self.told {
            match stored.at(&message.chat, message.seq) {
                Some(found) if found == message => {}
                found => wrong.push(format!("told of {message:?}, but stored is {found:?}")),
            }
        }
        for (chat, text) in &self.acknowledged {
            if stored.seq(chat, text).is_none() {
                wrong.push(format!("{text:?} was acknowledged but is not stored"));
            }
        }
        self.shown.iter().for_each(|shown| stored.compare(shown, &mut wrong));
        for (who, chat, kept) in &self.kept {
            let all = stored.until_end(chat);
            if kept != all {
                let (kept, all) = (kept.len(), all.len());
                wrong.push(format!("{who} has {kept} messages of {chat}, the database {all}"));
            }
        }
        self.figures.messages = stored.chats.values().map(Vec::len).sum();
        self.wrong.append(&mut wrong);
    }
}

/// The messages in the database.
pub struct Stored {
    chats: HashMap<String, Vec<Message>>,
    /// The `seq` of each text in its chat.
    seqs: HashMap<(String, String), i64>,
    /// Texts that are stored twice, and places where `created_at` goes back.
    wrong: Vec<String>,
}

type Row = (Uuid, i64, Uuid, String, String, i64);

const ROWS: &str =
    "select chat_id, seq, id, user_id, body, created_at from messages order by chat_id, seq";

impl Stored {
    pub async fn read(database: &str) -> Stored {
        let rows: Vec<Row> = if database.starts_with("sqlite:") {
            let mut connection = SqliteConnection::connect(database).await.unwrap();
            sqlx::query_as(ROWS).fetch_all(&mut connection).await.unwrap()
        } else {
            let mut connection = PgConnection::connect(database).await.unwrap();
            sqlx::query_as(ROWS).fetch_all(&mut connection).await.unwrap()
        };
        Stored::of(rows)
    }

    fn of(rows: Vec<Row>) -> Stored {
        let (mut chats, mut seqs) = (HashMap::<_, Vec<_>>::new(), HashMap::new());
        let (mut wrong, mut before) = (Vec::new(), (String::new(), 0));
        for (chat, seq, id, user, text, created_at) in rows {
            let chat = chat.to_string();
            if before.0 == chat && before.1 > created_at {
                wrong.push(format!("created_at of {chat} goes back at {seq}"));
            }
            before = (chat.clone(), created_at);
            if let Some(first) = seqs.insert((chat.clone(), text.clone()), seq) {
                wrong.push(format!("{text:?} is stored twice in {chat}: as {first} and {seq}"));
            }
            let message = Message { chat: chat.clone(), seq, id: id.to_string(), user, text };
            chats.entry(chat).or_default().push(message);
        }
        Stored { chats, seqs, wrong }
    }

    /// The messages of a chat up to `END`. Messages that were on their way by then may follow it.
    fn until_end(&self, chat: &str) -> &[Message] {
        let all = self.chats.get(chat).map_or(&[][..], Vec::as_slice);
        let end = all.iter().position(|message| message.text == END);
        &all[..end.map_or(all.len(), |end| end + 1)]
    }

    fn at(&self, chat: &str, seq: i64) -> Option<&Message> {
        self.chats.get(chat)?.get(usize::try_from(seq - 1).ok()?)
    }

    fn seq(&self, chat: &str, text: &str) -> Option<i64> {
        self.seqs.get(&(chat.to_owned(), text.to_owned())).copied()
    }

    /// The errors in what is stored: gaps, texts stored twice, and messages of one sender that are
    /// not in the order sent.
    fn wrong(&self) -> Vec<String> {
        let mut wrong = self.wrong.clone();
        for (chat, messages) in &self.chats {
            let mut last = HashMap::new();
            for (message, expected) in messages.iter().zip(1..) {
                if message.seq != expected {
                    wrong.push(format!("{chat} has seq {} instead of {expected}", message.seq));
                    break;
                }
                let Some((sender, number)) = numbered(&message.text) else { continue };
                if last.insert(sender, number).is_some_and(|before| before >= number) {
                    wrong.push(format!("{:?} of {chat} is not in the order sent", message.text));
                }
            }
        }
        wrong
    }

    /// Whether a connection was shown what is stored, in that order and without a gap.
    fn compare(&self, shown: &Shown, wrong: &mut Vec<String>) {
        let Shown { who, chat, texts, own } = shown;
        let mut before: Option<i64> = None;
        for text in texts {
            let Some(seq) = self.seq(chat, text) else {
                wrong.push(format!("{who} was shown {text:?}, which is not stored in {chat}"));
                continue;
            };
            let between = before.map_or(seq..seq, |before| before + 1..seq);
            let mut missed = between.filter_map(|seq| self.at(chat, seq));
            if before.is_some_and(|before| seq <= before) {
                wrong.push(format!("{who} was shown {seq} of {chat} after {before:?}"));
            } else if let Some(missed) = missed.find(|missed| !own.contains(&missed.text)) {
                wrong.push(format!("{who} was shown {seq} of {chat} but not {missed:?}"));
            }
            before = Some(seq);
        }
    }
}

/// Splits a text into the sender's name and the message's number.
fn numbered(text: &str) -> Option<(&str, u64)> {
    let (sender, number) = text.split_once(' ')?;
    Some((sender, number.parse().ok()?))
}
