-- What a client called a chat when it made it: sent again, it means the same chat.
alter table chats add column client_id text collate "C";

create unique index chats_made on chats (creator_id, client_id) where client_id is not null;
