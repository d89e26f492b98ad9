alter table users add column first_name text;
alter table users add column last_name text;
alter table users add column email text;
alter table users add column phone_number text collate "C";
-- Argon2id, in the PHC string format.
alter table users add column password_hash text;
-- Set with a password, and at the first connection with a token.
alter table users add column protected boolean not null default false;

create unique index users_by_email on users (lower(email));

create unique index users_by_phone_number on users (phone_number);

create table tokens (
    access_key_id text collate "C" not null primary key,
    secret_access_key text not null,
    -- SHA-256 of the refresh token, which is not kept.
    refresh_hash bytea not null unique,
    is_refreshable boolean not null,
    user_id text collate "C" not null references users (id) on delete cascade,
    expires_at bigint not null,
    created_at bigint not null,
    modified_at bigint not null
);

create index tokens_by_user on tokens (user_id, created_at);

create index tokens_by_expiry on tokens (expires_at);

-- The ids of the two users of a direct chat, in order, one a line.
alter table chats add column direct_pair text collate "C";

create unique index chats_by_direct_pair on chats (direct_pair);
