/** The public chats that the user may join: the latest, or those whose names begin with a text. */
import type { PublicChat } from 'chinwag-client';

import { avatar } from './avatars';
import { afterPause, button, byId, element, match } from './elements';
import { plain } from './markup';
import { attempt, client, goTo, view } from './state';

let found: PublicChat[] = [];
let isLoaded = false;

/** Asks anew, once the person has stopped typing. */
export const discoverSoon = afterPause(() => void discover());

export async function discover(): Promise<void> {
  if (view.tab !== 'discover' || client.state !== 'connected') return;
  await attempt(async () => {
    const text = view.filter;
    const body = { text: text || undefined, limit: 50 };
    const { chats } = await client.request('list-public-chats', body);
    if (text !== view.filter) return;
    found = chats;
    isLoaded = true;
    drawDiscover();
  });
}

export function drawDiscover(): void {
  if (view.tab !== 'discover') return;
  byId('empty-discover').hidden = found.length > 0;
  byId('empty-discover').textContent = !isLoaded
    ? 'Looking around…'
    : view.filter
      ? 'No public chat begins with this.'
      : 'There is no public chat yet. Make the first one.';
  match(byId('rooms'), found, (chat) => chat.id, newRoom, drawRoom);
}

function newRoom({ id, name }: PublicChat): HTMLElement {
  const lines = element('span', 'lines', element('span', 'name'), element('span', 'preview'));
  const join = button('small', () => void attempt(() => enter(id)), '');
  const picture = avatar(id, name);
  picture.classList.add('square');
  return element('li', 'item', picture, lines, join);
}

function drawRoom(item: HTMLElement, { id, name, members, description }: PublicChat): void {
  const [title, about] = item.querySelectorAll<HTMLElement>('.name, .preview');
  const join = item.querySelector('button')!;
  const isMember = client.chats.has(id);
  title!.textContent = name;
  title!.dir = about!.dir = 'auto';
  const count = members === 1 ? '1 member' : `${members} members`;
  about!.textContent = description ? `${count} · ${plain(description)}` : count;
  join.textContent = isMember ? 'Open' : 'Join';
  join.classList.toggle('primary', !isMember);
  join.ariaLabel = `${join.textContent} ${name}`;
}

async function enter(id: string): Promise<void> {
  try {
    if (!client.chats.has(id)) await client.act.join(id);
    goTo(id);
  } finally {
    void discover();
  }
}
