-- How many members a chat has. Nodes of an older version do not count them: stop them first.
alter table chats add column member_count bigint not null default 0;

update chats set member_count = (select count(*) from members where chat_id = chats.id);

-- Of a public chat the name as it is looked for: its first characters, in the folded form that the
-- program computes. None of any other chat.
alter table chats add column name_folded text;

create index chats_public on chats (active_at, id) where name_folded is not null;

create index chats_public_by_name on chats (name_folded) where name_folded is not null;

-- Those that the program has yet to fold.
create index chats_unfolded on chats (id)
where name_folded is null and not private and team_id is null and not ended;

-- Whether the member leaves the chat out of what waits for them, and wants it first.
alter table members add column muted boolean not null default false;
alter table members add column pinned boolean not null default false;

-- The member has put the chat away until a message comes after this seq.
alter table members add column archived_seq bigint;

-- How far the member had read before they went back to an earlier read_seq, which may have come
-- further since.
alter table members add column receipt_seq bigint;
