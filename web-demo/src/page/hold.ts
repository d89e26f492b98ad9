/** Why one cannot write in a chat now, and when one can again. */
import type { Chat } from '../client/chats';
import type { Person } from '../client/shapes';
import { otherOf } from './avatars';
import { unblock } from './blocks';
import { button, byId, element } from './elements';
import { icon, type IconName } from './icons';
import { client } from './state';
import { moment, pause, timeLeft } from './time';

/** For so long the time is counted down; what takes longer ends at a time of day. */
const COUNTED_MS = 60 * 60_000;

export interface Hold {
  icon: IconName;
  text: string;
  /** Whether one cannot even begin to write. */
  isClosed: boolean;
  /** Until when one waits, in milliseconds since 1970. */
  until?: number;
  /** Whom one could unblock. */
  blocked?: Person;
}

let timer = 0;

export function holdOn(chat: Chat): Hold | undefined {
  if (chat.direct) return blockedIn(chat);
  const { muted, muted_until } = chat.me ?? {};
  const mutedUntil = muted_until ? Date.parse(muted_until) : undefined;
  if (muted && (mutedUntil ?? Infinity) > Date.now()) {
    const text = 'A moderator keeps you from writing here.';
    return { icon: 'mute', text, isClosed: true, until: mutedUntil };
  }
  if (chat.role !== 'member') return undefined;
  if (chat.frozen) {
    return { icon: 'lock', text: 'Only moderators may write here now.', isClosed: true };
  }
  if (!chat.slow_mode) return undefined;
  const until = (chat.sentAt ?? 0) + chat.slow_mode * 1_000;
  const text = `Slow mode: one message every ${pause(chat.slow_mode)}.`;
  return { icon: 'clock', text, isClosed: false, until: until > Date.now() ? until : undefined };
}

function blockedIn(chat: Chat): Hold | undefined {
  const other = otherOf(chat, client);
  if (!other || !client.blocked.has(other.id)) return undefined;
  const text = `You have blocked ${other.name}, who cannot answer here.`;
  return { icon: 'block', text, isClosed: false, blocked: other };
}

/** Draws it, and calls `again` when it has to be drawn once more. */
export function drawHold(hold: Hold | undefined, again: () => void): void {
  clearTimeout(timer);
  const line = byId('hold');
  line.hidden = !hold;
  if (!hold) return;
  const { text, until, blocked, isClosed } = hold;
  const key = JSON.stringify([hold.icon, text]);
  if (line.dataset.drawn !== key) {
    line.dataset.drawn = key;
    const said = element('span', '', text);
    said.role = 'status';
    const free = blocked ? [button('link', () => void unblock(blocked), 'Unblock')] : [];
    line.replaceChildren(icon(hold.icon), said, element('span', 'time'), ...free);
  }
  line.classList.toggle('closed', isClosed);
  const left = until === undefined ? 0 : until - Date.now();
  // Not in the status: nobody wants to hear each second of it.
  line.querySelector('.time')!.textContent =
    left <= 0
      ? ''
      : left < COUNTED_MS
        ? `You can write in ${timeLeft(left)}`
        : `until ${moment(until!)}`;
  if (left > 0)
    timer = setTimeout(again, left < COUNTED_MS ? left % 1_000 || 1_000 : COUNTED_MS / 60);
}
