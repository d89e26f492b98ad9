/** The page: draws what the client knows. Data enters it as text, never as markup. */
import type { Chat, ChatClient, Invitation, Pending, Team } from './client';

const CONNECTION = {
  connecting: 'Connecting…',
  connected: 'Connected',
  reconnecting: 'Reconnecting…',
};
const SAME_BREATH_MS = 5 * 60_000;
const timeOnly = new Intl.DateTimeFormat([], { timeStyle: 'short' });
const dateAndTime = new Intl.DateTimeFormat([], { timeStyle: 'short', dateStyle: 'medium' });

/** What the controls that the view makes do. */
export interface Actions {
  answer(invitation: Invitation, accepts: boolean): void;
  addToTeam(team: Team): void;
}

export const byId = <E extends HTMLElement>(id: string) => document.getElementById(id) as E;

export function showWelcome(): void {
  byId('app').hidden = true;
  byId('welcome').hidden = false;
  byId('name').focus();
}

export function showError(text: string): void {
  const dismiss = button('Dismiss', () => showError(''));
  byId('error').classList.remove('notice');
  byId('error').replaceChildren(...(text ? [text, dismiss] : []));
}

/** Takes the place of an error, as what happened last. */
export function showNotice(text: string): void {
  showError(text);
  byId('error').classList.add('notice');
}

/** Asks for one of the people met so far, or for anybody by id. */
export function choosePerson(
  verb: string,
  place: string,
  people: [string, string][],
  chosen: (id: string) => void,
): void {
  const dialog = byId<HTMLDialogElement>('picker');
  const form = byId<HTMLFormElement>('pick');
  const choose = (id: string) => {
    dialog.close();
    chosen(id);
  };
  const items = people.map(([id, name]) => {
    const item = element('li', '');
    const pick = button(name, () => choose(id));
    // Names need not be unique.
    pick.append(' ', element('code', '', id.slice(-4)));
    item.append(pick);
    return item;
  });
  byId('picker-title').textContent = `${verb} to ${place}`;
  byId('pick-by-id').textContent = verb;
  byId('people').replaceChildren(...items);
  form.reset();
  form.onsubmit = (event) => {
    event.preventDefault();
    choose(byId<HTMLInputElement>('user-id').value.trim());
  };
  dialog.showModal();
}

export function draw(client: ChatClient, name: string, actions: Actions): void {
  byId('welcome').hidden = true;
  byId('app').hidden = false;
  byId('person').textContent = name;
  byId('connection').textContent = CONNECTION[client.connection];
  document.body.dataset.connection = client.connection;
  byId<HTMLButtonElement>('create').disabled = client.connection !== 'connected';
  byId('my-id').textContent = client.myId;
  byId('identity').hidden = !client.myId;
  drawChats([...client.chats.values()].reverse(), client);
  drawRooms(client);
  drawTeams([...client.teams.values()], actions);
  drawInvitations([...client.invitations.values()], actions);
  drawConversation(client, client.chats.get(client.current ?? ''));
}

function drawChats(chats: Chat[], client: ChatClient): void {
  const unread = chats.reduce((sum, chat) => sum + chat.unread, 0);
  document.title = unread ? `(${unread}) Chinwag` : 'Chinwag';
  match(
    byId('chats'),
    chats,
    (chat) => chat.id,
    newChat,
    (item, chat) => {
      const [link, title, marks, count] = item.querySelectorAll<HTMLElement>(
        'a, .name, .marks, .unread',
      );
      link!.ariaCurrent = chat.id === client.current ? 'page' : null;
      title!.textContent = chat.name;
      drawMarks(marks!, chat, client);
      count!.textContent = chat.unread ? String(chat.unread) : '';
      count!.ariaLabel = `${chat.unread} unread`;
    },
  );
}

function newChat({ id }: { id: string }): HTMLElement {
  const link = element('a', '');
  link.href = `#${id}`;
  link.append(element('span', 'name'), element('span', 'marks'), element('span', 'unread'));
  const item = element('li', '');
  item.append(link);
  return item;
}

/** Who may enter: a lock, the name of a team. */
function drawMarks(marks: HTMLElement, chat: Chat, client: ChatClient): void {
  const team = client.teams.get(chat.team_id ?? '');
  const state = `${chat.private} ${team?.name}`;
  if (marks.dataset.state === state) return;
  marks.dataset.state = state;
  marks.replaceChildren();
  if (chat.private) {
    const lock = element('span', 'lock');
    lock.role = 'img';
    lock.ariaLabel = 'Private';
    marks.append(lock);
  }
  if (team) marks.append(element('span', 'team', team.name));
}

/** Chats to join: a link into a chat joins it. */
function drawRooms(client: ChatClient): void {
  const rooms = [...client.rooms.values()].reverse().filter(({ id }) => !client.chats.has(id));
  byId('discover').hidden = rooms.length === 0;
  match(
    byId('rooms'),
    rooms,
    (room) => room.id,
    newChat,
    (item, room) => (item.querySelector('.name')!.textContent = room.name),
  );
}

function drawTeams(teams: Team[], { addToTeam }: Actions): void {
  match(
    byId('team-list'),
    teams,
    (team) => team.id,
    () => {
      const item = element('li', '');
      item.append(element('span', 'name'), button('Add person', () => {}));
      return item;
    },
    (item, team) => {
      const [name, add] = item.children as HTMLCollectionOf<HTMLElement>;
      name!.textContent = `${team.name} (${team.users.length})`;
      add!.onclick = () => addToTeam(team);
      add!.ariaLabel = `Add person to ${team.name}`;
    },
  );
  byId('chat-team').hidden = teams.length === 0;
  match(
    byId('chat-team'),
    [{ id: '', name: 'No team' }, ...teams],
    (team) => team.id,
    (team) => Object.assign(element('option', ''), { value: team.id }),
    (option, team) => (option.textContent = team.name),
  );
}

function drawInvitations(invitations: Invitation[], { answer }: Actions): void {
  match(
    byId('invitations'),
    invitations,
    (invitation) => invitation.id,
    (invitation) => {
      const { inviter, chat } = invitation;
      const card = element('article', 'card');
      const accept = button('Accept', () => answer(invitation, true));
      accept.className = 'primary';
      card.append(
        element('p', '', `${inviter.name} invites you to “${chat.name}”.`),
        accept,
        button('Decline', () => answer(invitation, false)),
      );
      return card;
    },
    () => {},
  );
}

function drawConversation(client: ChatClient, chat?: Chat): void {
  document.body.classList.toggle('in-chat', Boolean(chat));
  byId('nothing').hidden = Boolean(chat);
  byId('conversation').hidden = !chat;
  if (!chat) return;
  byId('title').textContent = chat.name;
  drawMarks(byId('marks'), chat, client);
  byId('rename').hidden = chat.user !== client.myId;
  // Into a private chat a link does not lead.
  byId('copy').hidden = Boolean(chat.private);
  drawPresence(chat, client);
  byId('messages').ariaBusy = String(!chat.messages);
  keepPlace(() => {
    byId('earlier').hidden = !chat.earlier;
    drawMessages(rowsOf(chat, client), client);
  });
}

function drawPresence(chat: Chat, { here, myId }: ChatClient): void {
  const isHere = here?.channel === `room-${chat.id}`;
  const rank = ({ id, name }: { id: string; name: string }) => (id === myId ? '' : name);
  const users = isHere ? [...here.users] : [];
  users.sort((one, other) => rank(one).localeCompare(rank(other)));
  byId('count').textContent = isHere ? `${here.participants} here:` : '';
  match(
    byId('present'),
    users,
    (user) => user.id,
    () => element('li', ''),
    (item, user) => (item.textContent = user.id === myId ? 'You' : user.name),
  );
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
      item.firstElementChild!.textContent = nameOf(row.author, client);
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

/** Messages carry the id of their author, not the name. */
function nameOf(id: string, { myId, names }: ChatClient): string {
  return id === myId ? 'You' : (names.get(id) ?? `Guest ${id.slice(-4)}`);
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
