/** The wiring: who the person in this window is, and which control does what. */
import { ChatClient, randomId, type Chat, type Person } from './client';
import { byId, choosePerson, draw, showError, showNotice, showWelcome, type Actions } from './view';

// Of this window alone: two windows are two people, and a reload keeps the person.
const kept = sessionStorage;
let person = load<Person | undefined>('person', undefined);
let client: ChatClient;
let timer = 0;

const actions: Actions = {
  answer: (invitation, accepts) =>
    attempt(async () => {
      await client.answer(invitation, accepts);
      if (accepts) location.hash = invitation.chat.id;
    }),
  addToTeam: ({ id, name, users }) =>
    choosePerson('Add', name, peopleBut(users), (user) =>
      attempt(async () => {
        await client.addToTeam(id, user);
        showNotice(`${client.names.get(user) ?? 'The person'} is in ${name} now.`);
      }),
    ),
};

if (person) enter(person);
else showWelcome();
document.addEventListener('visibilitychange', changed);

function enter(newcomer: Person): void {
  person = newcomer;
  kept.setItem('person', JSON.stringify(person));
  const known = { names: load('names', []), rooms: load('rooms', []) };
  const listener = { changed, failed, removed };
  client = new ChatClient(person, { outbox: load('outbox', []), ...known }, listener);
  client.connect(location.hash.slice(1));
  redraw();
}

function load<Value>(key: string, otherwise: Value): Value {
  return JSON.parse(kept.getItem(key) ?? 'null') ?? otherwise;
}

function changed(): void {
  if (!person) return;
  kept.setItem('outbox', JSON.stringify(client.outbox));
  // Not an animation frame: the title counts unread messages while the window is hidden.
  timer ||= setTimeout(redraw, 16);
}

function redraw(): void {
  timer = 0;
  if (!person) return showWelcome();
  const chat = currentChat();
  if (chat && !document.hidden) void client.markRead(chat);
  kept.setItem('names', JSON.stringify([...client.names]));
  kept.setItem('rooms', JSON.stringify([...client.rooms.values()]));
  draw(client, person.name, actions);
}

function failed(error: Error): void {
  showError(error.message);
  closeLink();
  if (client.myId) return;
  // The server does not take this person.
  person = undefined;
  kept.clear();
  client.close();
  redraw();
}

function removed(chat: Chat): void {
  showNotice(`You are no longer in “${chat.name}”.`);
  closeLink();
}

/** Takes the link to a chat that cannot be open out of the address. */
function closeLink(): void {
  if (!client.current && location.hash) history.replaceState(null, '', location.pathname);
}

async function attempt(work: () => Promise<void>): Promise<void> {
  showError('');
  await work().catch(failed);
}

function currentChat(): Chat | undefined {
  return client.chats.get(client.current ?? '');
}

/** Those met so far, by name. */
function peopleBut(ids: string[]): [string, string][] {
  const others = [...client.names].filter(([id]) => id !== client.myId && !ids.includes(id));
  return others.sort(([, one], [, other]) => one.localeCompare(other));
}

function copy(button: HTMLElement, what: string, text: string): void {
  const copied = () => {
    button.textContent = 'Copied';
    setTimeout(() => (button.textContent = `Copy ${what}`), 2_000);
  };
  const ask = () => prompt(`The ${what}`, text);
  // Over plain HTTP there is no clipboard.
  if (navigator.clipboard) navigator.clipboard.writeText(text).then(copied, ask);
  else ask();
}

function on<E extends HTMLElement>(id: string, event: string, act: (element: E) => void): void {
  const element = byId<E>(id);
  element.addEventListener(event, (happening) => {
    if (event === 'submit') happening.preventDefault();
    act(element);
  });
}

on('sign-in', 'submit', () => {
  showError('');
  enter({ external_id: randomId(), name: byId<HTMLInputElement>('name').value.trim(), photo: '' });
});

on<HTMLFormElement>('new-chat', 'submit', (form) =>
  attempt(async () => {
    const name = byId<HTMLInputElement>('chat-name').value.trim();
    const isPrivate = byId<HTMLSelectElement>('visibility').value === 'private';
    const team = byId<HTMLSelectElement>('chat-team').value || undefined;
    location.hash = await client.createChat(name, isPrivate, team);
    form.reset();
  }),
);

on<HTMLFormElement>('new-team', 'submit', (form) =>
  attempt(async () => {
    await client.createTeam(byId<HTMLInputElement>('team-name').value.trim());
    form.reset();
  }),
);

on('teams', 'toggle', () => client.refreshTeams());

on('copy', 'click', (button) => copy(button, 'link', location.href));
on('copy-id', 'click', (button) => copy(button, 'id', client.myId));

on('invite', 'click', () => {
  const { id, name, users = [] } = currentChat()!;
  choosePerson('Invite', name, peopleBut(users), (user) =>
    attempt(async () => {
      await client.invite(id, user);
      showNotice(`${client.names.get(user)} is invited to “${name}”.`);
    }),
  );
});
on('close', 'click', () => byId<HTMLDialogElement>('picker').close());

on('rename', 'click', () => {
  const { id, name } = currentChat()!;
  const wanted = prompt('The new name', name)?.trim();
  if (wanted && wanted !== name) void attempt(() => client.renameChat(id, wanted));
});

on('leave', 'click', () =>
  attempt(async () => {
    await client.leaveChat(client.current!);
    location.hash = '';
  }),
);

on<HTMLFormElement>('compose', 'submit', (form) => {
  const text = byId<HTMLTextAreaElement>('text').value.trim();
  if (!text) return;
  form.reset();
  byId('history').scrollTop = byId('history').scrollHeight;
  client.send(client.current!, text);
});

byId('text').addEventListener('keydown', (event) => {
  if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  byId<HTMLFormElement>('compose').requestSubmit();
});

on('earlier', 'click', loadEarlier);
on('history', 'scroll', (history) => {
  if (history.scrollTop < 60) loadEarlier();
});

function loadEarlier(): void {
  const chat = currentChat();
  if (chat) void client.loadEarlier(chat);
}

window.addEventListener('hashchange', () =>
  attempt(async () => {
    await client.open(location.hash.slice(1));
  }),
);
