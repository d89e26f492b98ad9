-- Times are microseconds since the Unix epoch, UTC. Ids are compared byte by byte, as everywhere
-- else.

create table users (
    id text collate "C" not null primary key,
    external_id text collate "C" unique,
    handle text collate "C" unique,
    name text not null,
    photo text not null,
    created_at bigint not null,
    modified_at bigint not null
);

create table chats (
    id uuid not null primary key,
    name text not null,
    description text,
    private boolean not null,
    creator_id text collate "C" not null references users (id),
    -- The seq of the latest message, 0 while there is none.
    last_seq bigint not null,
    -- When the latest message came, or the chat was made: the order of a user's list.
    active_at bigint not null,
    created_at bigint not null,
    modified_at bigint not null
);

create table members (
    chat_id uuid not null references chats (id) on delete cascade,
    user_id text collate "C" not null references users (id),
    joined_at bigint not null,
    -- The member has read the messages up to this seq.
    read_seq bigint not null,
    -- The member's own messages after read_seq: one's own messages are read, and counting them
    -- here keeps a list of chats from counting messages.
    own_unread bigint not null,
    primary key (chat_id, user_id)
);

create index members_by_user on members (user_id, chat_id);

create table messages (
    chat_id uuid not null references chats (id) on delete cascade,
    seq bigint not null,
    id uuid not null,
    user_id text collate "C" not null references users (id),
    kind smallint not null,
    body text not null,
    client_id text collate "C",
    created_at bigint not null,
    modified_at bigint not null,
    primary key (chat_id, seq)
);

create index messages_by_time on messages (chat_id, created_at);

create unique index messages_by_client_id on messages (chat_id, user_id, client_id)
where client_id is not null;
