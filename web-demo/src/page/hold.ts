/** Why one cannot write in a chat now, and when one can again. */
import type { Acquaintance, MyChat } from 'chinwag-client';

import { fileCount } from './attachments';
import { otherOf } from './avatars';
import { unblock } from './blocks';
import { button, byId, element } from './elements';
import { icon, type IconName } from './icons';
import { client, isMuted } from './state';
import { moment, pause, timeLeft } from './time';

const MINUTE_MS = 60_000;
/** For so long the time is counted down; what takes longer ends at a time of day. */
const COUNTED_MS = 60 * MINUTE_MS;

export interface Hold {
  icon: IconName;
  text: string;
  /** Whether one cannot even begin to write. */
  isClosed: boolean;
  /** Whether one sends one message at a time. */
  isSlow?: boolean;
  /** Until when one waits, in milliseconds since 1970. */
  until?: number;
  /** Whom one could unblock. */
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
  // The pause begins when the server has the message, and one that waits is still to get there.
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

/** Whether one may react to messages, answer them, and edit one's own. */
export const mayAnswer = (chat: MyChat) => !holdOn(chat)?.isClosed;

function blockedIn(chat: MyChat): Hold | undefined {
  const other = otherOf(chat, client);
  if (!other || !client.blocked.has(other.id)) return undefined;
  const text = `You have blocked ${other.name}. They cannot answer you.`;
  return { icon: 'block', text, isClosed: false, blocked: other };
}

/** Draws it, and calls `again` when it has to be drawn once more. */
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
  // Not in the status: nobody wants to hear each second of it.
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
  // The control that had the focus goes with the block.
  byId('text').focus();
}
