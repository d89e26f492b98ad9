/** How the keyboard goes through the messages. */
import { byId } from './elements';

/** The arrow keys go from message to message; the actions of one are then a Tab away. */
export function walk(event: KeyboardEvent): void {
  if (event.key !== 'ArrowUp' && event.key !== 'ArrowDown') return;
  const at = (event.target as HTMLElement).closest<HTMLElement>('.message');
  const items = [...byId('messages').querySelectorAll<HTMLElement>('.message')];
  const up = event.key === 'ArrowUp';
  const next = at ? items[items.indexOf(at) + (up ? -1 : 1)] : up ? items.at(-1) : undefined;
  if (!next) return;
  event.preventDefault();
  next.focus();
}
