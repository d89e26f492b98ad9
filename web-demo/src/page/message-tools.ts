/** The actions on a message: its menu, and the reactions to choose from. */
import type { Message, MyChat } from 'chinwag-client';

import { edit, reply } from './composer';
import { confirmed } from './dialogs';
import { button, element } from './elements';
import { captionOf } from './files';
import { mayAnswer } from './hold';
import { blockItem } from './members';
import { choose, openMenu, openPanel, type Item } from './menu';
import { report } from './report';
import { attempt, client, mayModerate } from './state';
import { showNotice } from './toast';

const REACTIONS = [
  '👍',
  '❤️',
  '😂',
  '🎉',
  '😮',
  '😢',
  '🙏',
  '🔥',
  '👏',
  '👀',
  '✅',
  '❌',
  '🤔',
  '💡',
  '🚀',
  '☕',
];

export function openReactions(at: HTMLElement, message: Message): void {
  const panel = element('div', 'menu reactions-menu');
  panel.role = 'group';
  panel.ariaLabel = 'Reactions';
  panel.append(
    ...REACTIONS.map((reaction) => {
      const isMine = message.reactions?.some(
        (one) => one.reaction === reaction && one.users.includes(client.myId),
      );
      const pick = button('', () => choose(panel, () => react(reaction, !isMine)), reaction);
      pick.ariaPressed = String(Boolean(isMine));
      return pick;
    }),
  );
  const react = (reaction: string, on: boolean) =>
    void attempt(() => client.act.react(message, reaction, on));
  openPanel(at, panel);
}

export function openTools(at: HTMLElement, message: Message, chat: MyChat): void {
  const isMine = message.user_id === client.myId;
  const items: Item[] = [];
  if (mayAnswer(chat)) {
    items.push(
      { icon: 'reply', text: 'Reply', act: () => reply(message) },
      { icon: 'smile', text: 'React', act: () => openReactions(toolOf(message) ?? at, message) },
    );
  }
  const text = captionOf(message);
  if (text)
    items.push({
      icon: 'copy',
      text: 'Copy text',
      act: () => copyText(text, 'The text is copied.'),
    });
  if (isMine && message.type === 'text' && mayAnswer(chat)) {
    items.push({ icon: 'edit', text: 'Edit', act: () => edit(message) });
  }
  if (chat.direct || mayModerate(chat)) {
    const isPinned = Boolean(message.pinned_at);
    const pin = () => void attempt(() => client.act.pin(message, !isPinned));
    items.push({ icon: 'pin', text: isPinned ? 'Unpin' : 'Pin', act: pin });
  }
  if (!isMine) {
    items.push(
      { icon: 'flag', text: 'Mark as unread', act: () => markUnread(message) },
      { icon: 'alert', text: 'Report', danger: true, act: () => report(message) },
      blockItem(client.people.get(message.user_id) ?? message.user),
    );
  }
  if (isMine || (mayModerate(chat) && !chat.direct)) {
    items.push({ icon: 'trash', text: 'Delete', danger: true, act: () => void erase(message) });
  }
  openMenu(at, items);
}

/** The message may have been drawn anew since its menu was opened. */
function toolOf({ seq }: Message): HTMLElement | null {
  return document.querySelector(`[data-seq="${seq}"] .tools button`);
}

/** Leaves the chat's view, as the page would mark the chat as read again at once. */
function markUnread(message: Message): void {
  void attempt(async () => {
    location.hash = '';
    await client.act.markUnread(message);
  });
}

async function erase(message: Message): Promise<void> {
  const text = 'Its text goes from the server for good. Others see that there was a message.';
  const isSure = await confirmed({
    title: 'Delete this message?',
    text,
    verb: 'Delete',
    danger: true,
  });
  if (isSure) await attempt(() => client.act.delete(message));
}

export function copyText(text: string, done: string): void {
  const copied = () => showNotice(done);
  // Over plain HTTP there is no clipboard API; only a selection can be copied.
  if (navigator.clipboard)
    void navigator.clipboard.writeText(text).then(copied, () => copyBySelection(text, copied));
  else copyBySelection(text, copied);
}

function copyBySelection(text: string, copied: () => void): void {
  const area = element('textarea', 'unseen');
  area.value = text;
  document.body.append(area);
  area.select();
  if (document.execCommand('copy')) copied();
  area.remove();
}
