-- Whom messages mention, but for who has sent them. They go with the chat, and not with the row of
-- the message, which may be written anew.
create table mentions (
    chat_id blob not null,
    seq bigint not null,
    user_id text not null,
    primary key (chat_id, seq, user_id)
) without rowid;

create index mentions_of on mentions (user_id, chat_id, seq);
