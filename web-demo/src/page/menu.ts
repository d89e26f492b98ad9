/**
 * A menu of actions at a control. It closes on Esc, on a click elsewhere, or when an action is
 * chosen.
 */
import { button, element } from './elements';
import { icon, type IconName } from './icons';

export interface Item {
  icon: IconName;
  text: string;
  danger?: boolean;
  act(): void;
}

export function openMenu(at: HTMLElement, items: Item[]): void {
  const panel = element('div', 'menu');
  panel.role = 'menu';
  panel.ariaLabel = at.ariaLabel ?? at.textContent;
  for (const { icon: name, text, danger, act } of items) {
    const item = button(danger ? 'alarm' : '', () => choose(panel, act), icon(name), text);
    item.role = 'menuitem';
    panel.append(item);
  }
  openPanel(at, panel);
}

/** Shows a panel at a control, moves the focus into it, and back to the control when it closes. */
export function openPanel(at: HTMLElement, panel: HTMLElement): void {
  panel.popover = 'auto';
  panel.addEventListener('keydown', (event) => move(event, panel));
  panel.addEventListener('toggle', (event) => {
    if ((event as ToggleEvent).newState !== 'closed') return;
    if (panel.contains(document.activeElement) || document.activeElement === document.body)
      at.focus();
    at.ariaExpanded = 'false';
    panel.remove();
  });
  // Inside the open dialog, if any, as elements outside of it cannot be reached.
  (at.closest('dialog') ?? document.querySelector('main:not([hidden])')!).append(panel);
  panel.showPopover();
  at.ariaExpanded = 'true';
  place(panel, at);
  panel.querySelector('button')?.focus();
}

/** Closes the menu first, so that something that the action opens can get the focus. */
export function choose(panel: HTMLElement, act: () => void): void {
  panel.hidePopover();
  act();
}

function place(panel: HTMLElement, at: HTMLElement): void {
  const control = at.getBoundingClientRect();
  const { width, height } = panel.getBoundingClientRect();
  const below = control.bottom + 4;
  const top = below + height > innerHeight - 8 ? Math.max(8, control.top - height - 4) : below;
  const left = Math.min(Math.max(8, control.right - width), innerWidth - width - 8);
  panel.style.top = `${top}px`;
  panel.style.left = `${left}px`;
}

function move(event: KeyboardEvent, panel: HTMLElement): void {
  const items = [...panel.querySelectorAll('button')];
  const at = items.indexOf(document.activeElement as HTMLButtonElement);
  const next = {
    ArrowDown: at + 1,
    ArrowRight: at + 1,
    ArrowUp: at - 1,
    ArrowLeft: at - 1,
    Home: 0,
    End: -1,
  }[event.key];
  if (next === undefined) return;
  event.preventDefault();
  items.at(next % items.length)?.focus();
}
