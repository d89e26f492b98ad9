/** Why the user cannot write in a chat now, and when they can again. */
import type { Acquaintance, MyChat } from 'chinwag-client';

import { fileCount } from './attachments';
import { otherOf } from './avatars';
import { unblock } from './blocks';
import { button, byId, element } from './elements';
import { icon, type IconName } from './icons';
import { client, isMuted } from './state';
import { moment, pause, timeLeft } from './time';

const MINUTE_MS = 60_000;
/** Waits of up to this length are shown as a countdown, longer ones as a time of day. */
const COUNTED_MS = 60 * MINUTE_MS;

export interface Hold {
  icon: IconName;
  text: string;
  /** Whether the field is closed, too. */
  isClosed: boolean;
  /** Whether only one message may be sent at a time. */
  isSlow?: boolean;
  /** When the user can write again, in milliseconds since 1970. */
  until?: number;
  /** The user to unblock. */
  blocked?: Acquaintance;
}

let timer = 0;

export function holdOn(chat: MyChat): Hold | undefined {
  if (chat.direct) return blockedIn(chat);
  if (chat.me && isMuted(chat.me)) {
    const { muted_until } = chat.me;
    const until = muted_until ? Date.parse(muted_until) : undefined;
    return { icon: 'mute', text: 'A moderator has muted you here.', isClosed: true, until };
  }
  if (chat.role !== 'member') return undefined;
  if (chat.frozen) {
    return { icon: 'lock', text: 'Only moderators may write here now.', isClosed: true };
  }
  if (!chat.slow_mode) return undefined;
  // The pause begins when the server has the message; a message in the outbox is not there yet.
  const isSending = client.outbox.of(chat.id).some(({ failure }) => !failure);
  const until = (isSending ? Date.now() : (chat.sentAt ?? 0)) + chat.slow_mode * 1_000;
  const rule = `Slow mode: one message every ${pause(chat.slow_mode)}.`;
  return {
    icon: 'clock',
    text: fileCount() > 1 ? `${rule} Each file is a message of its own.` : rule,
    isClosed: false,
    isSlow: true,
    until: until > Date.now() ? until : undefined,
  };
}

/** Whether the user may react to messages, answer them, and edit their own. */
export const mayAnswer = (chat: MyChat) => !holdOn(chat)?.isClosed;

function blockedIn(chat: MyChat): Hold | undefined {
  const other = otherOf(chat, client);
  if (!other || !client.blocked.has(other.id)) return undefined;
  const text = `You have blocked ${other.name}. They cannot answer you.`;
  return { icon: 'block', text, isClosed: false, blocked: other };
}

/** Draws the hold, and calls `again` when it must be drawn again. */
export function drawHold(hold: Hold | undefined, again: () => void): void {
  clearTimeout(timer);
  const line = byId('hold');
  line.hidden = !hold;
  if (!hold) return;
  const { text, until, blocked, isClosed } = hold;
  const key = JSON.stringify([hold.icon, text, blocked?.id]);
  if (line.dataset.drawn !== key) {
    line.dataset.drawn = key;
    const said = element('span', '', text);
    said.role = 'status';
    const free = blocked ? [button('link', () => void unblockHere(blocked), 'Unblock')] : [];
    line.replaceChildren(icon(hold.icon), said, element('span', 'time'), ...free);
  }
  line.classList.toggle('closed', isClosed);
  // Outside the status element, as screen readers would announce each second.
  const time = line.querySelector('.time')!;
  time.textContent = '';
  if (until === undefined) return;
  const left = Math.max(until - Date.now(), 0);
  const isCounted = left < COUNTED_MS;
  const when = isCounted ? `in ${timeLeft(left)}` : `after ${moment(until)}`;
  time.textContent = `You can write ${when}`;
  timer = setTimeout(again, isCounted ? left % 1_000 || 1_000 : MINUTE_MS);
}

async function unblockHere(blocked: Acquaintance): Promise<void> {
  await unblock(blocked);
  // The focused control disappears with the block.
  byId('text').focus();
}
