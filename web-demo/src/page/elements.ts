/** Finds and creates elements. Data is always inserted as text, never as markup. */
import { icon, type IconName } from './icons';

export const byId = <E extends HTMLElement>(id: string) => document.getElementById(id) as E;

export function on<E extends HTMLElement>(
  id: string,
  event: string,
  act: (element: E) => void,
): void {
  const element = byId<E>(id);
  element.addEventListener(event, (happening) => {
    if (event === 'submit') happening.preventDefault();
    act(element);
  });
}

/**
 * Gives `parent` a child for each of `items`. The elements of items that stay are kept, with their
 * focus and selection.
 */
export function match<Item>(
  parent: HTMLElement,
  items: Item[],
  keyOf: (item: Item) => string,
  create: (item: Item) => HTMLElement,
  update: (element: HTMLElement, item: Item, before?: Item) => void,
): void {
  const old = new Map(
    ([...parent.children] as HTMLElement[]).map((child) => [child.dataset.key, child]),
  );
  const wanted = items.map((item, index) => {
    const key = keyOf(item);
    const child = old.get(key) ?? create(item);
    old.delete(key);
    child.dataset.key = key;
    update(child, item, items[index - 1]);
    return child;
  });
  for (const child of old.values()) child.remove();
  wanted.forEach((child, index) => {
    const there = parent.children[index];
    if (there !== child) parent.insertBefore(child, there ?? null);
  });
}

type Child = Node | string;

export function element<Tag extends keyof HTMLElementTagNameMap>(
  tag: Tag,
  className: string,
  ...children: Child[]
): HTMLElementTagNameMap[Tag] {
  const made = document.createElement(tag);
  made.className = className;
  made.append(...children);
  return made;
}

export function button(className: string, onclick: () => void, ...children: Child[]) {
  return Object.assign(element('button', className, ...children), { type: 'button', onclick });
}

/** A button that shows an icon; screen readers get its text. */
export function iconButton(name: IconName, label: string, onclick: () => void): HTMLButtonElement {
  const made = button('icon-button', onclick, icon(name));
  made.ariaLabel = made.title = label;
  return made;
}

/** Calls `work` once the calls have stopped for a moment. */
export function afterPause(work: () => void, pause_ms = 200): () => void {
  let timer = 0;
  return () => {
    clearTimeout(timer);
    timer = setTimeout(work, pause_ms);
  };
}
