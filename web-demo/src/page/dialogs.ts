/** Questions that wait for an answer, in a dialog. */
import { button, element } from './elements';
import { showError } from './toast';

/** Counts dialogs, so that each of two open ones has a title with its own id. */
let opened = 0;
/**
 * The return value of a dialog that closes because the user leaves; nobody waits for its answer.
 */
const LEFT = 'left';

interface Question {
  title: string;
  text?: string;
  /** The text of the button that confirms. */
  verb: string;
  danger?: boolean;
}

/** Asks the user; resolves to whether they confirm. */
export function confirmed({ title, text = '', verb, danger }: Question): Promise<boolean> {
  return new Promise((resolve) => {
    const { dialog, close } = openDialog(title);
    dialog.addEventListener('close', () => resolve(dialog.returnValue === 'yes'));
    const yes = button(danger ? 'danger' : 'primary', () => close('yes'), verb);
    const actions = element(
      'div',
      'dialog-actions',
      button('quiet', () => close(), 'Cancel'),
      yes,
    );
    dialog.append(element('p', 'dialog-text', text), actions);
  });
}

/** An empty dialog with a title; it is removed when it is closed. */
export function openDialog(title: string, className = '') {
  const heading = element('h2', '', title);
  heading.id = `dialog-title-${(opened += 1)}`;
  const dialog = element('dialog', className, heading);
  dialog.setAttribute('aria-labelledby', heading.id);
  dialog.addEventListener('close', () => dialog.remove());
  // A click outside the dialog closes it.
  dialog.addEventListener('pointerdown', (event) => {
    if (event.target === dialog) dialog.close();
  });
  document.body.append(dialog);
  dialog.showModal();
  return { dialog, close: (value = '') => dialog.close(value) };
}

/** Closes all open dialogs, as the user leaves. */
export function closeDialogs(): void {
  for (const dialog of document.querySelectorAll('dialog')) dialog.close(LEFT);
}

interface Field {
  name: string;
  label: string;
  value?: string;
  hint?: string;
  required?: boolean;
  lines?: number;
}

export function field({ name, label, value = '', hint = '', required = false, lines }: Field) {
  const input = element(lines ? 'textarea' : 'input', '');
  const id = `field-${name}`;
  Object.assign(input, { id, name, value, required, autocomplete: 'off', dir: 'auto' });
  if (input instanceof HTMLTextAreaElement) input.rows = lines!;
  const caption = Object.assign(element('label', '', label), { htmlFor: id });
  const parts: HTMLElement[] = [caption, input];
  if (hint) parts.push(hintOf(input, hint));
  return element('div', 'field', ...parts);
}

function hintOf(input: HTMLElement, text: string): HTMLElement {
  const line = Object.assign(element('p', 'hint', text), { id: `${input.id}-hint` });
  input.setAttribute('aria-describedby', line.id);
  return line;
}

interface Select {
  name: string;
  label: string;
  /** Pairs of a value and its label. */
  options: [string, string][];
  value?: string;
  hint?: string;
  /** Whether a value other than the empty one must be chosen. */
  required?: boolean;
}

export function select({
  name,
  label,
  options,
  value,
  hint,
  required = false,
}: Select): HTMLElement {
  const input = Object.assign(element('select', ''), { id: `field-${name}`, name, required });
  input.append(
    ...options.map(([option, text]) => new Option(text, option, false, option === value)),
  );
  const caption = Object.assign(element('label', '', label), { htmlFor: input.id });
  return element('div', 'field', caption, input, ...(hint ? [hintOf(input, hint)] : []));
}

/** A checkbox with its label in a form. */
export function checkbox(name: string, text: string): HTMLElement {
  const input = Object.assign(element('input', ''), { type: 'checkbox', name });
  return element('label', 'tick', input, text);
}

/**
 * A form in a dialog. If `work` fails, the dialog stays open and shows the error; if the user has
 * closed it meanwhile, the page shows the error.
 */
export function formDialog(
  title: string,
  verb: string,
  content: HTMLElement[],
  work: (values: Record<string, string>) => Promise<void>,
): void {
  const { dialog, close } = openDialog(title);
  const refusal = element('p', 'refusal');
  refusal.role = 'alert';
  const submit = element('button', 'primary', verb);
  const actions = element(
    'div',
    'dialog-actions',
    button('quiet', () => close(), 'Cancel'),
    submit,
  );
  const form = element('form', '', ...content, refusal, actions);
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    if (submit.ariaBusy === 'true') return;
    submit.ariaBusy = 'true';
    refusal.textContent = '';
    const values = [...new FormData(form)].map(([name, value]) => [name, String(value).trim()]);
    work(Object.fromEntries(values))
      .then(() => close())
      .catch(({ message }: Error) => {
        if (dialog.open) refusal.textContent = message;
        else if (dialog.returnValue !== LEFT) showError(message);
      })
      .finally(() => (submit.ariaBusy = 'false'));
  });
  dialog.append(form);
  form.querySelector<HTMLElement>('input, select, textarea')?.focus();
}
