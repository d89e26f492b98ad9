/**
 * The rules of a chat: who may write and how often, and how long messages are kept. Moderators set
 * them.
 */
import type { MyChat } from 'chinwag-client';

import { confirmed, formDialog, select } from './dialogs';
import { button, element } from './elements';
import { icon, type IconName } from './icons';
import { client, mayModerate } from './state';
import { days, duration, pause } from './time';

const PAUSES_S = [0, 5, 10, 30, 60, 300, 900, 3_600];
const KEPT_DAYS = [0, 1, 7, 30, 90, 365];

type Rules = Pick<MyChat, 'frozen' | 'slow_mode' | 'history' | 'retention_days'>;

/** Lists the rules that differ from the usual ones, and lets moderators change them. */
export function rulesSection(chat: MyChat): HTMLElement[] {
  const lines = linesOf(chat);
  const isModerator = mayModerate(chat);
  if (chat.direct || (lines.length === 0 && !isModerator)) return [];
  const section = element('section', '', element('h3', '', 'Rules'));
  const usual = element('p', 'faint', 'Every member may write and read the whole history.');
  if (lines.length === 0) section.append(usual);
  else section.append(element('ul', 'rules', ...lines));
  if (isModerator) section.append(button('small', () => changeRules(chat), 'Change rules'));
  return [section];
}

function linesOf(chat: MyChat): HTMLElement[] {
  const { frozen, slow_mode, history, retention_days } = chat;
  const line = (name: IconName, text: string) => element('li', '', icon(name), text);
  return [
    ...(frozen ? [line('lock', 'Only moderators may write')] : []),
    ...(slow_mode ? [line('clock', `Slow mode: one message every ${pause(slow_mode)}`)] : []),
    ...(history === 'all' ? [] : [line('person', 'Members see only what is said after they join')]),
    ...(retention_days
      ? [line('trash', `Messages are deleted after ${days(retention_days)}`)]
      : []),
  ];
}

/** Options for a select; the present value is always one of them. */
function numbers(offered: number[], value: number, name: (value: number) => string) {
  const all = [...new Set([...offered, value])].sort((one, other) => one - other);
  return all.map((number): [string, string] => [String(number), name(number)]);
}

function changeRules(chat: MyChat): void {
  const { frozen, slow_mode, history, retention_days } = chat;
  const before: Rules = { frozen, slow_mode, history, retention_days };
  const content = [
    select({
      name: 'frozen',
      label: 'Who may write',
      options: [
        ['', 'All members'],
        ['on', 'Only moderators: others read'],
      ],
      value: frozen ? 'on' : '',
    }),
    select({
      name: 'slow_mode',
      label: 'Slow mode',
      options: numbers(PAUSES_S, slow_mode, (seconds) => (seconds ? duration(seconds) : 'Off')),
      value: String(slow_mode),
      hint: 'How long a member waits between two messages; moderators do not wait',
    }),
    select({
      name: 'history',
      label: 'New members see',
      options: [
        ['all', 'The whole history'],
        ['since-joining', 'Only what is said after they join'],
      ],
      value: history,
    }),
  ];
  if (chat.role === 'owner') {
    const keep = (kept: number) => (kept ? `For ${days(kept)}` : 'As the server is set up');
    content.push(
      select({
        name: 'retention_days',
        label: 'Messages are kept',
        options: numbers(KEPT_DAYS, retention_days, keep),
        value: String(retention_days),
        hint: 'Older ones are deleted for good',
      }),
    );
  }
  formDialog('Rules of the chat', 'Save', content, async (values) => {
    const next = {
      frozen: Boolean(values.frozen),
      slow_mode: Number(values.slow_mode),
      history: values.history as typeof history,
      retention_days: Number(values.retention_days ?? retention_days),
    };
    const kept = next.retention_days;
    if (kept && (!retention_days || kept < retention_days)) await agree(kept);
    await client.act.updateChat(chat.id, changesOf(before, next));
  });
}

/**
 * Only the fields that the user has changed: so changes by others stay, and a moderator does not
 * send what only the owner may set.
 */
function changesOf(before: Rules, next: Rules): Partial<Rules> {
  const names = Object.keys(next) as (keyof Rules)[];
  return Object.fromEntries(
    names.filter((name) => next[name] !== before[name]).map((name) => [name, next[name]]),
  );
}

async function agree(kept: number): Promise<void> {
  const text = `Messages older than ${days(kept)} are deleted for everybody, and do not come back.`;
  const question = { title: 'Delete older messages?', text, verb: 'Delete them', danger: true };
  if (!(await confirmed(question))) throw new Error('Nothing has been changed.');
}
