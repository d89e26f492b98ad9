/** The users that this user has blocked, and which of their messages are folded away. */
import type { Acquaintance, Message } from 'chinwag-client';

import { personAvatar } from './avatars';
import { confirmed, openDialog } from './dialogs';
import { button, element } from './elements';
import { released } from './release';
import { attempt, client } from './state';
import { showNotice } from './toast';

/**
 * Messages in a direct chat are not folded: the blocked user can no longer write there, and the old
 * messages stay readable.
 */
export function isFolded({ user_id, chat_id }: Pick<Message, 'user_id' | 'chat_id'>): boolean {
  return client.blocked.has(user_id) && !client.chats.get(chat_id)?.direct;
}

export async function block({ id, name }: Acquaintance): Promise<void> {
  const text =
    `${name} can no longer write to you in a direct chat or invite you, and is not told. ` +
    'What they write in other chats is folded away.';
  const question = { title: `Block ${name}?`, text, verb: 'Block', danger: true };
  if (!(await confirmed(question))) return;
  await attempt(async () => {
    await client.act.setBlocked(id, true);
    showNotice(`${name} is blocked.`);
  });
}

export async function unblock({ id, name }: Acquaintance): Promise<void> {
  await attempt(async () => {
    await client.act.setBlocked(id, false);
    showNotice(`${name} is no longer blocked.`);
  });
}

export function showBlocked(): void {
  const { dialog, close } = openDialog('Blocked people');
  const list = element('ul', 'people');
  const hint = element('p', 'hint');
  hint.role = 'status';
  const done = button('quiet', () => close(), 'Close');
  const draw = () => {
    const people = [...client.blocked.values()];
    hint.textContent = people.length
      ? 'They can neither write to you directly nor invite you.'
      : 'You have blocked nobody. To block somebody, open the menu of a member or a message.';
    list.replaceChildren(...people.map((person) => element('li', 'item', ...partsOf(person))));
  };
  const partsOf = (person: Acquaintance) => {
    const name = element('span', 'name', client.people.nameOf(person.id, person.name));
    name.dir = 'auto';
    const handle = element('span', 'preview', person.handle ? `@${person.handle}` : '');
    const free = button('small', () => void unblock(person).then(drawAfter), 'Unblock');
    free.ariaLabel = `Unblock ${name.textContent}`;
    return [personAvatar(person), element('span', 'lines', name, handle), free];
  };
  // The focused button is removed, so another one gets the focus.
  const drawAfter = () => {
    draw();
    (list.querySelector('button') ?? done).focus();
  };
  dialog.append(hint, list, element('div', 'dialog-actions', done));
  draw();
  void attempt(async () => {
    await client.act.listBlocked();
    await released();
    draw();
  });
}
