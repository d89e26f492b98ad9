/** Which messages of a long history are drawn. */
import { type Message, type MyChat, placeOf } from 'chinwag-client';

import { client } from './state';

/** So many messages are drawn at most, and by so many the window moves. */
export const DRAWN = 150;
export const STEP = 60;

/** `last` is the `seq` of the last one, absent where that is the latest there is. */
export function windowOf(messages: Message[], last?: number) {
  const end = last === undefined ? messages.length : placeOf(messages, last) + 1;
  return { from: Math.max(0, end - DRAWN), end };
}

/** Draws up to this place, or else to the end of what is here. */
export function lastAt(at: number, timeline: MyChat['timeline']): number | undefined {
  const { messages = [], isPart } = timeline;
  if (at < messages.length - 1) return messages[at]!.seq;
  return isPart ? messages.at(-1)?.seq : undefined;
}

/** So many messages of others are unread: where the first of them is. */
export function firstUnread({ unread }: MyChat, messages: Message[]): number | undefined {
  let left = unread;
  for (let at = messages.length - 1; at >= 0 && left > 0; at -= 1) {
    if (messages[at]!.user_id !== client.myId) left -= 1;
    if (left === 0) return messages[at]!.seq;
  }
  return unread > 0 ? messages[0]?.seq : undefined;
}
