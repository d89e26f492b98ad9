-- What of each chat can be searched. A chat that is not there has yet to be indexed.
create table search_chats (
    -- Its place in the index: the words of a message begin with it, and the rowid.
    number bigint generated always as identity primary key,
    chat_id uuid not null unique,
    -- The messages up to this seq, and the changes up to this number.
    seq bigint not null,
    change bigint not null
);

-- The words of each message, computed by the program. The rowid is the number of the chat, shifted
-- by 32 bits, and the seq. They are filled in behind the commit of a message.
create table search_words (
    rowid bigint not null primary key,
    words tsvector not null
);

-- A list of what is not in the index yet would be gone through by every search.
create index search_words_index on search_words using gin (words) with (fastupdate = off);
