-- A user's chats are counted, and the invitations that a user has made or waits for.
create index chats_by_creator on chats (creator_id);

create index invitations_by_invitee on invitations (invitee_id, created_at, id) where status = 0;

create index invitations_by_inviter on invitations (inviter_id) where status = 0;

-- From which address the user was logged in; none if that was before it was noted.
alter table seats add column network text collate "C";

create index seats_by_network on seats (network);
