/** The wiring: who the person in this window is, and which control does what. */
import { ChatClient, randomId, type Chat, type Person } from './client';
import { byId, draw, showError, showWelcome } from './view';

// Of this window alone: two windows are two people, and a reload keeps the person.
const kept = sessionStorage;
let person: Person | undefined = JSON.parse(kept.getItem('person') ?? 'null') ?? undefined;
let client: ChatClient;
let timer = 0;

if (person) enter(person);
else showWelcome();
document.addEventListener('visibilitychange', changed);

function enter(newcomer: Person): void {
  person = newcomer;
  kept.setItem('person', JSON.stringify(person));
  client = new ChatClient(person, JSON.parse(kept.getItem('outbox') ?? '[]'), { changed, failed });
  client.connect(location.hash.slice(1));
  redraw();
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
  draw(client, person.name);
}

function failed(error: Error): void {
  showError(error.message);
  // A link to a chat that cannot be opened.
  if (!client.current && location.hash) history.replaceState(null, '', location.pathname);
  if (client.myId) return;
  // The server does not take this person.
  person = undefined;
  kept.clear();
  client.close();
  redraw();
}

async function attempt(work: () => Promise<void>): Promise<void> {
  showError('');
  await work().catch(failed);
}

function currentChat(): Chat | undefined {
  return client.chats.get(client.current ?? '');
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
    location.hash = await client.createChat(name);
    form.reset();
  }),
);

on('copy', 'click', (button) => {
  const link = location.href;
  const copied = () => (button.textContent = 'Copied');
  const ask = () => prompt('The link', link);
  // Over plain HTTP there is no clipboard.
  if (navigator.clipboard) navigator.clipboard.writeText(link).then(copied, ask);
  else ask();
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
    byId('copy').textContent = 'Copy link';
    await client.open(location.hash.slice(1));
  }),
);
