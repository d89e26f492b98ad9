/** The open chat: its header and who is typing; if no chat is open, a hint what to do. */
import type { MyChat } from 'chinwag-client';

import { chatAvatar, otherOf, titleOf } from './avatars';
import { byId } from './elements';
import { drawMessages } from './messages';
import { client, currentChat, view } from './state';
import { lastSeen } from './time';

export function drawConversation(): void {
  const chat = currentChat();
  document.body.classList.toggle('in-chat', Boolean(chat));
  byId('nothing').hidden = Boolean(chat);
  byId('conversation').hidden = !chat;
  if (!chat) return;
  byId('conversation').classList.toggle('direct', Boolean(chat.direct));
  const picture = chatAvatar(chat, client);
  if (byId('chat-avatar').innerHTML !== picture.outerHTML)
    byId('chat-avatar').replaceChildren(picture);
  byId('title').textContent = titleOf(chat, client);
  byId('subtitle').textContent = subtitle(chat);
  byId('show-details').ariaExpanded = String(view.details);
  byId('invite').hidden = Boolean(chat.direct);
  drawMessages(chat);
  drawTyping(chat);
}

function subtitle(chat: MyChat): string {
  // Also said here, as the list, which says it too, is not visible on a phone.
  if (client.state !== 'connected') return view.isCut ? 'Cut off' : 'Connecting…';
  if (chat.direct) {
    const other = otherOf(chat, client);
    if (!other) return '';
    return other.online ? 'online' : lastSeen(other.last_seen);
  }
  const count = chat.memberList?.length ?? chat.users.length;
  const more = chat.hasMoreMembers ? 'over ' : '';
  const members = count === 1 ? '1 member' : `${more}${count} members`;
  const { here } = client.room;
  const isHere = here?.channel === `room-${chat.id}`;
  return isHere ? `${members}, ${here.participants} here now` : members;
}

function drawTyping({ typing }: MyChat): void {
  const names = [...typing.values()].map(({ name }) => name);
  const [first, second] = names;
  const text =
    names.length === 0
      ? ''
      : names.length === 1
        ? `${first} is typing…`
        : names.length === 2
          ? `${first} and ${second} are typing…`
          : 'Several people are typing…';
  if (byId('typing').textContent !== text) byId('typing').textContent = text;
}
