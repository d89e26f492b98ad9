/** The open chat: who is in it, and what they say. */
import type { ChatClient } from './client';
import { button, byId, element, match } from './elements';
import type { Chat, Pending } from './shapes';

const SAME_BREATH_MS = 5 * 60_000;
const timeOnly = new Intl.DateTimeFormat([], { timeStyle: 'short' });
const dateAndTime = new Intl.DateTimeFormat([], { timeStyle: 'short', dateStyle: 'medium' });

interface Actions {
  writeTo(user_id: string): void;
}

export function drawConversation(
  client: ChatClient,
  chat: Chat | undefined,
  actions: Actions,
): void {
  document.body.classList.toggle('in-chat', Boolean(chat));
  byId('nothing').hidden = Boolean(chat);
  byId('conversation').hidden = !chat;
  if (!chat) return;
  byId('title').textContent = client.titleOf(chat);
  drawMarks(byId('marks'), chat, client);
  const isDirect = Boolean(chat.direct);
  byId('rename').hidden = isDirect || chat.user !== client.myId;
  byId('invite').hidden = byId('leave').hidden = isDirect;
  // Into a private chat a link does not lead.
  byId('copy').hidden = Boolean(chat.private);
  drawPresence(chat, client, actions);
  byId('messages').ariaBusy = String(!chat.messages);
  keepPlace(() => {
    byId('earlier').hidden = !chat.earlier;
    drawMessages(rowsOf(chat, client), client);
  });
}

function drawPresence(chat: Chat, { here, myId }: ChatClient, { writeTo }: Actions): void {
  const isHere = here?.channel === `room-${chat.id}`;
  const rank = ({ id, name }: { id: string; name: string }) => (id === myId ? '' : name);
  const users = isHere ? [...here.users] : [];
  users.sort((one, other) => rank(one).localeCompare(rank(other)));
  byId('count').textContent = isHere ? `${here.participants} here:` : '';
  match(
    byId('present'),
    users,
    (user) => user.id,
    ({ id }) => {
      const item = element('li', '');
      const write = button('', () => writeTo(id));
      write.classList.add('write');
      item.append(element('span', ''), write);
      return item;
    },
    (item, { id, name }) => {
      const [shown, write] = item.children as HTMLCollectionOf<HTMLElement>;
      shown!.textContent = id === myId ? 'You' : name;
      write!.hidden = id === myId || Boolean(chat.direct);
      write!.ariaLabel = write!.title = `Message ${name}`;
    },
  );
}

/** One message as the page shows it, confirmed or not. */
interface Row {
  key: string;
  author: string;
  name: string;
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
    name: message.user.name,
    text: message.deleted_at ? 'This message was deleted.' : message.msg,
    state: clock(message.created_at) + (message.edited_at ? ', edited' : ''),
    sentAt: Date.parse(message.created_at),
  }));
  const waiting = client.state === 'connected' ? 'Sending…' : 'Waiting…';
  const pending = client.outbox
    .filter((pending) => pending.chat_id === chat.id)
    .map((pending): Row => ({
      key: `${chat.id} ${client.myId} ${pending.client_id}`,
      author: client.myId,
      name: 'You',
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
      item.firstElementChild!.textContent = nameOf(row, client);
      const text = item.querySelector('.text')!;
      if (text.textContent !== row.text) text.textContent = row.text;
      drawState(item.querySelector('.state')!, row, client);
    },
  );
}

function newMessage(row: Row, mine: boolean): HTMLElement {
  const item = element('article', mine ? 'message mine' : 'message');
  item.style.setProperty('--hue', String(hue(row.author)));
  const parts = [element('p', 'author'), element('p', 'text', row.text), element('p', 'state')];
  item.append(...parts);
  return item;
}

function nameOf({ author, name }: Row, { myId, names }: ChatClient): string {
  return author === myId ? 'You' : (names.get(author) ?? name);
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

/** Who may enter: a lock, the name of a team. */
export function drawMarks(marks: HTMLElement, chat: Chat, client: ChatClient): void {
  const team = client.teams.get(chat.team_id ?? '');
  // That a direct chat is private goes without saying.
  const isLocked = chat.private && !chat.direct;
  const state = `${isLocked} ${team?.name}`;
  if (marks.dataset.state === state) return;
  marks.dataset.state = state;
  marks.replaceChildren();
  if (isLocked) {
    const lock = element('span', 'lock');
    lock.role = 'img';
    lock.ariaLabel = 'Private';
    marks.append(lock);
  }
  if (team) marks.append(element('span', 'team', team.name));
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
