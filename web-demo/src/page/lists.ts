/** Long lists, of which the rest is shown when it is asked for. */
import { button, element } from './elements';

/** What was asked for, by the keys of the lists: it stays when a list is drawn anew. */
const whole = new Set<string>();

/**
 * The list, and the control that shows all of it where there are more than `most` items; of no
 * items nothing.
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
