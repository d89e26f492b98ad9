/** News in a corner, which goes by itself unless it is an error. */
import { byId, element, iconButton } from './elements';

const SHOWN_MS = 6_000;
let timer = 0;

export function showError(text: string): void {
  show(text, false);
}

/** Takes the place of an error, as what happened last. */
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
