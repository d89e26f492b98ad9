-- What is beside a message's text, and what becomes of it. A message that has nothing of it and is
-- never changed stands in none of the indexes.

-- The number of the chat's latest change, 0 while there is none.
alter table chats add column last_change bigint not null default 0;

-- The number of the message's latest change in its chat.
alter table messages add column change bigint;
alter table messages add column edited_at bigint;
alter table messages add column deleted_at bigint;
alter table messages add column pinned_at bigint;
-- The message that it answers.
alter table messages add column reply_id blob;
alter table messages add column reply_seq bigint;
-- How many answer it.
alter table messages add column replies bigint;
-- JSON: the ids of users.
alter table messages add column mentions text;
-- JSON: an object of the client's.
alter table messages add column data text;
-- JSON: each reaction, how many say so, and the ids of some of them.
alter table messages add column reactions text;

create index messages_by_change on messages (chat_id, change) where change is not null;

create index messages_deleted on messages (chat_id, seq) where deleted_at is not null;

create index messages_pinned on messages (chat_id, seq) where pinned_at is not null;

create index messages_by_reply on messages (chat_id, reply_seq, seq) where reply_seq is not null;

-- Who says what to a message. What is shown of it stands with the message.
create table reactions (
    chat_id blob not null references chats (id) on delete cascade,
    seq bigint not null,
    reaction text not null,
    user_id text not null references users (id),
    primary key (chat_id, seq, reaction, user_id)
) without rowid;

create index reactions_by_user on reactions (user_id);

-- The messages whose former text is still to be taken from where else it stands.
create table erasures (
    id integer not null primary key autoincrement,
    chat_id blob not null,
    seq bigint not null,
    message_id blob not null
);
