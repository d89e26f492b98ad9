/** Finds and makes elements. Data enters them as text, never as markup. */

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

/** Makes the children of `parent` those of `items`; an element that stays is kept, and with it focus and selection. */
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

export function element<Tag extends keyof HTMLElementTagNameMap>(tag: Tag, className: string, text = '') {
  return Object.assign(document.createElement(tag), { className, textContent: text });
}

export function button(text: string, onclick: () => void): HTMLButtonElement {
  return Object.assign(element('button', 'small', text), { type: 'button', onclick });
}
