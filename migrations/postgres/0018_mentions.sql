-- Whom messages mention, but for who has sent them.
create table mentions (
    chat_id uuid not null,
    seq bigint not null,
    user_id text collate "C" not null,
    primary key (chat_id, seq, user_id),
    foreign key (chat_id, seq) references messages (chat_id, seq) on delete cascade
);

create index mentions_of on mentions (user_id, chat_id, seq);
