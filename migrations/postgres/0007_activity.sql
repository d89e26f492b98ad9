-- A user's list of chats is read by their activity. Of who has many chats, it is kept here for the
-- rest of them: each message moves it on. None where the chat itself is looked at. Nodes of an older
-- version do not move it: stop them first.
alter table members add column active_at bigint;

update members set active_at = kept.active_at
from (
    select chat_id, user_id, active_at,
        row_number() over (partition by chat_id order by user_id) as number
    from (
        select m.chat_id, m.user_id, c.active_at,
            row_number() over (partition by m.user_id order by m.chat_id) as number
        from members m join chats c on c.id = m.chat_id
    ) of_user
    where number > 200
) kept
where kept.number <= 64
    and members.chat_id = kept.chat_id and members.user_id = kept.user_id;

drop index members_by_user;

create index members_by_activity on members (user_id, active_at, chat_id);

create index members_kept on members (chat_id) where active_at is not null;
