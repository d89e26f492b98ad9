create table teams (
    id uuid not null primary key,
    name text not null,
    slug text collate "C" not null unique,
    creator_id text collate "C" not null references users (id),
    created_at bigint not null,
    modified_at bigint not null
);

create table team_members (
    team_id uuid not null references teams (id) on delete cascade,
    user_id text collate "C" not null references users (id),
    joined_at bigint not null,
    primary key (team_id, user_id)
);

create index team_members_by_user on team_members (user_id, team_id);

alter table chats add column team_id uuid references teams (id);

create index chats_by_team on chats (team_id) where team_id is not null;

create table invitations (
    id uuid not null primary key,
    chat_id uuid not null references chats (id) on delete cascade,
    inviter_id text collate "C" not null references users (id),
    invitee_id text collate "C" not null references users (id),
    -- 0 pending, 1 accepted, 2 declined
    status smallint not null,
    created_at bigint not null
);

create unique index invitations_pending on invitations (invitee_id, chat_id) where status = 0;

create index invitations_by_chat on invitations (chat_id) where status = 0;
