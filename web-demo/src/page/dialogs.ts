/** Questions that wait for an answer, in a dialog. */
import { button, element } from './elements';
import { showError } from './toast';

/** So that of a dialog over another each has its own title. */
let opened = 0;
/** How a dialog ends when the person leaves the page: then nobody waits for an answer. */
const LEFT = 'left';

interface Question {
  title: string;
  text?: string;
  /** What the button says that does it. */
  verb: string;
  danger?: boolean;
}

/** Whether the person says yes. */
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

/** An empty dialog with a title; it goes when it is closed. */
export function openDialog(title: string, className = '') {
  const heading = element('h2', '', title);
  heading.id = `dialog-title-${(opened += 1)}`;
  const dialog = element('dialog', className, heading);
  dialog.setAttribute('aria-labelledby', heading.id);
  dialog.addEventListener('close', () => dialog.remove());
  // A click on what is around it.
  dialog.addEventListener('pointerdown', (event) => {
    if (event.target === dialog) dialog.close();
  });
  document.body.append(dialog);
  dialog.showModal();
  return { dialog, close: (value = '') => dialog.close(value) };
}

/** Closes whatever is asked, as the person goes. */
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
  /** Values, and what they are called. */
  options: [string, string][];
  value?: string;
  hint?: string;
  /** Whether the empty value is none. */
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

/** A question within a form, to be answered with a tick. */
export function checkbox(name: string, text: string): HTMLElement {
  const input = Object.assign(element('input', ''), { type: 'checkbox', name });
  return element('label', 'tick', input, text);
}

/**
 * A form in a dialog, which stays open and says why if `work` fails. If somebody has closed it
 * meanwhile, the page says so.
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
