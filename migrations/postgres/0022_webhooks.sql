-- Events that the webhook has yet to get: written with the event, deleted once it is delivered.
create table webhooks (
    -- The `webhook-id`. It rises with time.
    id uuid not null primary key,
    -- The place of the event in `events`.
    stream text collate "C" not null,
    number bigint not null,
    -- When it is tried; none while an event before it in its stream waits.
    next_at bigint,
    -- How often it was tried.
    attempts bigint not null default 0,
    -- Since when it fails, or has waited for one that failed.
    failing_since bigint,
    -- The members without a connection at the first try, a JSON array.
    offline text,
    unique (stream, number)
);

create index webhooks_new on webhooks (next_at) where attempts = 0;

create index webhooks_failing on webhooks (next_at) where attempts > 0;

-- Events that were tried for long enough and are kept aside.
create table parked_webhooks (
    id uuid not null primary key,
    stream text collate "C" not null,
    number bigint not null,
    attempts bigint not null,
    failing_since bigint not null,
    -- What went wrong at the last try.
    problem text not null,
    offline text,
    unique (stream, number)
);
