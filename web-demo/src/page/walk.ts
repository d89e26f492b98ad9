/** Moving through the messages by the keyboard. */
import { byId } from './elements';

/** The arrow keys move from message to message; Tab then leads to the actions of a message. */
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
