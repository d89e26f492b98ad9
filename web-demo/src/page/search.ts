/** The messages of all chats that contain the words of the field above the list. */
import { ChatError, type Message } from 'chinwag-client';

import { chatAvatar, titleOf } from './avatars';
import { isFolded } from './blocks';
import { afterPause, button, byId, element } from './elements';
import { captionOf, said } from './files';
import { showMessage } from './messages';
import { changed, client, currentChat, goTo, view } from './state';
import { shortTime } from './time';
import { marked } from './words';

let found = newFound('');

function newFound(text: string) {
  return {
    text,
    messages: [] as Message[],
    next: undefined as string | undefined,
    /** A text in place of the messages, or below them. */
    state: text ? 'Searching…' : '',
  };
}

/** Asks anew, once the person has stopped typing. */
export const searchSoon = afterPause(() => void search());

export function clearSearch(): void {
  found = newFound('');
}

/** Searches for the text of the field, or loads `more` results of it. */
export async function search(more = false): Promise<void> {
  const text = view.filter;
  if (!more) found = newFound(text);
  changed();
  if (!text || client.state !== 'connected') return;
  const { next } = found;
  try {
    const page = await client.request('search-messages', {
      query: { text, limit: 20, before: more ? next : undefined },
    });
    // Meanwhile the user may have begun another search.
    if (found.text !== text || found.next !== next) return;
    found.messages.push(...page.messages);
    found.next = page.next;
    found.state = found.messages.length ? '' : 'No message has these words.';
  } catch (error) {
    if (found.text === text) found.state = reason(error as Error);
  }
  changed();
}

function reason(error: Error): string {
  const code = error instanceof ChatError ? error.code : '';
  if (code === 'forbidden') return 'Messages cannot be searched on this server.';
  // A text without a letter has no words.
  if (code === 'invalid') return 'No message has these words.';
  return error.message;
}

export function drawSearch(): void {
  byId('found').hidden = !view.filter || view.tab !== 'chats';
  byId('found-state').textContent = found.state;
  byId('found-state').hidden = !found.state;
  byId('more-found').hidden = !found.next;
  const names = found.messages.map(({ chat_id }) => client.chats.get(chat_id)?.name);
  const drawn = JSON.stringify([found.text, found.messages, names, [...client.blocked.keys()]]);
  const list = byId('results');
  if (list.dataset.drawn === drawn) return;
  list.dataset.drawn = drawn;
  list.replaceChildren(...found.messages.flatMap((message) => result(message) ?? []));
}

function result(message: Message): HTMLElement | undefined {
  const chat = client.chats.get(message.chat_id);
  if (!chat) return undefined;
  const { user_id, user, created_at, file } = message;
  const name = element('span', 'name', titleOf(chat, client));
  const time = element('span', 'time', shortTime(created_at));
  const author = user_id === client.myId ? 'You' : client.people.nameOf(user_id, user.name);
  const words = isFolded(message)
    ? [said(message)]
    : marked(captionOf(message) || (file?.name ?? ''), found.text);
  const preview = element('span', 'preview', `${author}: `, ...words);
  name.dir = preview.dir = 'auto';
  const top = element('span', 'line', name, time);
  const lines = element('span', 'lines', top, preview);
  return element('li', '', button('item', () => show(message), chatAvatar(chat, client), lines));
}

function show({ chat_id, seq }: Message): void {
  const chat = currentChat();
  if (chat?.id === chat_id) return void showMessage(chat, seq);
  view.goal = { chat_id, seq };
  goTo(chat_id);
}
