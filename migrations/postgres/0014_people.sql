-- What clients keep of a user: a JSON object. None where it is empty.
alter table users add column data text;

-- When the user's last connection was open; while one is, when the first was opened.
alter table users add column last_seen_at bigint;

-- The name as it is looked for: its first characters, in the folded form that the program computes.
alter table users add column name_folded text collate "C";

create index users_by_name on users (name_folded, id);

-- Those that the program has yet to fold.
create index users_unnamed on users (id) where name_folded is null;

-- None of a user who is there. Of one who is deleted: 0 when that is done, 1 while memberships are
-- still to go, 2 while messages are, too. The row stays, so that nobody gets the id again.
alter table users add column deletion smallint;

create index users_being_deleted on users (id) where deletion > 0;

create table blocks (
    user_id text collate "C" not null references users (id),
    blocked_id text collate "C" not null references users (id),
    created_at bigint not null,
    primary key (user_id, blocked_id)
);

create index blocks_of on blocks (blocked_id);

-- In a direct chat: whether the other has blocked this member.
alter table members add column blocked boolean not null default false;

drop function begin_batch(json);

-- Locks the chats of what is asked for, [chat, user, client_id or null] each, in the order of their
-- ids, and then looks: a statement sees what was committed before it began, and not what its locks
-- have waited for. It returns a row for each that is asked for whose chat is there, and two more for
-- the users of a direct chat: how the user stands to the chat, and what was sent by that client_id.
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
    username text,
    protected boolean,
    -- None if nothing was sent by that client_id; so it is with the rest.
    seq bigint,
    id uuid,
    kind smallint,
    body text,
    client_id text,
    created_at bigint,
    modified_at bigint
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
        u.id, m.read_seq, m.own_unread, m.blocked, coalesce(of.handle, of.id), of.protected,
        s.seq, s.id, s.kind, s.body, s.client_id, s.created_at, s.modified_at
    from unnest(chats_asked, users_asked, keys_asked) a (chat_id, user_id, client_id)
    join chats c on c.id = a.chat_id and not c.ended
    cross join unnest(a.user_id || string_to_array(c.direct_pair, e'\n')) u (id)
    left join members m on m.chat_id = c.id and m.user_id = u.id
    left join users of on of.id = u.id
    left join messages s
        on s.chat_id = c.id and s.user_id = u.id and s.client_id = a.client_id;
end
$$;
