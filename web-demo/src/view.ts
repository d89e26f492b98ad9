/** The page: draws what the client knows. */
import type { ChatClient } from './client';
import { drawConversation, drawMarks } from './conversation';
import { button, byId, element, match } from './elements';
import { isAccount, type Chat, type Invitation, type Person, type Team } from './shapes';

const CONNECTION = {
  connecting: 'Connecting…',
  connected: 'Connected',
  reconnecting: 'Reconnecting…',
};

/** What the controls that the view makes do. */
export interface Actions {
  answer(invitation: Invitation, accepts: boolean): void;
  addToTeam(team: Team): void;
  writeTo(user_id: string): void;
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
  title: string,
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
  byId('picker-title').textContent = title;
  byId('pick-by-id').textContent = verb;
  byId('people').replaceChildren(...items);
  form.reset();
  form.onsubmit = (event) => {
    event.preventDefault();
    choose(byId<HTMLInputElement>('user-id').value.trim());
  };
  dialog.showModal();
}

export function draw(client: ChatClient, person: Person, actions: Actions): void {
  byId('person').textContent = person.name;
  byId('sign-out').hidden = !isAccount(person);
  byId('to-account').hidden = isAccount(person);
  byId('connection').textContent = CONNECTION[client.state];
  document.body.dataset.connection = client.state;
  byId<HTMLButtonElement>('create').disabled = client.state !== 'connected';
  byId('my-id').textContent = client.myId;
  byId('identity').hidden = !client.myId;
  drawChats([...client.chats.values()].reverse(), client);
  drawRooms(client);
  drawTeams([...client.teams.values()], actions);
  drawInvitations([...client.invitations.values()], actions);
  drawConversation(client, client.chats.get(client.current ?? ''), actions);
}

/** Takes away what is one person's, before the next one comes. */
export function clear(): void {
  byId<HTMLDialogElement>('picker').close();
  byId('messages').replaceChildren();
  byId('invitations').replaceChildren();
}

function drawChats(chats: Chat[], client: ChatClient): void {
  const unread = chats.reduce((sum, chat) => sum + chat.unread, 0);
  document.title = unread ? `(${unread}) Chinwag` : 'Chinwag';
  drawChatList('chats', chats.filter(({ direct }) => !direct), client);
  drawChatList('direct-chats', chats.filter(({ direct }) => direct), client);
}

function drawChatList(id: string, chats: Chat[], client: ChatClient): void {
  match(
    byId(id),
    chats,
    (chat) => chat.id,
    newChat,
    (item, chat) => {
      const [link, title, marks, count] = item.querySelectorAll<HTMLElement>(
        'a, .name, .marks, .unread',
      );
      link!.ariaCurrent = chat.id === client.current ? 'page' : null;
      title!.textContent = client.titleOf(chat);
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
