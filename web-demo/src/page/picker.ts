/** Finds people by name or handle, in a dialog or as a part of one. */
import type { Acquaintance } from 'chinwag-client';

import { personAvatar } from './avatars';
import { afterPause, button, element, iconButton } from './elements';
import { openDialog } from './dialogs';
import { icon } from './icons';
import { released } from './release';
import { attempt, client } from './state';

/** A search field with its results below; `chosen` is called with each person that is picked. */
export function peopleFinder(
  label: string,
  isOffered: (person: Acquaintance) => boolean,
  chosen: (person: Acquaintance) => void,
) {
  const input = element('input', '');
  Object.assign(input, { type: 'search', autocomplete: 'off', placeholder: 'Name or handle' });
  input.ariaLabel = label;
  const list = element('ul', 'people');
  list.ariaLabel = 'People';
  const hint = element('p', 'hint');
  hint.role = 'status';
  const show = (people: Acquaintance[]) => {
    const offered = people.filter(({ id }) => id !== client.myId).filter(isOffered);
    list.replaceChildren(
      ...offered.slice(0, 50).map((person) => element('li', '', personButton(person, chosen))),
    );
    hint.textContent = offered.length ? '' : noneFor(input.value.trim());
  };
  const look = () =>
    attempt(async () => {
      const text = input.value.trim().replace(/^@/, '');
      const people = text ? await client.people.find(text) : client.people.all();
      await released();
      if (text === input.value.trim().replace(/^@/, '')) show(people);
    });
  input.addEventListener(
    'input',
    afterPause(() => void look(), 150),
  );
  show(client.people.all());
  const field = element('div', 'search', icon('search'), input);
  return { parts: [field, list, hint], input, refresh: () => void look() };
}

function noneFor(text: string): string {
  return text ? 'Nobody by this name or handle.' : 'Type the beginning of a name or a handle.';
}

function personButton(person: Acquaintance, chosen: (person: Acquaintance) => void): HTMLElement {
  const name = element('span', 'name', person.name);
  name.dir = 'auto';
  const handle = element('span', 'preview', person.handle ? `@${person.handle}` : '');
  return button(
    'item',
    () => chosen(person),
    personAvatar(person),
    element('span', 'lines', name, handle),
  );
}

/** Asks for one person. */
export function choosePerson(
  title: string,
  chosen: (person: Acquaintance) => void,
  isOffered: (person: Acquaintance) => boolean = () => true,
): void {
  const { dialog, close } = openDialog(title, 'finder');
  const finder = peopleFinder('Find people', isOffered, (person) => {
    close();
    chosen(person);
  });
  const actions = element(
    'div',
    'dialog-actions',
    button('quiet', () => close(), 'Cancel'),
  );
  dialog.append(...finder.parts, actions);
  finder.input.focus();
}

/** A part of a form in which several people are picked. */
export function peopleField(label: string) {
  const picked = new Map<string, Acquaintance>();
  const chips = element('ul', 'chips');
  chips.ariaLabel = 'Picked';
  const draw = () => {
    chips.replaceChildren(
      ...[...picked.values()].map((person) => {
        const remove = iconButton('close', `Remove ${person.name}`, () => {
          picked.delete(person.id);
          draw();
          finder.refresh();
        });
        return element('li', 'chip', person.name, remove);
      }),
    );
  };
  const finder = peopleFinder(
    label,
    ({ id }) => !picked.has(id),
    (person) => {
      picked.set(person.id, person);
      finder.input.value = '';
      draw();
      finder.refresh();
      finder.input.focus();
    },
  );
  const caption = element('p', 'caption', label);
  return { part: element('div', 'field', caption, chips, ...finder.parts), picked };
}
