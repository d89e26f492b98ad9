-- Handles that protected users have given up: until then nobody else gets them.
create table released_handles (
    handle_folded text collate "C" not null primary key,
    -- Who had it, and may have it again; there need not be such a user any more.
    user_id text collate "C" not null,
    until bigint not null
);
