-- Which nodes belong together: by this id they find each other in Redis.
create table cluster (
    id uuid not null
);

insert into cluster (id) values (gen_random_uuid());

-- Who is connected to the channels under which nick, through which node.
create table nicks (
    nick text collate "C" not null primary key,
    connection uuid not null unique,
    node uuid not null
);

create index nicks_by_node on nicks (node);

-- The channels that a nick is in.
create table nick_channels (
    nick text collate "C" not null references nicks (nick) on delete cascade,
    chat_id uuid not null references chats (id) on delete cascade,
    primary key (nick, chat_id)
);

create index nick_channels_by_chat on nick_channels (chat_id, nick);

-- Who is logged in to the rooms API, and in which room; in none, in the waiting room.
create table seats (
    user_id text collate "C" not null primary key references users (id),
    -- What the user is in rooms by.
    connection uuid not null,
    -- No reference: the seat of a room that is gone is found by its user.
    chat_id uuid,
    -- The seq of the latest message that the user has picked up, or came after.
    cursor bigint not null,
    -- Whether the user became a member by entering, and is one no more after leaving.
    joined boolean not null,
    last_use bigint not null
);

create index seats_waiting on seats (user_id) where chat_id is null;

create index seats_by_last_use on seats (last_use);
