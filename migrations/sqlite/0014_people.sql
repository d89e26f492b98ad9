-- What clients keep of a user: a JSON object. None where it is empty.
alter table users add column data text;

-- When the user's last connection was open; while one is, when the first was opened.
alter table users add column last_seen_at bigint;

-- The name as it is looked for: its first characters, in the folded form that the program computes.
alter table users add column name_folded text;

create index users_by_name on users (name_folded, id);

-- Those that the program has yet to fold.
create index users_unnamed on users (id) where name_folded is null;

-- None of a user who is there. Of one who is deleted: 0 when that is done, 1 while memberships are
-- still to go, 2 while messages are, too. The row stays, so that nobody gets the id again.
alter table users add column deletion smallint;

create index users_being_deleted on users (id) where deletion > 0;

create table blocks (
    user_id text not null references users (id),
    blocked_id text not null references users (id),
    created_at bigint not null,
    primary key (user_id, blocked_id)
) without rowid;

create index blocks_of on blocks (blocked_id);

-- In a direct chat: whether the other has blocked this member.
alter table members add column blocked boolean not null default false;
