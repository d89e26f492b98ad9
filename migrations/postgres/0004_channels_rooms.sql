-- The name of a channel, without the #; none for other chats.
alter table chats add column channel_name text collate "C";

create unique index chats_by_channel_name on chats (channel_name);

-- The one of pending invitations is of no use to the deletion of a chat.
create index invitations_of_chat on invitations (chat_id);

-- Whether the chat is deleted when nobody is in it any more.
alter table chats add column ephemeral boolean not null default false;

create index chats_ephemeral on chats (id) where ephemeral;
