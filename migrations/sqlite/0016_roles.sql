-- What a member may do: 0 a member, 1 a moderator, 2 the owner. A direct chat has no roles.
alter table members add column role smallint not null default 0;

-- A member who has been muted may send nothing until then.
alter table members add column muted_until bigint;

-- The chat's last message when the member joined.
alter table members add column joined_seq bigint not null default 0;

-- When the member last sent something, in a chat with a slow mode.
alter table members add column sent_at bigint;

update members set role = 2 where exists (
    select 1 from chats c
    where c.id = members.chat_id and c.creator_id = members.user_id and c.direct_pair is null
);

create index members_ranked on members (chat_id, role) where role > 0;

-- What clients keep of a chat: a JSON object. None where it is empty.
alter table chats add column data text;

-- Whether moderators alone may send.
alter table chats add column frozen boolean not null default false;

-- A member may send once in so many seconds, if not 0.
alter table chats add column slow_mode bigint not null default 0;

-- Whether members see only what was sent since they joined.
alter table chats add column since_joining boolean not null default false;

create table bans (
    chat_id blob not null references chats (id) on delete cascade,
    user_id text not null references users (id),
    -- None for good.
    until bigint,
    by_user text not null references users (id),
    created_at bigint not null,
    primary key (chat_id, user_id)
) without rowid;

-- What holds for members who have left, if they come back.
create table former_members (
    chat_id blob not null references chats (id) on delete cascade,
    user_id text not null references users (id),
    muted_until bigint,
    sent_at bigint,
    primary key (chat_id, user_id)
) without rowid;

create index former_members_of on former_members (user_id);

create index bans_of on bans (user_id);

create index bans_by on bans (by_user);
