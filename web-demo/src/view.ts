/** The page: draws what the client knows. Data enters it as text, never as markup. */
import type { Chat, ChatClient, Pending } from './client';

const CONNECTION = {
  connecting: 'Connecting…',
  connected: 'Connected',
  reconnecting: 'Reconnecting…',
};
const SAME_BREATH_MS = 5 * 60_000;
const timeOnly = new Intl.DateTimeFormat([], { timeStyle: 'short' });
const dateAndTime = new Intl.DateTimeFormat([], { timeStyle: 'short', dateStyle: 'medium' });

export const byId = <E extends HTMLElement>(id: string) => document.getElementById(id) as E;

export function showWelcome(): void {
  byId('app').hidden = true;
  byId('welcome').hidden = false;
  byId('name').focus();
}

export function showError(text: string): void {
  const dismiss = button('Dismiss', () => showError(''));
  byId('error').replaceChildren(...(text ? [text, dismiss] : []));
}

export function draw(client: ChatClient, name: string): void {
  byId('welcome').hidden = true;
  byId('app').hidden = false;
  byId('person').textContent = name;
  byId('connection').textContent = CONNECTION[client.connection];
  document.body.dataset.connection = client.connection;
  byId<HTMLButtonElement>('create').disabled = client.connection !== 'connected';
  drawChats([...client.chats.values()].reverse(), client.current);
  drawConversation(client, client.chats.get(client.current ?? ''));
}

function drawChats(chats: Chat[], current?: string): void {
  const unread = chats.reduce((sum, chat) => sum + chat.unread, 0);
  document.title = unread ? `(${unread}) Chinwag` : 'Chinwag';
  match(
    byId('chats'),
    chats,
    (chat) => chat.id,
    newChat,
    (item, chat) => {
      const [link, title, count] = item.querySelectorAll<HTMLElement>('a, span');
      link!.ariaCurrent = chat.id === current ? 'page' : null;
      title!.textContent = chat.name;
      count!.textContent = chat.unread ? String(chat.unread) : '';
      count!.ariaLabel = `${chat.unread} unread`;
    },
  );
}

function newChat(chat: Chat): HTMLElement {
  const link = element('a', '');
  link.href = `#${chat.id}`;
  link.append(element('span', 'name'), element('span', 'unread'));
  const item = element('li', '');
  item.append(link);
  return item;
}

function drawConversation(client: ChatClient, chat?: Chat): void {
  document.body.classList.toggle('in-chat', Boolean(chat));
  byId('nothing').hidden = Boolean(chat);
  byId('conversation').hidden = !chat;
  if (!chat) return;
  byId('title').textContent = chat.name;
  byId('messages').ariaBusy = String(!chat.messages);
  keepPlace(() => {
    byId('earlier').hidden = !chat.earlier;
    drawMessages(rowsOf(chat, client), client);
  });
}

/** One message as the page shows it, confirmed or not. */
interface Row {
  key: string;
  author: string;
  text: string;
  state: string;
  sentAt: number;
  pending?: Pending;
}

function rowsOf(chat: Chat, client: ChatClient): Row[] {
  const confirmed = (chat.messages ?? []).map((message): Row => ({
    // With the client's id, so that a pending message keeps its element when it is confirmed.
    key: `${chat.id} ${message.user_id} ${message.client_id ?? message.id}`,
    author: message.user_id,
    text: message.msg,
    state: clock(message.created_at),
    sentAt: Date.parse(message.created_at),
  }));
  const waiting = client.connection === 'connected' ? 'Sending…' : 'Waiting…';
  const pending = client.outbox
    .filter((pending) => pending.chat_id === chat.id)
    .map((pending): Row => ({
      key: `${chat.id} ${client.myId} ${pending.client_id}`,
      author: client.myId,
      text: pending.text,
      state: pending.failure ? `Not sent: ${pending.failure}` : waiting,
      sentAt: Date.now(),
      pending,
    }));
  return [...confirmed, ...pending];
}

function drawMessages(rows: Row[], client: ChatClient): void {
  const create = (row: Row) => newMessage(row, row.author === client.myId);
  match(
    byId('messages'),
    rows,
    (row) => row.key,
    create,
    (item, row, before) => {
      const inOneBreath =
        before?.author === row.author && row.sentAt - before.sentAt < SAME_BREATH_MS;
      item.classList.toggle('follows', inOneBreath);
      item.classList.toggle('pending', Boolean(row.pending));
      item.classList.toggle('failed', Boolean(row.pending?.failure));
      drawState(item.querySelector('.state')!, row, client);
    },
  );
}

function newMessage(row: Row, mine: boolean): HTMLElement {
  const item = element('article', mine ? 'message mine' : 'message');
  item.style.setProperty('--hue', String(hue(row.author)));
  // Messages carry the id of their author, not the name.
  const author = element('p', 'author', mine ? 'You' : `Guest ${row.author.slice(-4)}`);
  item.append(author, element('p', 'text', row.text), element('p', 'state'));
  return item;
}

function drawState(line: HTMLElement, { state, pending }: Row, client: ChatClient): void {
  if (line.dataset.state === state) return;
  line.dataset.state = state;
  line.textContent = state;
  if (!pending?.failure) return;
  line.append(
    button('Try again', () => client.retry(pending)),
    button('Discard', () => client.discard(pending.client_id)),
  );
}

/** Stays at the end where the reader is at the end, and with the same message where earlier ones come in above. */
function keepPlace(change: () => void): void {
  const history = byId('history');
  const oldest = byId('messages').firstElementChild;
  const toEnd = history.scrollHeight - history.scrollTop;
  const wasAtEnd = toEnd - history.clientHeight < 40;
  change();
  if (wasAtEnd || !oldest?.isConnected) history.scrollTop = history.scrollHeight;
  else if (oldest !== byId('messages').firstElementChild)
    history.scrollTop = history.scrollHeight - toEnd;
}

/** Makes the children of `parent` those of `items`; an element that stays is kept, and with it focus and selection. */
function match<Item>(
  parent: HTMLElement,
  items: Item[],
  keyOf: (item: Item) => string,
  create: (item: Item) => HTMLElement,
  update: (element: HTMLElement, item: Item, before?: Item) => void,
): void {
  const old = new Map(
    ([...parent.children] as HTMLElement[]).map((child) => [child.dataset.key, child]),
  );
  const wanted = items.map((item, index) => {
    const key = keyOf(item);
    const child = old.get(key) ?? create(item);
    old.delete(key);
    child.dataset.key = key;
    update(child, item, items[index - 1]);
    return child;
  });
  for (const child of old.values()) child.remove();
  wanted.forEach((child, index) => {
    const there = parent.children[index];
    if (there !== child) parent.insertBefore(child, there ?? null);
  });
}

function element<Tag extends keyof HTMLElementTagNameMap>(tag: Tag, className: string, text = '') {
  return Object.assign(document.createElement(tag), { className, textContent: text });
}

function button(text: string, onclick: () => void): HTMLButtonElement {
  return Object.assign(element('button', 'small', text), { type: 'button', onclick });
}

/** The same colour for the same person, in every window. */
function hue(id: string): number {
  return [...id].reduce((sum, letter) => (sum * 31 + letter.charCodeAt(0)) % 360, 7);
}

function clock(time: string): string {
  const date = new Date(time);
  const isToday = date.toDateString() === new Date().toDateString();
  return (isToday ? timeOnly : dateAndTime).format(date);
}
