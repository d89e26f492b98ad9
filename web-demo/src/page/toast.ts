/** Notices in a corner. They disappear by themselves, but errors stay. */
import { byId, element, iconButton } from './elements';

const SHOWN_MS = 6_000;
let timer = 0;

export function showError(text: string): void {
  show(text, false);
}

/** Replaces an error that is shown, as the notice is newer. */
export function showNotice(text: string): void {
  show(text, true);
  timer = setTimeout(() => show('', true), SHOWN_MS);
}

function show(text: string, isNotice: boolean): void {
  clearTimeout(timer);
  const dismiss = iconButton('close', 'Dismiss', () => show('', true));
  byId('toast').classList.toggle('notice', isNotice);
  byId('toast').replaceChildren(...(text ? [element('span', '', text), dismiss] : []));
}
