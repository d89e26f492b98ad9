/**
 * The messages on the page. Of a long history only a window is drawn, which moves as the user
 * scrolls. The view stays at the end while the reader is there, and otherwise at the message that
 * they are reading.
 */
import { type Message, type MyChat, placeOf } from 'chinwag-client';

import { byId, element, match } from './elements';
import { drawMessage, newMessage } from './message';
import { isLine, rowsOf, type Row } from './rows';
import { attempt, changed, client, currentChat } from './state';
import { walk } from './walk';
import { DRAWN, firstUnread, lastAt, STEP, windowOf } from './window';

/**
 * The window moves this close to an edge; the reader counts as being at the end this close to it.
 */
const EDGE_PX = 400;
const AT_END_PX = 60;
const MARKED_MS = 2_000;

/** The position in the open chat. */
let place = newPlace('');

function newPlace(chat_id: string) {
  return {
    chat_id,
    /** The `seq` of the last message drawn; absent if that is the latest message. */
    last: undefined as number | undefined,
    isAtEnd: true,
    /** Whether the next drawing must go to the end, wherever the reader is. */
    isBound: false,
    /** The highest `seq` that the reader has seen at the end. */
    seen: 0,
    unreadFrom: undefined as number | undefined,
    isOpened: false,
  };
}

export function prepareMessages(): void {
  const history = byId('history');
  history.addEventListener('scroll', () => void scrolled(), { passive: true });
  history.addEventListener('keydown', (event) => walk(event));
  // Stay at the end when the window changes its size, for example by a phone's keyboard.
  new ResizeObserver(() => place.isAtEnd && toEnd()).observe(history);
  byId('latest').addEventListener('click', () => showLatest());
  byId('earlier').addEventListener('click', () => void earlier());
}

export function drawMessages(chat: MyChat): void {
  const isOther = place.chat_id !== chat.id;
  if (isOther) place = newPlace(chat.id);
  const { timeline } = chat;
  const { messages = [] } = timeline;
  if (timeline.messages && !place.isOpened) placeAt(firstUnread(chat, messages), messages);
  const { from, end } = windowOf(messages, place.last);
  const isWhole = end === messages.length && !timeline.isPart;
  const rows = rowsOf(chat, messages.slice(from, end), isWhole, place.unreadFrom);
  byId('messages').ariaBusy = String(!timeline.messages);
  byId('no-messages').hidden = !timeline.messages || rows.length > 0;
  keepPlace(() => {
    byId('earlier').hidden = !timeline.earlier && from === 0;
    match(
      byId('messages'),
      rows,
      (row) => row.key,
      create,
      (item, row) => update(item, row, chat),
    );
  });
  if (timeline.messages && !place.isOpened) {
    place.isOpened = true;
    toEnd();
    goToUnread();
  }
  readPlace(isWhole, chat);
  drawLatest(chat, messages);
}

/** Whether the reader is at the end, and so has seen all messages. */
export function isAtEnd(): boolean {
  return place.isAtEnd && place.isOpened;
}

/** Shows the latest messages, as after sending one. */
export function showLatest(): void {
  const show = () => {
    place.last = undefined;
    place.isBound = true;
    changed();
  };
  const timeline = currentChat()?.timeline;
  // Far up in the history the latest messages are no longer loaded.
  if (timeline?.isPart) void client.report(timeline.open(0, true).then(show));
  else show();
}

/** Shows a message wherever it is in the history. */
export async function showMessage(chat: MyChat, seq: number): Promise<void> {
  await attempt(async () => {
    await chat.timeline.reach(seq);
    if (currentChat()?.id !== chat.id) return;
    const { messages = [] } = chat.timeline;
    const at = placeOf(messages, seq);
    const found = messages[at];
    if (!found || found.seq !== seq) return;
    if (place.chat_id !== chat.id) place = newPlace(chat.id);
    if (!place.isOpened) place.seen = chat.last_seq - chat.unread;
    place.isOpened = true;
    place.isAtEnd = false;
    place.last = lastAt(at + DRAWN / 2, chat.timeline);
    drawMessages(chat);
    const item = document.querySelector<HTMLElement>(`[data-seq="${seq}"]`);
    item?.scrollIntoView({ block: 'center' });
    item?.focus({ preventScroll: true });
    item?.classList.add('marked');
    setTimeout(() => item?.classList.remove('marked'), MARKED_MS);
  });
}

function create(row: Row): HTMLElement {
  if (!isLine(row)) return newMessage(row);
  const line = element('p', row.isNew ? 'between new' : 'between', element('span', '', row.line));
  return line;
}

function update(item: HTMLElement, row: Row, chat: MyChat): void {
  if (!isLine(row)) drawMessage(item, row, chat);
}

/** Places the window so that the first new message is drawn. */
function placeAt(unreadFrom: number | undefined, messages: Message[]): void {
  place.unreadFrom = unreadFrom;
  place.seen = unreadFrom === undefined ? (messages.at(-1)?.seq ?? 0) : unreadFrom - 1;
  if (unreadFrom !== undefined)
    place.last = messages[placeOf(messages, unreadFrom) + DRAWN - STEP]?.seq;
}

function goToUnread(): void {
  const line = document.querySelector('.between.new');
  if (!line) return;
  const top = line.getBoundingClientRect().top - byId('history').getBoundingClientRect().top;
  if (top < 0) line.scrollIntoView({ block: 'start' });
}

async function scrolled(): Promise<void> {
  const chat = currentChat();
  if (!chat?.timeline.messages || !place.isOpened) return;
  const history = byId('history');
  const { messages, isPart } = chat.timeline;
  const { end } = windowOf(messages, place.last);
  const below = history.scrollHeight - history.scrollTop - history.clientHeight;
  readPlace(end === messages.length && !isPart, chat);
  drawLatest(chat, messages);
  if (history.scrollTop < EDGE_PX) await earlier();
  else if (below < EDGE_PX && end < messages.length) {
    place.last = lastAt(end + STEP - 1, chat.timeline);
    changed();
  } else if (below < EDGE_PX && isPart) {
    await client.report(chat.timeline.loadLater());
    if (place.chat_id !== chat.id) return;
    place.last = lastAt(end + STEP - 1, chat.timeline);
    changed();
  }
}

let isMoving = false;

/** Moves the window up, and loads earlier messages if needed. */
async function earlier(): Promise<void> {
  if (isMoving) return;
  isMoving = true;
  await moveUp().finally(() => (isMoving = false));
}

async function moveUp(): Promise<void> {
  const chat = currentChat();
  if (!chat?.timeline.messages) return;
  const { timeline } = chat;
  if (windowOf(timeline.messages!, place.last).from < STEP && timeline.earlier) {
    await client.report(timeline.loadEarlier());
  }
  if (place.chat_id !== chat.id) return;
  const messages = timeline.messages!;
  const { from, end } = windowOf(messages, place.last);
  if (from === 0) return;
  place.last = messages[Math.max(end - Math.min(STEP, from), DRAWN) - 1]!.seq;
  place.isAtEnd = false;
  drawMessages(chat);
}

function readPlace(isWhole: boolean, chat: MyChat): void {
  const wasAtEnd = place.isAtEnd;
  place.isAtEnd = isWhole && isNearEnd();
  if (place.isAtEnd) place.seen = chat.timeline.end;
  // The reader has reached the end, so that the new messages are read.
  if (place.isAtEnd && !wasAtEnd) changed();
}

/** Makes a change and keeps the view: at the end, or at the message that the reader is reading. */
function keepPlace(change: () => void): void {
  const history = byId('history');
  const top = history.getBoundingClientRect().top;
  // Only messages, not the lines between them: the line of a day moves when earlier messages load.
  const items = [...byId('messages').querySelectorAll<HTMLElement>('.message')];
  const read = items.find((item) => item.getBoundingClientRect().bottom > top);
  const before = read?.getBoundingClientRect().top ?? 0;
  // Measured now, as the browser reports a scroll only later.
  const wasAtEnd = place.isBound || (place.last === undefined && isNearEnd());
  place.isBound = false;
  change();
  if (wasAtEnd) toEnd();
  else if (read?.isConnected) history.scrollTop += read.getBoundingClientRect().top - before;
}

function isNearEnd(): boolean {
  const { scrollHeight, scrollTop, clientHeight } = byId('history');
  return scrollHeight - scrollTop - clientHeight < AT_END_PX;
}

function toEnd(): void {
  byId('history').scrollTop = byId('history').scrollHeight;
}

function drawLatest({ timeline }: MyChat, messages: Message[]): void {
  byId('latest').hidden = place.isAtEnd || !place.isOpened;
  let count = 0;
  for (let at = messages.length - 1; at >= 0 && messages[at]!.seq > place.seen; at -= 1) {
    if (messages[at]!.user_id !== client.myId) count += 1;
  }
  const isLeft = timeline.messages && count > 0;
  const text = isLeft ? `${count} new ${count === 1 ? 'message' : 'messages'}` : 'Jump to latest';
  if (byId('latest-text').textContent !== text) byId('latest-text').textContent = text;
}
