/** Completes a name after an @, and finds who is mentioned in a text. */
import type { Acquaintance, MyChat } from 'chinwag-client';

import { personAvatar } from './avatars';
import { byId, element } from './elements';
import { client } from './state';

const OFFERED = 6;
/** An @ at the beginning of a word, and the letters that are typed after it. */
const BEGUN = /(^|\s)@([\p{L}\p{N}_]*)$/u;

let offered: Acquaintance[] = [];
let chosen = 0;

export function offerMentions(input: HTMLTextAreaElement, chat: MyChat): void {
  const begun = input.value.slice(0, input.selectionStart).match(BEGUN);
  const text = begun?.[2]?.toLowerCase();
  const begins = ({ name, handle }: Acquaintance) =>
    [handle ?? '', ...name.split(' '), name].some((word) => word.toLowerCase().startsWith(text!));
  offered = text === undefined ? [] : membersOf(chat).filter(begins).slice(0, OFFERED);
  chosen = 0;
  draw(input);
}

export function closeMentions(input: HTMLTextAreaElement): void {
  offered = [];
  draw(input);
}

/** Handles a key if the list of names is open; returns whether it did. */
export function completes(event: KeyboardEvent, input: HTMLTextAreaElement): boolean {
  if (offered.length === 0) return false;
  const { key } = event;
  if (key === 'ArrowDown') chosen = (chosen + 1) % offered.length;
  else if (key === 'ArrowUp') chosen = (chosen + offered.length - 1) % offered.length;
  else if (key === 'Escape') offered = [];
  else if (key === 'Enter' || key === 'Tab') complete(input, offered[chosen]!);
  else return false;
  event.preventDefault();
  event.stopPropagation();
  draw(input);
  return true;
}

export function mentionedIn(text: string, chat: MyChat): string[] {
  const mentioned = membersOf(chat).filter(({ name }) => text.includes(`@${name}`));
  return mentioned.slice(0, 50).map(({ id }) => id);
}

function membersOf({ memberList = [] }: MyChat): Acquaintance[] {
  const others = memberList.filter(({ user }) => user.id !== client.myId);
  return others.map(({ user }) => client.people.get(user.id) ?? user);
}

function complete(input: HTMLTextAreaElement, { name }: Acquaintance): void {
  const end = input.selectionStart;
  const start = input.value.slice(0, end).lastIndexOf('@');
  input.setRangeText(`@${name} `, start, end, 'end');
  offered = [];
}

function draw(input: HTMLTextAreaElement): void {
  const list = byId('mentions');
  list.hidden = offered.length === 0;
  if (offered.length) input.setAttribute('aria-activedescendant', `mention-${chosen}`);
  else input.removeAttribute('aria-activedescendant');
  list.replaceChildren(
    ...offered.map((person, index) => {
      const handle = person.handle ? ` @${person.handle}` : '';
      const option = element(
        'li',
        'item',
        personAvatar(person),
        element('span', 'lines', person.name, element('span', 'preview', handle)),
      );
      Object.assign(option, {
        id: `mention-${index}`,
        role: 'option',
        ariaSelected: String(index === chosen),
      });
      // Not on `click`, as the field would lose the focus before it.
      option.addEventListener('pointerdown', (event) => {
        event.preventDefault();
        complete(input, person);
        draw(input);
      });
      return option;
    }),
  );
}
