/** The rows of the history on the page: messages, and lines between them. */
import type { Acquaintance, Message, MyChat, Pending } from 'chinwag-client';

import { client } from './state';
import { dayName, isSameDay } from './time';

const SAME_BREATH_MS = 5 * 60_000;

export type Row = { key: string; line: string; isNew: boolean } | MessageRow;

export interface MessageRow {
  key: string;
  author: string;
  name: string;
  sentAt: number;
  isMine: boolean;
  /** Whether it is the first or the last of a group of messages that its sender wrote in a row. */
  first: boolean;
  last: boolean;
  /** Members who have read up to it. */
  readers: Acquaintance[];
  message?: Message;
  pending?: Pending;
}

export const isLine = (row: Row): row is Exclude<Row, MessageRow> => 'line' in row;

/**
 * `unreadFrom` is the `seq` of the first new message, which has the line "New messages" above it.
 */
export function rowsOf(
  chat: MyChat,
  messages: Message[],
  withPending: boolean,
  unreadFrom?: number,
): Row[] {
  const pending = withPending ? client.outbox.of(chat.id) : [];
  const said = [
    ...messages.map((message) => ofMessage(chat, message)),
    ...pending.map((message) => ofPending(chat, message)),
  ];
  const rows: Row[] = [];
  let before: MessageRow | undefined;
  for (const row of said) {
    const isNewDay = !before || !isSameDay(before.sentAt, row.sentAt);
    const isNew = row.message !== undefined && row.message.seq === unreadFrom;
    if (isNewDay)
      rows.push({ key: `day ${dayName(row.sentAt)}`, line: dayName(row.sentAt), isNew: false });
    if (isNew) rows.push({ key: 'new', line: 'New messages', isNew: true });
    const goesOn = before?.author === row.author && row.sentAt - before.sentAt < SAME_BREATH_MS;
    row.first = isNewDay || isNew || !goesOn;
    if (before && row.first) before.last = true;
    rows.push(row);
    before = row;
  }
  if (before) before.last = true;
  return rows;
}

function ofMessage(chat: MyChat, message: Message): MessageRow {
  const isMine = message.user_id === client.myId;
  return {
    // With the client's id, so that a pending message keeps its element when it is confirmed.
    key: `${chat.id} ${message.user_id} ${message.client_id ?? message.id}`,
    author: message.user_id,
    name: client.people.nameOf(message.user_id, message.user.name),
    sentAt: Date.parse(message.created_at),
    isMine,
    first: false,
    last: false,
    readers: isMine ? readersOf(chat, message) : [],
    message,
  };
}

function ofPending(chat: MyChat, pending: Pending): MessageRow {
  return {
    key: `${chat.id} ${client.myId} ${pending.client_id}`,
    author: client.myId,
    name: 'You',
    sentAt: pending.written_at,
    isMine: true,
    first: false,
    last: false,
    readers: [],
    pending,
  };
}

function readersOf({ memberList = [] }: MyChat, { seq }: Message): Acquaintance[] {
  const readers = memberList.filter(
    ({ user, read_seq }) => user.id !== client.myId && read_seq >= seq,
  );
  return readers.map(({ user }) => user);
}
