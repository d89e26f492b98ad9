-- What of each chat can be searched. A chat that is not there has yet to be indexed.
create table search_chats (
    -- Its place in the index: the words of a message begin with it, and the rowid.
    number integer not null primary key autoincrement,
    chat_id blob not null unique,
    -- The messages up to this seq, and the changes up to this number.
    seq bigint not null,
    change bigint not null
);

-- The words of each message, computed by the program. The rowid is the number of the chat, shifted
-- by 32 bits, and the seq. They are filled in behind the commit of a message.
--
-- Not `detail = none`: with `secure-delete` SQLite would lose words there. A row that is replaced takes
-- those of the later rows with it that are written with it.
create virtual table search_words using fts5(
    words, detail = column, columnsize = 0, tokenize = "ascii tokenchars '@'"
);

-- What is deleted is taken out of the index at once, and not when it is merged next.
insert into search_words (search_words, rank) values ('secure-delete', 1);
