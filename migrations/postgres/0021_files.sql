-- Files that users have sent; the bytes are elsewhere.
create table files (
    id uuid not null primary key,
    user_id text collate "C" not null references users (id),
    name text not null,
    kind text not null,
    size bigint not null,
    -- Of a picture; so it is with the next.
    width bigint,
    height bigint,
    created_at bigint not null,
    -- When it goes, as no message holds it.
    expires_at bigint
);

create index files_expiring on files (expires_at, id) where expires_at is not null;

create index files_unused_of on files (user_id) where expires_at is not null;

-- The messages that hold files. They go with the chat, and not with the row of the message, which
-- may be written anew.
create table message_files (
    chat_id uuid not null,
    seq bigint not null,
    file_id uuid not null,
    primary key (chat_id, seq)
);

create index message_files_of on message_files (file_id);

-- JSON: what a message shows of its file.
alter table messages add column file text;

-- What the addresses of files are signed with: 32 bytes in hexadecimal digits. All but twelve of
-- the bits of two random UUIDs are random.
create table file_key (
    key text not null primary key
);

insert into file_key (key)
values (replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', ''));

-- As before, and with the file of a message.
drop function begin_batch(json);

create function begin_batch(asked json)
returns table (
    xid text,
    chat_id uuid,
    last_seq bigint,
    active_at bigint,
    direct_pair text,
    channel_name text,
    frozen boolean,
    slow_mode bigint,
    -- Whether there are copies of the chat's activity.
    kept boolean,
    user_id text,
    -- None if they are no member; so it is with the next.
    read_seq bigint,
    own_unread bigint,
    blocked boolean,
    role smallint,
    muted_until bigint,
    sent_at bigint,
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
    reactions text,
    file text
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
        c.frozen, c.slow_mode,
        exists (select 1 from members k where k.chat_id = c.id and k.active_at is not null),
        u.id, m.read_seq, m.own_unread, m.blocked, m.role, m.muted_until, m.sent_at,
        of.name, of.handle, of.protected,
        s.seq, s.id, s.kind, s.body, s.client_id, s.created_at, s.modified_at, s.change,
        s.edited_at, s.deleted_at, s.pinned_at, s.reply_id, s.reply_seq, s.replies, s.mentions,
        s.data, s.reactions, s.file
    from unnest(chats_asked, users_asked, keys_asked) a (chat_id, user_id, client_id)
    join chats c on c.id = a.chat_id and not c.ended
    cross join unnest(a.user_id || string_to_array(c.direct_pair, e'\n')) u (id)
    left join members m on m.chat_id = c.id and m.user_id = u.id
    left join users of on of.id = u.id
    left join messages s
        on s.chat_id = c.id and s.user_id = u.id and s.client_id = a.client_id;
end
$$;
