/** The rules of a chat: who may write and how often, and what is kept. Moderators set them. */
import { rulesOf, type Chat } from '../client/chats';
import { confirmed, formDialog, select } from './dialogs';
import { button, element } from './elements';
import { icon, type IconName } from './icons';
import { client, mayModerate } from './state';
import { days, duration, pause } from './time';

const PAUSES_S = [0, 5, 10, 30, 60, 300, 900, 3_600];
const KEPT_DAYS = [0, 1, 7, 30, 90, 365];

/** What is not as usual, and for moderators a way to change it. */
export function rulesSection(chat: Chat): HTMLElement[] {
  const lines = linesOf(chat);
  const isModerator = mayModerate(chat);
  if (chat.direct || (lines.length === 0 && !isModerator)) return [];
  const section = element('section', '', element('h3', '', 'Rules'));
  const usual = element('p', 'faint', 'Everybody may write, see all of it, and all is kept.');
  if (lines.length === 0) section.append(usual);
  else section.append(element('ul', 'rules', ...lines));
  if (isModerator) section.append(button('small', () => changeRules(chat), 'Change rules'));
  return [section];
}

function linesOf(chat: Chat): HTMLElement[] {
  const { frozen, slow_mode, history, retention_days } = rulesOf(chat);
  const line = (name: IconName, text: string) => element('li', '', icon(name), text);
  return [
    ...(frozen ? [line('lock', 'Only moderators may write')] : []),
    ...(slow_mode ? [line('clock', `Slow mode: one message every ${pause(slow_mode)}`)] : []),
    ...(history === 'all' ? [] : [line('person', 'Members see what is said after they join')]),
    ...(retention_days
      ? [line('trash', `Messages are deleted after ${days(retention_days)}`)]
      : []),
  ];
}

/** The value that is set stays among those to choose from. */
function numbers(offered: number[], value: number, name: (value: number) => string) {
  const all = [...new Set([...offered, value])].sort((one, other) => one - other);
  return all.map((number): [string, string] => [String(number), name(number)]);
}

function changeRules(chat: Chat): void {
  const { frozen, slow_mode, history, retention_days } = rulesOf(chat);
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
      hint: 'So long a member waits between two messages; moderators need not',
    }),
    select({
      name: 'history',
      label: 'New members see',
      options: [
        ['all', 'All that was said before'],
        ['since-joining', 'What is said after they join'],
      ],
      value: history,
    }),
  ];
  if (chat.role === 'owner') {
    const keep = (kept: number) => (kept ? `For ${days(kept)}` : 'As long as the server does');
    content.push(
      select({
        name: 'retention_days',
        label: 'Messages are kept',
        options: numbers(KEPT_DAYS, retention_days, keep),
        value: String(retention_days),
        hint: 'Those that are older are deleted for good',
      }),
    );
  }
  formDialog('Rules of the chat', 'Save', content, async (values) => {
    const kept = Number(values.retention_days ?? retention_days);
    if (kept && (!retention_days || kept < retention_days)) await agree(kept);
    await client.act.updateChat(chat.id, {
      frozen: Boolean(values.frozen),
      slow_mode: Number(values.slow_mode),
      history: values.history as typeof history,
      // The owner's alone: others may not even repeat it.
      retention_days: chat.role === 'owner' ? kept : undefined,
    });
  });
}

async function agree(kept: number): Promise<void> {
  const older = `All that was said more than ${days(kept)} ago`;
  const text = `${older} goes for everybody, and does not come back.`;
  const question = { title: 'Delete older messages?', text, verb: 'Delete them', danger: true };
  if (!(await confirmed(question))) throw new Error('Nothing has been changed.');
}
