-- The number of the latest event of each stream: `chat/<id>`, `user/<id>`, `everyone`.
create table streams (
    stream text not null primary key,
    last_number bigint not null
) without rowid;

-- What has been committed lately, for the other nodes and for the event log. It is written in the
-- transaction that did it, and only if there are other nodes or a log.
create table events (
    -- Rises within a stream.
    id integer not null primary key autoincrement,
    stream text not null,
    -- Its place in the stream: 1, 2, 3… without a gap.
    number bigint not null,
    -- The event as JSON; none where it stands in another stream, at the place below.
    event text,
    -- The connection that has caused it, for the node that it is connected to.
    by_connection blob,
    home_stream text,
    home_number bigint,
    committed_at bigint not null,
    -- Whether the event log has it, or need not have it.
    logged boolean not null,
    unique (stream, number)
);

create index events_to_log on events (id) where not logged;

create index events_by_time on events (committed_at);
