/** The sidebar: the user, the list of chats, and what is new in them. */
import type { Invitation, MyChat } from 'chinwag-client';

import { chatAvatar, personAvatar, titleOf } from './avatars';
import { button, byId, element, match } from './elements';
import { said } from './files';
import { icon } from './icons';
import { plain } from './markup';
import { attempt, client, goTo, view } from './state';
import { shortTime } from './time';

const CONNECTION = {
  connecting: 'Connecting…',
  connected: 'Connected',
  reconnecting: 'Reconnecting…',
};

const EMPTY = {
  all: 'No chats yet. Start one, or look around in Discover.',
  unread: 'You are up to date.',
  archived: 'Nothing is archived.',
};

export function drawSidebar(name: string): void {
  drawMe(name);
  for (const tab of ['chats', 'discover'] as const) {
    byId(`to-${tab}`).ariaPressed = String(view.tab === tab);
  }
  byId('chats-tab').hidden = view.tab !== 'chats';
  byId('discover-tab').hidden = view.tab !== 'discover';
  for (const chip of byId('chips').querySelectorAll<HTMLElement>('button')) {
    chip.ariaPressed = String(chip.dataset.shown === view.shown);
  }
  drawInvitations([...client.invitations.values()]);
  drawChats();
}

function drawMe(name: string): void {
  const me = client.people.get(client.myId) ?? { id: client.myId, name };
  const text = view.isCut ? 'Cut off' : CONNECTION[client.state];
  const drawn = JSON.stringify([me, text]);
  if (byId('me').dataset.drawn === drawn) return;
  byId('me').dataset.drawn = drawn;
  byId('my-avatar').replaceChildren(personAvatar({ ...me, online: undefined }));
  byId('person').textContent = me.name;
  byId('handle').textContent = me.handle ? `@${me.handle}` : '';
  byId('connection').textContent = text;
  document.body.dataset.connection = client.state;
}

function drawChats(): void {
  const all = [...client.chats.values()];
  // Muted chats are not counted, as in the server's `count-unread`.
  const unread = all.reduce((sum, { unread, muted }) => sum + (muted ? 0 : unread), 0);
  document.title = unread ? `(${unread}) Chinwag` : 'Chinwag';
  const chats = all.filter(isShown).sort(byPlace);
  // During a search the list of messages below says whether anything was found.
  byId('empty-list').hidden = chats.length > 0 || Boolean(view.filter);
  byId('chips').hidden = Boolean(view.filter);
  byId('list-starters').hidden = all.length > 0;
  byId('empty-list').textContent = EMPTY[view.shown];
  match(byId('chats'), chats, (chat) => chat.id, newItem, drawItem);
}

function isShown(chat: MyChat): boolean {
  const text = view.filter.toLowerCase();
  if (text) return titleOf(chat, client).toLowerCase().includes(text);
  if (view.shown === 'archived') return Boolean(chat.archived);
  if (view.shown === 'unread') return chat.unread > 0 && !chat.archived;
  return !chat.archived;
}

const activity = ({ last_message, created_at = '' }: MyChat) =>
  last_message?.created_at ?? created_at;

function byPlace(one: MyChat, other: MyChat): number {
  const pinned = Number(other.pinned ?? false) - Number(one.pinned ?? false);
  return pinned || (activity(one) < activity(other) ? 1 : -1);
}

function newItem({ id }: MyChat): HTMLElement {
  const link = Object.assign(element('a', 'item'), { href: `#${id}` });
  return element('li', '', link);
}

function drawItem(item: HTMLElement, chat: MyChat): void {
  const link = item.firstElementChild as HTMLElement;
  link.ariaCurrent = chat.id === client.current ? 'page' : null;
  const title = titleOf(chat, client);
  const [text, isTyping] = preview(chat);
  const time = activity(chat) && shortTime(activity(chat));
  const { unread, mentions, muted, pinned } = chat;
  const picture = chatAvatar(chat, client);
  const drawn = JSON.stringify([
    title,
    text,
    time,
    unread,
    mentions,
    muted,
    pinned,
    picture.outerHTML,
  ]);
  if (item.dataset.drawn === drawn) return;
  item.dataset.drawn = drawn;
  const name = element('span', 'name', title);
  name.dir = 'auto';
  const top = element('span', 'line', name, element('span', 'time', time));
  const words = element('span', isTyping ? 'preview typing' : 'preview', text);
  words.dir = 'auto';
  const bottom = element('span', 'line', words, ...badges(chat));
  link.replaceChildren(picture, element('span', 'lines', top, bottom));
}

/** The last message, or who is typing. */
function preview(chat: MyChat): [string, boolean] {
  const [writer] = chat.typing.values();
  if (writer) return [chat.direct ? 'typing…' : `${writer.name} is typing…`, true];
  const last = chat.last_message;
  if (!last) return [chat.description ? plain(chat.description) : 'No messages yet', false];
  const author =
    last.user_id === client.myId ? 'You' : client.people.nameOf(last.user_id, last.user.name);
  const words = said(last);
  return [chat.direct && author !== 'You' ? words : `${author}: ${words}`, false];
}

function badges({ unread, mentions, muted, pinned }: MyChat): HTMLElement[] {
  const marks = [];
  if (muted) marks.push(mark('mute', 'Muted'));
  if (pinned) marks.push(mark('pin', 'Pinned'));
  if (mentions) marks.push(badge('@', `${mentions} mention you`, 'badge mention'));
  if (unread)
    marks.push(
      badge(unread > 999 ? '999+' : String(unread), 'unread', muted ? 'badge muted' : 'badge'),
    );
  return marks;
}

function badge(text: string, meaning: string, className: string): HTMLElement {
  return element('span', className, text, element('span', 'unseen', ` ${meaning}`));
}

function mark(name: 'mute' | 'pin', meaning: string): HTMLElement {
  return element('span', 'mark', icon(name), element('span', 'unseen', meaning));
}

function drawInvitations(invitations: Invitation[]): void {
  match(
    byId('invitations'),
    invitations,
    (invitation) => invitation.id,
    (invitation) => {
      const { inviter, chat } = invitation;
      const answer = (accepts: boolean) =>
        attempt(async () => {
          await client.act.answer(invitation, accepts);
          if (accepts) goTo(chat.id);
        });
      const controls = element(
        'div',
        'card-actions',
        button('quiet', () => answer(false), 'Decline'),
        button('primary', () => answer(true), 'Accept'),
      );
      const text = element('p', '', `${inviter.name} invites you to “${chat.name}”.`);
      return element('article', 'card', text, controls);
    },
    () => {},
  );
}
