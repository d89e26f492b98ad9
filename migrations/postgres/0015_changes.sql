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
alter table messages add column reply_id uuid;
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
    chat_id uuid not null references chats (id) on delete cascade,
    seq bigint not null,
    reaction text collate "C" not null,
    user_id text collate "C" not null references users (id),
    primary key (chat_id, seq, reaction, user_id)
);

create index reactions_by_user on reactions (user_id);

-- The messages whose former text is still to be taken from where else it stands.
create table erasures (
    id bigint generated always as identity primary key,
    chat_id uuid not null,
    seq bigint not null,
    message_id uuid not null
);

-- As before, but for the users' names and handles, and with what is beside a message's text.
drop function begin_batch(json);

create function begin_batch(asked json)
returns table (
    xid text,
    chat_id uuid,
    last_seq bigint,
    active_at bigint,
    direct_pair text,
    channel_name text,
    -- Whether there are copies of the chat's activity.
    kept boolean,
    user_id text,
    -- None if they are no member; so it is with the next.
    read_seq bigint,
    own_unread bigint,
    blocked boolean,
    -- None if there is no such user; so it is with the next.
    name text,
    handle text,
    protected boolean,
    -- None if nothing was sent by that client_id; so it is with the rest.
    seq bigint,
    id uuid,
    kind smallint,
    body text,
    client_id text,
    created_at bigint,
    modified_at bigint,
    change bigint,
    edited_at bigint,
    deleted_at bigint,
    pinned_at bigint,
    reply_id uuid,
    reply_seq bigint,
    replies bigint,
    mentions text,
    data text,
    reactions text
)
language plpgsql
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
as $$
#variable_conflict use_column
declare
    chats_asked uuid[];
    users_asked text[];
    keys_asked text[];
begin
    select array_agg((a ->> 0)::uuid), array_agg(a ->> 1), array_agg(a ->> 2)
    into chats_asked, users_asked, keys_asked from json_array_elements(asked) a;
    perform 1 from chats where id = any(chats_asked) and not ended
    order by id for no key update;
    return query
    select pg_current_xact_id()::text, c.id, c.last_seq, c.active_at, c.direct_pair, c.channel_name,
        exists (select 1 from members k where k.chat_id = c.id and k.active_at is not null),
        u.id, m.read_seq, m.own_unread, m.blocked, of.name, of.handle, of.protected,
        s.seq, s.id, s.kind, s.body, s.client_id, s.created_at, s.modified_at, s.change,
        s.edited_at, s.deleted_at, s.pinned_at, s.reply_id, s.reply_seq, s.replies, s.mentions,
        s.data, s.reactions
    from unnest(chats_asked, users_asked, keys_asked) a (chat_id, user_id, client_id)
    join chats c on c.id = a.chat_id and not c.ended
    cross join unnest(a.user_id || string_to_array(c.direct_pair, e'\n')) u (id)
    left join members m on m.chat_id = c.id and m.user_id = u.id
    left join users of on of.id = u.id
    left join messages s
        on s.chat_id = c.id and s.user_id = u.id and s.client_id = a.client_id;
end
$$;
