/** The details pane beside a chat: its description, members, pinned messages and actions. */
import type { Message, MyChat } from 'chinwag-client';

import { chatAvatar, otherOf, titleOf } from './avatars';
import { block, unblock } from './blocks';
import { confirmed, field, formDialog } from './dialogs';
import { button, byId, element } from './elements';
import { isBroken, said } from './files';
import { icon, type IconName } from './icons';
import { invite } from './making';
import { linkTo } from './markup';
import { membersSection } from './members';
import { copyText } from './message-tools';
import { showMessage } from './messages';
import { rulesSection } from './rules';
import { filesIn, filesSection } from './shared-files';
import { attempt, changed, client, currentChat, mayModerate, view } from './state';
import { lastSeen, shortTime } from './time';

/** The pinned messages of a chat, loaded when the latest change of its messages was `change`. */
let pinned = { chat_id: '', change: -1, messages: [] as Message[] };

export function drawDetails(): void {
  const chat = currentChat();
  const isOpen = view.details && Boolean(chat);
  document.body.classList.toggle('with-details', isOpen);
  byId('details').hidden = !isOpen;
  if (!isOpen || !chat) return;
  void loadPinned(chat);
  const files = filesIn(chat);
  const drawn = JSON.stringify([
    { ...chat, timeline: 0, typing: 0, last_message: 0, last_seq: 0, unread: 0, sentAt: 0 },
    chat.memberList?.map(({ user }) => client.people.get(user.id)),
    otherOf(chat, client),
    pinned.messages,
    [...client.blocked.keys()],
    files.map(({ file }) => [file, isBroken(file)]),
    [Boolean(chat.timeline.earlier), chat.timeline.isPart],
  ]);
  const pane = byId('details-content');
  if (pane.dataset.drawn === drawn) return;
  pane.dataset.drawn = drawn;
  // The focused control is drawn anew: the new one with the same label gets the focus.
  const focused = pane.contains(document.activeElement)
    ? labelOf(document.activeElement)
    : undefined;
  pane.replaceChildren(...sections(chat, files));
  if (focused)
    [...pane.querySelectorAll('button')].find((one) => labelOf(one) === focused)?.focus();
}

const labelOf = (control: Element | null) =>
  control?.ariaLabel ?? control?.textContent ?? undefined;

function sections(chat: MyChat, files: Message[]): HTMLElement[] {
  const about = element('section', 'about', chatAvatar(chat, client), ...whatItIs(chat));
  const parts = [about, choices(chat), ...rulesSection(chat), pins(), filesSection(chat, files)];
  if (!chat.direct) parts.push(membersSection(chat));
  return [...parts, endings(chat)];
}

function whatItIs(chat: MyChat): HTMLElement[] {
  const title = element('h3', '', titleOf(chat, client));
  title.dir = 'auto';
  const other = otherOf(chat, client);
  if (chat.direct) {
    const handle = other?.handle ? `@${other.handle} · ` : '';
    return [
      title,
      element('p', 'faint', handle + (other?.online ? 'online' : lastSeen(other?.last_seen))),
    ];
  }
  const team = client.teams.get(chat.team_id ?? '');
  const kind = team
    ? `For the team ${team.name}`
    : chat.private
      ? 'Private: by invitation'
      : 'Public: anyone may join';
  const description = element('p', 'description', ...described(chat.description ?? ''));
  description.dir = 'auto';
  const parts: HTMLElement[] = [title, element('p', 'faint', kind), description];
  if (mayModerate(chat))
    parts.push(button('small', () => editChat(chat), 'Edit name and description'));
  return parts;
}

function described(text: string): (Node | string)[] {
  const parts = text.split(/(https?:\/\/\S+)/);
  return parts.map((part, index) => (index % 2 ? linkTo(part) : part));
}

function editChat({ id, name, description }: MyChat): void {
  const content = [
    field({ name: 'name', label: 'Name', value: name, required: true }),
    field({ name: 'description', label: 'What it is about', value: description ?? '', lines: 3 }),
  ];
  formDialog('Edit chat', 'Save', content, (values) => client.act.updateChat(id, values));
}

/** The user's own settings of the chat, and ways to invite others. */
function choices(chat: MyChat): HTMLElement {
  const { id, muted, pinned: isPinned, archived } = chat;
  const list = element(
    'section',
    'choices',
    toggle('mute', 'Mute', Boolean(muted), (on) => client.act.updateMembership(id, { muted: on })),
    toggle('pin', 'Pin to the top', Boolean(isPinned), (on) =>
      client.act.updateMembership(id, { pinned: on }),
    ),
    toggle('archive', 'Archive', Boolean(archived), (on) =>
      client.act.updateMembership(id, { archived: on }),
    ),
  );
  list.ariaLabel = 'For yourself';
  if (!chat.direct) list.append(choice('people', 'Invite people', () => invite(id)));
  // A link to a private chat would not work for others.
  if (!chat.private)
    list.append(choice('copy', 'Copy link', () => copyText(location.href, 'The link is copied.')));
  return list;
}

function choice(name: IconName, text: string, act: () => void, className = 'choice'): HTMLElement {
  return button(className, act, icon(name), text);
}

function toggle(
  name: IconName,
  text: string,
  on: boolean,
  set: (on: boolean) => Promise<void>,
): HTMLElement {
  const made = choice(name, text, () => void attempt(() => set(!on)));
  made.role = 'switch';
  made.ariaChecked = String(on);
  made.append(element('span', 'switch'));
  return made;
}

function pins(): HTMLElement {
  const section = element('section', '', element('h3', '', 'Pinned'));
  const chat = currentChat()!;
  if (pinned.messages.length === 0 || pinned.chat_id !== chat.id) {
    section.append(element('p', 'faint', 'Nothing is pinned.'));
    return section;
  }
  const list = pinned.messages.map((message) => {
    const { user_id, user, created_at, seq } = message;
    const name = element('strong', '', client.people.nameOf(user_id, user.name));
    const time = element('span', 'time', shortTime(created_at));
    const words = element('span', 'said', said(message));
    words.dir = 'auto';
    return element(
      'li',
      '',
      button('pinned', () => void goToMessage(chat, seq), name, time, words),
    );
  });
  section.append(element('ul', '', ...list));
  return section;
}

async function goToMessage(chat: MyChat, seq: number): Promise<void> {
  if (matchMedia('(max-width: 75rem)').matches) view.details = false;
  changed();
  await showMessage(chat, seq);
}

/** Loads the pinned messages again after each change of a message, as it may be a pin. */
async function loadPinned({ id, timeline }: MyChat): Promise<void> {
  const change = timeline.lastChange;
  if (client.state !== 'connected' || (pinned.chat_id === id && pinned.change >= change)) return;
  pinned = { chat_id: id, change, messages: pinned.chat_id === id ? pinned.messages : [] };
  await attempt(async () => {
    const messages = change > 0 ? await client.act.listPinned(id) : [];
    if (pinned.chat_id === id) pinned.messages = messages;
    changed();
  });
}

function endings(chat: MyChat): HTMLElement {
  const section = element('section', 'choices');
  const other = otherOf(chat, client);
  if (other && client.blocked.has(other.id))
    section.append(choice('block', `Unblock ${other.name}`, () => void unblock(other)));
  else if (other)
    section.append(choice('block', `Block ${other.name}`, () => void block(other), 'choice alarm'));
  if (chat.direct) return section;
  section.append(choice('door', 'Leave chat', () => void leave(chat), 'choice alarm'));
  if (chat.role === 'owner') {
    section.append(choice('trash', 'Delete chat', () => void erase(chat), 'choice alarm'));
  }
  return section;
}

async function leave({ id, name, private: isPrivate, role, users }: MyChat): Promise<void> {
  const back = isPrivate
    ? 'You come back only by an invitation.'
    : 'You can join it again in Discover.';
  const heir = role === 'owner' && users.length > 1 ? ' Another member becomes its owner.' : '';
  const question = { title: `Leave “${name}”?`, text: back + heir, verb: 'Leave', danger: true };
  if (await confirmed(question)) await attempt(() => goneAfter(client.act.leave(id)));
}

async function erase({ id, name }: MyChat): Promise<void> {
  const text = 'It goes for everybody, with all that was said in it, and does not come back.';
  const question = { title: `Delete “${name}”?`, text, verb: 'Delete', danger: true };
  if (await confirmed(question)) await attempt(() => goneAfter(client.act.deleteChat(id)));
}

/** After `work` the chat is gone, so its link is removed from the address. */
async function goneAfter(work: Promise<void>): Promise<void> {
  await work;
  location.hash = '';
}
