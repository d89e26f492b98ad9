-- Whether an ephemeral chat has ended: for clients there is none. Its messages go little by little,
-- and it goes after them.
alter table chats add column ended boolean not null default false;

create index chats_ended on chats (id) where ended;

create index seats_by_chat on seats (chat_id) where chat_id is not null;
