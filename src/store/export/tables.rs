//! What an export holds: which columns of which tables, and which of their rows.

use Kind::{Big, Flag, Json, Small, Text, Time, Uuid};

use super::Export;

/// The type of a column, and how a record shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A string.
    Text,
    /// A string, in the usual form of UUIDs.
    Uuid,
    /// A whole number. A small one has two bytes in the database.
    Big,
    Small,
    /// `true` or `false`.
    Flag,
    /// A time, in the form it has on the wire.
    Time,
    /// JSON, as it was sent.
    Json,
}

/// A table that is exported, with the rows of each before the rows that refer to them.
pub struct Table {
    pub name: &'static str,
    pub columns: &'static [(&'static str, Kind)],
    /// The columns of its primary key.
    pub key: &'static str,
    /// If its rows are parts of chats, teams or users: the column with the whole's id, and its
    /// table.
    pub part_of: Option<(&'static str, &'static str)>,
    /// Conditions: which of its rows are in an export of everything, of a chat, and of a user.
    pub of_all: &'static str,
    pub of_chat: &'static str,
    pub of_user: &'static str,
}

/// The chats of an export of everything. Ephemeral chats do not outlive the server, and ended ones
/// are being deleted.
pub const ALL_CHATS: &str = "select id from chats where not ended and not ephemeral";

/// The chats in which a user, `$1`, has or had any part.
pub const CHATS_OF_USER: &str = "select id from chats where not ended and not ephemeral and id in (
     select chat_id from members where user_id = $1
     union select chat_id from former_members where user_id = $1
     union select chat_id from messages where user_id = $1
     union select chat_id from reactions where user_id = $1
     union select chat_id from bans where user_id = $1
     union select chat_id from invitations where inviter_id = $1 or invitee_id = $1
 )";

/// The teams (`t`) and users (`u`) of an export of everything; `c` are the chats.
pub const ALL: &str = "t (id) as (select id from teams), u (id) as (select id from users)";

/// The teams and users of an export of a chat: those that are or were part of it.
pub const OF_CHAT: &str = "t (id) as (select team_id from chats where id in (select id from c)),
     u (id) as (
         select creator_id from chats where id in (select id from c)
         union select creator_id from teams where id in (select id from t)
         union select user_id from members where chat_id in (select id from c)
         union select user_id from former_members where chat_id in (select id from c)
         union select user_id from messages where chat_id in (select id from c)
         union select user_id from reactions where chat_id in (select id from c)
         union select user_id from bans where chat_id in (select id from c)
         union select by_user from bans where chat_id in (select id from c)
         union select inviter_id from invitations where chat_id in (select id from c)
         union select invitee_id from invitations where chat_id in (select id from c)
         union select user_id from files where id in (
             select file_id from message_files where chat_id in (select id from c)
         )
     )";

/// The teams and users of an export of a user, `$2`: those who have created what the user is part
/// of, and those whom the user has dealt with.
pub const OF_USER: &str = "t (id) as (
         select team_id from team_members where user_id = $2
         union select team_id from chats where id in (select id from c)
     ),
     u (id) as (
         select id from users where id = $2
         union select creator_id from chats where id in (select id from c)
         union select creator_id from teams where id in (select id from t)
         union select inviter_id from invitations where invitee_id = $2
         union select invitee_id from invitations where inviter_id = $2
         union select blocked_id from blocks where user_id = $2
     )";

/// Columns of a user that only an export of this user, or of everything, contains.
const PRIVATE: [&str; 6] =
    ["external_id", "first_name", "last_name", "email", "email_folded", "phone_number"];

const IN_CHAT: &str = "chat_id in (select id from c)";
const OF_MESSAGES_OF_USER: &str = "(chat_id, seq) in (
     select chat_id, seq from messages where chat_id in (select id from c) and user_id = $2
 )";
const NONE: &str = "false";

/// Defaults for a table whose rows are parts of chats, and also belong to users.
const PART_OF_CHAT: Table = Table {
    name: "",
    columns: &[],
    key: "chat_id, user_id",
    part_of: Some(("chat_id", "chats")),
    of_all: IN_CHAT,
    of_chat: IN_CHAT,
    of_user: "chat_id in (select id from c) and user_id = $2",
};

pub const TABLES: [Table; 16] = [
    Table {
        name: "users",
        columns: &[
            ("id", Text),
            ("external_id", Text),
            ("handle", Text),
            ("name", Text),
            ("photo", Text),
            ("created_at", Time),
            ("modified_at", Time),
            ("first_name", Text),
            ("last_name", Text),
            ("email", Text),
            ("phone_number", Text),
            ("password_hash", Text),
            ("protected", Flag),
            ("data", Json),
            ("last_seen_at", Time),
            ("deletion", Small),
            ("handle_folded", Text),
            ("email_folded", Text),
            ("name_folded", Text),
        ],
        key: "id",
        part_of: None,
        of_all: "true",
        of_chat: "id in (select id from u)",
        of_user: "id in (select id from u)",
    },
    Table {
        name: "teams",
        columns: &[
            ("id", Uuid),
            ("name", Text),
            ("slug", Text),
            ("creator_id", Text),
            ("created_at", Time),
            ("modified_at", Time),
        ],
        key: "id",
        part_of: None,
        of_all: "true",
        of_chat: "id in (select id from t)",
        of_user: "id in (select id from t)",
    },
    Table {
        name: "team_members",
        columns: &[("team_id", Uuid), ("user_id", Text), ("joined_at", Time)],
        key: "team_id, user_id",
        part_of: Some(("team_id", "teams")),
        of_all: "true",
        of_chat: "team_id in (select id from t) and user_id in (select id from u)",
        of_user: "user_id = $2",
    },
    Table {
        name: "chats",
        columns: &[
            ("id", Uuid),
            ("name", Text),
            ("description", Text),
            ("private", Flag),
            ("creator_id", Text),
            ("last_seq", Big),
            ("active_at", Time),
            ("created_at", Time),
            ("modified_at", Time),
            ("team_id", Uuid),
            ("direct_pair", Text),
            ("channel_name", Text),
            ("last_change", Big),
            ("data", Json),
            ("frozen", Flag),
            ("slow_mode", Big),
            ("since_joining", Flag),
            ("client_id", Text),
            ("retention_days", Big),
            ("name_folded", Text),
        ],
        key: "id",
        part_of: None,
        of_all: "id in (select id from c)",
        of_chat: "id in (select id from c)",
        of_user: "id in (select id from c)",
    },
    Table {
        name: "members",
        columns: &[
            ("chat_id", Uuid),
            ("user_id", Text),
            ("joined_at", Time),
            ("read_seq", Big),
            ("own_unread", Big),
            ("active_at", Time),
            ("blocked", Flag),
            ("role", Small),
            ("muted_until", Time),
            ("joined_seq", Big),
            ("sent_at", Time),
            ("muted", Flag),
            ("pinned", Flag),
            ("archived_seq", Big),
            ("receipt_seq", Big),
        ],
        key: "chat_id, user_id",
        ..PART_OF_CHAT
    },
    Table {
        name: "former_members",
        columns: &[("chat_id", Uuid), ("user_id", Text), ("muted_until", Time), ("sent_at", Time)],
        key: "chat_id, user_id",
        ..PART_OF_CHAT
    },
    Table {
        name: "bans",
        columns: &[
            ("chat_id", Uuid),
            ("user_id", Text),
            ("until", Time),
            ("by_user", Text),
            ("created_at", Time),
        ],
        key: "chat_id, user_id",
        ..PART_OF_CHAT
    },
    Table {
        name: "messages",
        columns: &[
            ("chat_id", Uuid),
            ("seq", Big),
            ("id", Uuid),
            ("user_id", Text),
            ("kind", Small),
            ("body", Text),
            ("client_id", Text),
            ("created_at", Time),
            ("modified_at", Time),
            ("change", Big),
            ("edited_at", Time),
            ("deleted_at", Time),
            ("pinned_at", Time),
            ("reply_id", Uuid),
            ("reply_seq", Big),
            ("replies", Big),
            ("mentions", Json),
            ("data", Json),
            ("reactions", Json),
            ("file", Json),
        ],
        key: "chat_id, seq",
        ..PART_OF_CHAT
    },
    Table {
        name: "reactions",
        columns: &[("chat_id", Uuid), ("seq", Big), ("reaction", Text), ("user_id", Text)],
        key: "chat_id, seq, reaction, user_id",
        ..PART_OF_CHAT
    },
    Table {
        name: "mentions",
        columns: &[("chat_id", Uuid), ("seq", Big), ("user_id", Text)],
        key: "chat_id, seq, user_id",
        of_user: OF_MESSAGES_OF_USER,
        ..PART_OF_CHAT
    },
    Table {
        name: "files",
        columns: &[
            ("id", Uuid),
            ("user_id", Text),
            ("name", Text),
            ("kind", Text),
            ("size", Big),
            ("width", Big),
            ("height", Big),
            ("created_at", Time),
            ("expires_at", Time),
        ],
        key: "id",
        part_of: None,
        of_all: "expires_at is not null or id in (
             select file_id from message_files where chat_id in (select id from c)
         )",
        of_chat: "id in (select file_id from message_files where chat_id in (select id from c))",
        of_user: "user_id = $2 and (expires_at is not null or id in (
             select file_id from message_files where chat_id in (select id from c)
         ))",
    },
    Table {
        name: "message_files",
        columns: &[("chat_id", Uuid), ("seq", Big), ("file_id", Uuid)],
        key: "chat_id, seq",
        of_user: OF_MESSAGES_OF_USER,
        ..PART_OF_CHAT
    },
    Table {
        name: "invitations",
        columns: &[
            ("id", Uuid),
            ("chat_id", Uuid),
            ("inviter_id", Text),
            ("invitee_id", Text),
            ("status", Small),
            ("created_at", Time),
        ],
        key: "id",
        of_user: "chat_id in (select id from c) and (inviter_id = $2 or invitee_id = $2)",
        ..PART_OF_CHAT
    },
    Table {
        name: "blocks",
        columns: &[("user_id", Text), ("blocked_id", Text), ("created_at", Time)],
        key: "user_id, blocked_id",
        part_of: Some(("user_id", "users")),
        of_all: "true",
        of_chat: NONE,
        of_user: "user_id = $2",
    },
    Table {
        name: "released_handles",
        columns: &[("handle_folded", Text), ("user_id", Text), ("until", Time)],
        key: "handle_folded",
        part_of: Some(("user_id", "users")),
        of_all: "true",
        of_chat: NONE,
        of_user: "user_id = $2",
    },
    // So that the numbers of streams continue.
    Table {
        name: "streams",
        columns: &[("stream", Text), ("last_number", Big)],
        key: "stream",
        part_of: None,
        of_all: "true",
        of_chat: NONE,
        of_user: NONE,
    },
];

impl Table {
    /// The table of this name.
    pub fn find(name: &str) -> Option<&'static Table> {
        TABLES.iter().find(|table| table.name == name)
    }

    /// The type of a column of this table.
    pub fn kind(&self, name: &str) -> Option<Kind> {
        self.columns.iter().find(|(column, _)| *column == name).map(|(_, kind)| *kind)
    }

    /// Whether rows of other tables are parts of its rows.
    pub fn is_whole(&self) -> bool {
        ["users", "teams", "chats"].contains(&self.name)
    }

    /// What is selected for a column: the column, or a substitute for what this export must not
    /// tell. Only an export of everything has the hashes of passwords. An export of a user does not
    /// tell who has banned or blocked that user.
    pub fn shown(&self, column: &str, what: &Export) -> String {
        let is_private = PRIVATE.contains(&column);
        match (what, self.name, column) {
            (Export::All, ..) => column.to_owned(),
            (_, "users", "password_hash") => "null".to_owned(),
            (Export::Chat(_), "users", _) if is_private => "null".to_owned(),
            (Export::User(_), "users", _) if is_private => {
                format!("case when id = $2 then {column} end")
            }
            (Export::User(_), "members", "blocked") => "false".to_owned(),
            (Export::User(_), "bans", "by_user") => "user_id".to_owned(),
            _ => column.to_owned(),
        }
    }
}
