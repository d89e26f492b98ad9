/** The forms to come in: with only a name where that is enough, or with an account. */
import { isOpenToAll, randomId } from 'chinwag-client';

import type { Account, Identity } from '../chat/identity';
import { Refusal, signIn, signUp } from './account';
import { byId, on } from './elements';

export type Way = 'by-name' | 'sign-in' | 'sign-up';

const WAYS: Way[] = ['by-name', 'sign-in', 'sign-up'];

/**
 * Shows the form to come in, once the server has said which one it needs; `why` says why it is
 * shown again.
 */
export async function showWelcome(why = '', way?: Way): Promise<void> {
  byId('app').hidden = true;
  byId('welcome').hidden = false;
  byId('why').textContent = why;
  document.title = 'Chinwag';
  choose();
  const nameIsEnough = await isOpenToAll();
  byId('to-by-name').dataset.isOffered = String(nameIsEnough);
  choose(way ?? (nameIsEnough ? 'by-name' : 'sign-in'));
}

export function hideWelcome(): void {
  byId('welcome').hidden = true;
  byId('app').hidden = false;
}

/** Wires the forms; `enter` is called with the identity of whoever comes in. */
export function prepareWelcome(enter: (identity: Identity) => void): void {
  on<HTMLFormElement>('by-name', 'submit', (form) => {
    const { name } = valuesOf(form);
    enter({ external_id: randomId(), name: name!.trim(), photo: '' });
  });
  on<HTMLFormElement>('sign-in', 'submit', (form) => submit(form, signIn, enter));
  on<HTMLFormElement>('sign-up', 'submit', (form) => submit(form, signUp, enter));
  for (const way of WAYS) on(`to-${way}`, 'click', () => choose(way));
}

/**
 * Shows one form and the links to the others; without `chosen`, that the page is still waiting for
 * the server.
 */
function choose(chosen?: Way): void {
  byId('reaching').hidden = Boolean(chosen);
  for (const way of WAYS) {
    const [form, control] = [byId<HTMLFormElement>(way), byId(`to-${way}`)];
    form.hidden = way !== chosen;
    control.hidden = !chosen || way === chosen || control.dataset.isOffered === 'false';
    if (way === chosen) form.querySelector('input')!.focus();
  }
}

async function submit(
  form: HTMLFormElement,
  ask: (values: Record<string, string>) => Promise<Account>,
  enter: (identity: Identity) => void,
): Promise<void> {
  // The button is not disabled, as it would lose the focus.
  if (form.ariaBusy === 'true') return;
  form.ariaBusy = 'true';
  byId('why').textContent = '';
  showProblems(form, '', {});
  try {
    const account = await ask(valuesOf(form));
    form.reset();
    enter(account);
  } catch (error) {
    const fields = error instanceof Refusal ? error.fields : {};
    showProblems(form, (error as Error).message, fields);
  } finally {
    form.ariaBusy = 'false';
  }
}

function valuesOf(form: HTMLFormElement): Record<string, string> {
  return Object.fromEntries([...new FormData(form)].map(([name, value]) => [name, String(value)]));
}

/** Says what is wrong, also beside each wrong field, and focuses the first of these. */
function showProblems(form: HTMLFormElement, text: string, fields: Record<string, string>): void {
  form.querySelector('.refusal')!.textContent = text;
  for (const input of form.querySelectorAll('input')) {
    const why = fields[input.name] ?? '';
    input.ariaInvalid = why ? 'true' : null;
    const line = byId(input.getAttribute('aria-describedby') ?? '');
    if (line) line.textContent = why || line.dataset.hint || '';
  }
  const wrong = form.querySelector<HTMLInputElement>('[aria-invalid]');
  const folded = wrong?.closest('details');
  if (folded) folded.open = true;
  wrong?.focus();
}
