/** The wiring: who the person in this window is, and which control does what. */
import { isDue, renew, signOut } from './account';
import { ChatClient } from './client';
import { byId, on } from './elements';
import { ChatError } from './errors';
import { isAccount, type Account, type Chat, type Person } from './shapes';
import { choosePerson, clear, draw, showError, showNotice, type Actions } from './view';
import { hideWelcome, prepareWelcome, showWelcome } from './welcome';

const HOUR_MS = 60 * 60_000;

// Of this window alone: two windows are two people, and a reload keeps the person. So it is with
// an account too, whose token nobody finds here who opens the browser later.
const kept = sessionStorage;
let person = load<Person | undefined>('person', undefined);
let client: ChatClient;
let timer = 0;
let renewal: Promise<void> | undefined;

const actions: Actions = {
  answer: (invitation, accepts) =>
    attempt(async () => {
      await client.answer(invitation, accepts);
      if (accepts) location.hash = invitation.chat.id;
    }),
  addToTeam: ({ id, name, users }) =>
    choosePerson('Add', `Add to ${name}`, peopleBut(users), (user) =>
      attempt(async () => {
        await client.addToTeam(id, user);
        showNotice(`${client.names.get(user) ?? 'The person'} is in ${name} now.`);
      }),
    ),
  writeTo: (user) =>
    attempt(async () => {
      location.hash = await client.openDirect(user);
    }),
};

prepareWelcome(enter);
if (person) enter(person);
else void showWelcome();
document.addEventListener('visibilitychange', changed);
setInterval(() => isAccount(person) && tokenOf(person), HOUR_MS);

function enter(newcomer: Person): void {
  person = newcomer;
  const id = isAccount(person) ? person.user_id : person.external_id;
  // What waits to be sent is for the same person only.
  if (load('owner', '') !== id) kept.clear();
  save('owner', id);
  save('person', person);
  const known = { outbox: load('outbox', []), names: load('names', []), rooms: load('rooms', []) };
  const token = async () => (isAccount(newcomer) ? tokenOf(newcomer) : undefined);
  client = new ChatClient(person, token, known, { changed, failed, refused, removed });
  client.connect(location.hash.slice(1));
  showError('');
  hideWelcome();
  redraw();
}

/** An account's token, a new one in time. Where there is none, the old one shows its worth. */
async function tokenOf(account: Account): Promise<string> {
  if (isDue(account)) {
    renewal ??= renew(account).catch(() => {}).finally(() => (renewal = undefined));
    await renewal;
    if (person === account) save('person', account);
  }
  return account.access_token;
}

/** Takes the person out of the page. What they wrote stays, for when they come back. */
function leave(): void {
  client.close();
  person = undefined;
  clear();
}

function forget(): void {
  leave();
  kept.clear();
  history.replaceState(null, '', location.pathname);
}

function save(key: string, value: unknown): void {
  kept.setItem(key, JSON.stringify(value));
}

function load<Value>(key: string, otherwise: Value): Value {
  return JSON.parse(kept.getItem(key) ?? 'null') ?? otherwise;
}

function changed(): void {
  if (!person) return;
  save('outbox', client.outbox);
  // Not an animation frame: the title counts unread messages while the window is hidden.
  timer ||= setTimeout(redraw, 16);
}

function redraw(): void {
  timer = 0;
  if (!person) return;
  const chat = currentChat();
  if (chat && !document.hidden) void client.markRead(chat);
  save('names', [...client.names]);
  save('rooms', [...client.rooms.values()]);
  draw(client, person, actions);
}

function failed(error: Error): void {
  showError(error.message);
  closeLink();
  if (client.myId || (error instanceof ChatError && error.isPassing)) return;
  // The server does not take this person.
  leave();
  kept.clear();
  void showWelcome();
}

function refused(): void {
  const why = isAccount(person)
    ? 'Your session has ended. Sign in again to go on.'
    : 'The server wants to know who you are.';
  leave();
  kept.removeItem('person');
  void showWelcome(why, 'sign-in');
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

on('sign-out', 'click', () => {
  const account = person as Account;
  forget();
  void showWelcome('You are signed out.', 'sign-in');
  signOut(account).catch(() =>
    showError('The server could not be told: until it ends by itself, the token is good.'),
  );
});

// Not forgotten yet: who changes their mind reloads the page.
on('to-account', 'click', () => {
  leave();
  void showWelcome('', 'sign-in');
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

on('new-direct', 'click', () =>
  choosePerson('Write', 'Write to', peopleBut([]), actions.writeTo),
);

on('teams', 'toggle', () => client.refreshTeams());

on('copy', 'click', (button) => copy(button, 'link', location.href));
on('copy-id', 'click', (button) => copy(button, 'id', client.myId));

on('invite', 'click', () => {
  const { id, name, users = [] } = currentChat()!;
  choosePerson('Invite', `Invite to ${name}`, peopleBut(users), (user) =>
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
