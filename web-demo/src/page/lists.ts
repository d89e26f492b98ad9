/** Long lists that show only their first items until the user asks for all. */
import { button, element } from './elements';

/** The keys of the lists that the user wants to see in full, also after they are drawn anew. */
const whole = new Set<string>();

/**
 * Returns the list and, if it has more than `most` items, a control that shows all; nothing if
 * there are no items.
 */
export function longList<Item>(
  key: string,
  className: string,
  most: number,
  items: Item[],
  draw: (item: Item) => HTMLLIElement,
): HTMLElement[] {
  if (items.length === 0) return [];
  const shown = whole.has(key) ? items : items.slice(0, most);
  const list = element('ul', className, ...shown.map(draw));
  if (shown.length === items.length) return [list];
  const all = button(
    'small',
    () => {
      whole.add(key);
      list.append(...items.slice(most).map(draw));
      all.remove();
      list.children[most]?.querySelector<HTMLElement>('a, button')?.focus();
    },
    `Show all ${items.length}`,
  );
  return [list, all];
}
