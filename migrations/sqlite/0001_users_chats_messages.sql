-- Times are microseconds since the Unix epoch, UTC. Ids of chats and messages are UUIDs.

create table users (
    id text not null primary key,
    external_id text unique,
    handle text unique,
    name text not null,
    photo text not null,
    created_at bigint not null,
    modified_at bigint not null
);

create table chats (
    id blob not null primary key,
    name text not null,
    description text,
    private boolean not null,
    creator_id text not null references users (id),
    -- The seq of the latest message, 0 while there is none.
    last_seq bigint not null,
    -- When the latest message came, or the chat was made: the order of a user's list.
    active_at bigint not null,
    created_at bigint not null,
    modified_at bigint not null
);

create table members (
    chat_id blob not null references chats (id) on delete cascade,
    user_id text not null references users (id),
    joined_at bigint not null,
    -- The member has read the messages up to this seq.
    read_seq bigint not null,
    -- The member's own messages after read_seq: one's own messages are read, and counting them
    -- here keeps a list of chats from counting messages.
    own_unread bigint not null,
    primary key (chat_id, user_id)
) without rowid;

create index members_by_user on members (user_id, chat_id);

-- Clustered by chat and seq: a page of history is one run of the table.
create table messages (
    chat_id blob not null references chats (id) on delete cascade,
    seq bigint not null,
    id blob not null,
    user_id text not null references users (id),
    kind smallint not null,
    body text not null,
    client_id text,
    created_at bigint not null,
    modified_at bigint not null,
    primary key (chat_id, seq)
) without rowid;

create index messages_by_time on messages (chat_id, created_at);

create unique index messages_by_client_id on messages (chat_id, user_id, client_id)
where client_id is not null;
