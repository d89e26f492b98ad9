-- Who is connected to the channels under which nick, through which node.
create table nicks (
    nick text not null primary key,
    connection blob not null unique,
    node blob not null
) without rowid;

create index nicks_by_node on nicks (node);

-- The channels that a nick is in.
create table nick_channels (
    nick text not null references nicks (nick) on delete cascade,
    chat_id blob not null references chats (id) on delete cascade,
    primary key (nick, chat_id)
) without rowid;

create index nick_channels_by_chat on nick_channels (chat_id, nick);

-- Who is logged in to the rooms API, and in which room; in none, in the waiting room.
create table seats (
    user_id text not null primary key references users (id),
    -- What the user is in rooms by.
    connection blob not null,
    -- No reference: the seat of a room that is gone is found by its user.
    chat_id blob,
    -- The seq of the latest message that the user has picked up, or came after.
    cursor bigint not null,
    -- Whether the user became a member by entering, and is one no more after leaving.
    joined boolean not null,
    last_use bigint not null
) without rowid;

create index seats_waiting on seats (user_id) where chat_id is null;

create index seats_by_last_use on seats (last_use);
