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
    chat_id uuid not null references chats (id) on delete cascade,
    user_id text collate "C" not null references users (id),
    -- None for good.
    until bigint,
    by_user text collate "C" not null references users (id),
    created_at bigint not null,
    primary key (chat_id, user_id)
);

-- What holds for members who have left, if they come back.
create table former_members (
    chat_id uuid not null references chats (id) on delete cascade,
    user_id text collate "C" not null references users (id),
    muted_until bigint,
    sent_at bigint,
    primary key (chat_id, user_id)
);

create index former_members_of on former_members (user_id);

create index bans_of on bans (user_id);

create index bans_by on bans (by_user);

-- As before, and with whether one may send.
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
        c.frozen, c.slow_mode,
        exists (select 1 from members k where k.chat_id = c.id and k.active_at is not null),
        u.id, m.read_seq, m.own_unread, m.blocked, m.role, m.muted_until, m.sent_at,
        of.name, of.handle, of.protected,
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

-- As before, and with when members have sent something.
drop function write_batch(
    uuid[], bigint[], uuid[], text[], smallint[], text[], text[], bigint[], uuid[], bigint[], bigint[], boolean[], uuid[], text[], bigint[], bigint[], text[], bigint[], text[], bigint[], text[], uuid[], text[], bigint[], bigint, boolean
);

create function write_batch(
    message_chats uuid[],
    seqs bigint[],
    ids uuid[],
    authors text[],
    kinds smallint[],
    bodies text[],
    client_ids text[],
    times bigint[],
    head_chats uuid[],
    last_seqs bigint[],
    active_ats bigint[],
    are_kept boolean[],
    reader_chats uuid[],
    readers text[],
    read_seqs bigint[],
    own_unreads bigint[],
    sent_ats bigint[],
    names text[],
    counts bigint[],
    streams text[],
    places bigint[],
    texts text[],
    connections uuid[],
    homes text[],
    home_places bigint[],
    at bigint,
    are_logged boolean
)
returns table (name text, last bigint)
language plpgsql
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
as $$
begin
    with appended as (
        insert into messages
            (chat_id, seq, id, user_id, kind, body, client_id, created_at, modified_at)
        select m.chat_id, m.seq, m.id, m.user_id, m.kind, m.body, m.client_id, m.time, m.time
        from unnest(message_chats, seqs, ids, authors, kinds, bodies, client_ids, times)
            m (chat_id, seq, id, user_id, kind, body, client_id, time)
    ), moved as (
        update chats c set last_seq = h.seq, active_at = h.time
        from unnest(head_chats, last_seqs, active_ats) h (id, seq, time)
        where c.id = h.id
    )
    update members m
    set read_seq = r.read_seq, own_unread = r.own_unread, sent_at = r.sent_at
    from unnest(reader_chats, readers, read_seqs, own_unreads, sent_ats)
        r (chat_id, user_id, read_seq, own_unread, sent_at)
    where m.chat_id = r.chat_id and m.user_id = r.user_id;
    if true = any(are_kept) then
        update members m set active_at = h.time
        from unnest(head_chats, active_ats, are_kept) h (id, time, kept)
        where h.kept and m.chat_id = h.id and m.active_at is not null;
    end if;
    if names <> '{}' then
        return query select * from keep_events(names, counts, streams, places, texts, connections,
            homes, home_places, at, are_logged);
    end if;
end
$$;
