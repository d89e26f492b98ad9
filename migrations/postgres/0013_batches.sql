-- A batch of messages and marks is written by two calls, as each is a round trip. Planning takes
-- longer than the rest, so each connection plans once, whatever is in the arrays, and always by keys:
-- what is quicker in small tables would be slow when they have grown.

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
        u.id, m.read_seq, m.own_unread, coalesce(of.handle, of.id), of.protected,
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

-- Keeps events in their streams, and returns the last numbers of these. `counts` says how many each
-- stream gets; `places` are those of the events, counted from the last one: 0, or less. The streams
-- are locked in the order of their names.
create function keep_events(
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
    return query
    with advanced as (
        insert into streams as old (stream, last_number)
        select s.stream, s.count from unnest(names, counts) s (stream, count)
        order by s.stream collate "C"
        on conflict (stream) do update set last_number = old.last_number + excluded.last_number
        returning old.stream, old.last_number
    ), kept as (
        insert into events
            (stream, number, event, by_connection, home_stream, home_number, committed_at, logged)
        select e.stream, own.last_number + e.place, e.event, e.connection, e.home,
            home.last_number + e.home_place, at, are_logged or e.event is null
        from unnest(streams, places, texts, connections, homes, home_places) with ordinality
            e (stream, place, event, connection, home, home_place, ordinality)
        join advanced own on own.stream = e.stream
        left join advanced home on home.stream = e.home
        order by e.ordinality
    )
    select a.stream, a.last_number from advanced a;
end
$$;

-- Writes what has come of a batch: messages, the heads of their chats, how far members have read,
-- the activity of chats that there are copies of, and events, as keep_events does.
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
    update members m set read_seq = r.read_seq, own_unread = r.own_unread
    from unnest(reader_chats, readers, read_seqs, own_unreads)
        r (chat_id, user_id, read_seq, own_unread)
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
