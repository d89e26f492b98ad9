-- Handles and email addresses are compared in their folded form, which the program computes: the
-- databases would not agree on it. None where a row from before this would be the same as another's.
-- Nodes of an older version do not fill them: stop them first.
alter table users add column handle_folded text collate "C";
alter table users add column email_folded text collate "C";

create unique index users_by_handle_folded on users (handle_folded);

create unique index users_by_email_folded on users (email_folded);

drop index users_by_email;

-- Those that the program has yet to fold.
create index users_unfolded on users (id)
where (handle is not null and handle_folded is null) or (email is not null and email_folded is null);

-- What the program has yet to look through: names, for those that would be refused now.
create table unchecked (what text not null primary key);

insert into unchecked (what) values ('names');
