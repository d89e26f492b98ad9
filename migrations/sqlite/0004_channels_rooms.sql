-- The name of a channel, without the #; none for other chats.
alter table chats add column channel_name text;

create unique index chats_by_channel_name on chats (channel_name);

-- Whether the chat is deleted when nobody is in it any more.
alter table chats add column ephemeral boolean not null default false;
