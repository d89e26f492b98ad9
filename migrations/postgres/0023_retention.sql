-- For how many days a chat keeps its messages; 0 for as long as the server does.
alter table chats add column retention_days bigint not null default 0;
