/** Which messages of a long history are drawn. */
import { type Message, type MyChat, placeOf } from 'chinwag-client';

import { client } from './state';

/** How many messages are drawn at most, and by how many the window moves. */
export const DRAWN = 150;
export const STEP = 60;

/**
 * `last` is the `seq` of the last message in the window; absent if the window ends with the latest
 * one.
 */
export function windowOf(messages: Message[], last?: number) {
  const end = last === undefined ? messages.length : placeOf(messages, last) + 1;
  return { from: Math.max(0, end - DRAWN), end };
}

/** The `last` of a window that ends at this index, or at the end of the loaded messages. */
export function lastAt(at: number, timeline: MyChat['timeline']): number | undefined {
  const { messages = [], isPart } = timeline;
  if (at < messages.length - 1) return messages[at]!.seq;
  return isPart ? messages.at(-1)?.seq : undefined;
}

/** The `seq` of the first unread message, counted back over the messages of others. */
export function firstUnread({ unread }: MyChat, messages: Message[]): number | undefined {
  let left = unread;
  for (let at = messages.length - 1; at >= 0 && left > 0; at -= 1) {
    if (messages[at]!.user_id !== client.myId) left -= 1;
    if (left === 0) return messages[at]!.seq;
  }
  return unread > 0 ? messages[0]?.seq : undefined;
}
