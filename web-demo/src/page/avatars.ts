/** The picture of a user or a chat: a photo, or initials in a colour that depends on the id. */
import type { Acquaintance, MyChat } from 'chinwag-client';

import type { PageClient } from '../chat/client';
import { element } from './elements';
import { icon } from './icons';

const TONES = 8;

/** The number of a colour, the same for the same id in every window. */
export function toneOf(id: string): string {
  const sum = [...id].reduce((sum, letter) => (sum * 31 + letter.charCodeAt(0)) % 9_973, 7);
  return `tone-${sum % TONES}`;
}

/** The first letters of the first two words, or the first letter of one. */
function initialsOf(name: string): string {
  const words = name.split(/\s+/).map((word) => word.replace(/^[^\p{L}\p{N}\p{S}]+/u, ''));
  const letters = words.filter(Boolean).map((word) => [...word][0]!.toUpperCase());
  return letters.slice(0, 2).join('') || '?';
}

/** Hidden from screen readers, as the name is beside it. */
export function avatar(id: string, name: string, photo = ''): HTMLElement {
  const picture = element('span', `avatar ${toneOf(id)}`);
  picture.ariaHidden = 'true';
  // The page loads nothing from other servers.
  if (photo.startsWith('data:image/')) {
    picture.append(Object.assign(new Image(), { src: photo, alt: '' }));
  } else {
    picture.textContent = initialsOf(name);
  }
  return picture;
}

/** An avatar with a dot that says whether the user is online. */
export function personAvatar(person: Acquaintance): HTMLElement {
  const picture = avatar(person.id, person.name, person.photo);
  if (person.online !== undefined) {
    picture.append(element('span', person.online ? 'dot online' : 'dot'));
  }
  return picture;
}

export function chatAvatar(chat: MyChat, client: PageClient): HTMLElement {
  const other = otherOf(chat, client);
  if (other) return personAvatar(other);
  const picture = avatar(chat.id, chat.name);
  picture.classList.add('square');
  if (chat.private && !chat.direct) picture.append(element('span', 'lock', icon('lock')));
  return picture;
}

/** The other user of a direct chat. */
export function otherOf({ direct, users }: MyChat, { myId, people }: PageClient) {
  if (!direct) return undefined;
  return people.get(users.find((id) => id !== myId));
}

/** A direct chat is called by the other person's name. */
export function titleOf(chat: MyChat, client: PageClient): string {
  return otherOf(chat, client)?.name ?? chat.name;
}
