-- Files that users have sent; the bytes are beside the database.
create table files (
    id blob not null primary key,
    user_id text not null references users (id),
    name text not null,
    kind text not null,
    size bigint not null,
    -- Of a picture; so it is with the next.
    width bigint,
    height bigint,
    created_at bigint not null,
    -- When it goes, as no message holds it.
    expires_at bigint
) without rowid;

create index files_expiring on files (expires_at, id) where expires_at is not null;

create index files_unused_of on files (user_id) where expires_at is not null;

-- The messages that hold files. They go with the chat, and not with the row of the message, which
-- may be written anew.
create table message_files (
    chat_id blob not null,
    seq bigint not null,
    file_id blob not null,
    primary key (chat_id, seq)
) without rowid;

create index message_files_of on message_files (file_id);

-- JSON: what a message shows of its file.
alter table messages add column file text;

-- What the addresses of files are signed with: 32 bytes in hexadecimal digits.
create table file_key (
    key text not null primary key
) without rowid;

insert into file_key (key) values (lower(hex(randomblob(32))));
