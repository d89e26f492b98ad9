/** One message: its sender, text, quoted message, reactions and actions. */
import type { Message, MyChat, Pending, Reaction } from 'chinwag-client';

import { personAvatar, toneOf } from './avatars';
import { isFolded } from './blocks';
import { button, element, iconButton } from './elements';
import { captionOf, fileOf, isBroken, said } from './files';
import { mayAnswer } from './hold';
import { icon } from './icons';
import { formatted, linkTo } from './markup';
import { openMenu, type Item } from './menu';
import { openReactions, openTools } from './message-tools';
import { reply } from './composer';
import { showMessage } from './messages';
import type { MessageRow } from './rows';
import { attempt, changed, client } from './state';
import { clock, fullTime } from './time';

/** A longer text, or one of more lines, is folded. */
const LONG = 700;
const MANY_LINES = 14;
/** At most three emoji, which may be joined or have a skin tone. */
const EMOJI_ALONE =
  /^(\p{Extended_Pictographic}(\uFE0F|\p{Emoji_Modifier}|\u200D\p{Extended_Pictographic})*){1,3}$/u;
const unfolded = new Set<string>();

export function newMessage({ isMine }: MessageRow): HTMLElement {
  const item = element('article', isMine ? 'message mine' : 'message');
  item.tabIndex = -1;
  return item;
}

/** Draws it anew if anything of it has changed. */
export function drawMessage(item: HTMLElement, row: MessageRow, chat: MyChat): void {
  const { message, pending } = row;
  const quoted = quotedBy(row, chat);
  const isUnfolded = unfolded.has(row.key);
  const { readers, name, first, last } = row;
  const author = client.people.get(row.author);
  const drawn = JSON.stringify([
    message,
    pending,
    readers.map(({ id }) => id),
    name,
    first,
    last,
    quoted,
    isUnfolded,
    client.state === 'connected',
    author?.online,
    author?.photo,
    isBroken(message?.file),
    client.blocked.has(row.author),
    chat.role,
    mayAnswer(chat),
  ]);
  if (item.dataset.drawn === drawn) return;
  item.dataset.drawn = drawn;
  if (message) item.dataset.seq = String(message.seq);
  item.classList.toggle('first', first);
  item.classList.toggle('last', last);
  item.classList.toggle('pending', Boolean(pending));
  item.classList.toggle('failed', Boolean(pending?.failure));
  item.classList.toggle('deleted', Boolean(message?.deleted_at));
  const hadFocus = item.contains(document.activeElement) && item !== document.activeElement;
  item.replaceChildren(...partsOf(row, chat, quoted));
  if (hadFocus) item.focus({ preventScroll: true });
}

function partsOf(row: MessageRow, chat: MyChat, quoted?: Message): HTMLElement[] {
  const { message, pending, isMine } = row;
  const author = element(
    'p',
    isMine ? 'author unseen' : `author ${toneOf(row.author)}`,
    isMine ? 'You' : row.name,
  );
  author.dir = 'auto';
  const bubble = element('div', 'bubble');
  const isShown = !message || message.deleted_at || !isFolded(message) || unfolded.has(row.key);
  if (isShown) bubble.append(...contentOf(row, chat, quoted));
  else bubble.append(foldedAway(row));
  const line = element('div', 'bubble-line', bubble, stateOf(row));
  const body = element('div', 'body', author, line);
  if (isShown && message?.reactions) body.append(reactionsOf(message, message.reactions));
  if (pending?.failure) body.append(failureOf(row));
  else if (pending && client.state !== 'connected') body.append(waitingToolsOf(pending));
  const parts: HTMLElement[] = [body];
  if (!isMine) {
    const person = client.people.get(row.author) ?? { id: row.author, name: row.name };
    parts.unshift(element('div', 'side', ...(row.first ? [personAvatar(person)] : [])));
  }
  if (message && !message.deleted_at) body.append(toolsOf(message, chat));
  return parts;
}

function contentOf(row: MessageRow, chat: MyChat, quoted?: Message): HTMLElement[] {
  const parts: HTMLElement[] = [];
  const answered = row.message?.reply_to ?? row.pending?.reply_to;
  if (answered) parts.push(quotation(answered.seq, chat, quoted));
  const file = fileOf(row, chat);
  if (file) parts.push(file);
  if (!file || wordsOf(row)) parts.push(textOf(row), ...foldOf(row));
  return parts;
}

function foldedAway({ key, name }: MessageRow): HTMLElement {
  return element('p', 'text folded', `You have blocked ${name}. `, unfolding(key, 'Show it'));
}

const wordsOf = ({ message, pending }: MessageRow) =>
  message ? captionOf(message) : (pending?.text ?? '');

function textOf(row: MessageRow): HTMLElement {
  const { key, message, pending } = row;
  const text = element('div', 'text');
  text.dir = 'auto';
  if (message?.deleted_at) {
    text.textContent = 'This message was deleted.';
    return text;
  }
  const whole = wordsOf(row);
  // A URL is shown as a link, as the page itself loads nothing from other servers.
  if (message && message.type !== 'text' && !message.file && /^https?:\/\//.test(whole)) {
    text.append(message.type === 'img' ? 'Picture: ' : 'File: ', linkTo(whole));
    return text;
  }
  const shown = isLong(whole) && !unfolded.has(key) ? folded(whole) : whole;
  const mentioned = message?.mentions ?? pending?.mentions ?? [];
  text.append(
    ...formatted(
      shown,
      mentioned.map((id) => client.people.nameOf(id)),
    ),
  );
  if (EMOJI_ALONE.test(whole)) text.classList.add('emoji');
  return text;
}

const isLong = (text: string) =>
  text.length > LONG || text.split('\n', MANY_LINES + 1).length > MANY_LINES;
const folded = (text: string) => `${text.split('\n', MANY_LINES).join('\n').slice(0, LONG)}…`;

function foldOf(row: MessageRow): HTMLElement[] {
  if (!isLong(wordsOf(row))) return [];
  return [unfolding(row.key, unfolded.has(row.key) ? 'Show less' : 'Show all of it')];
}

/** Folds a message, or shows all of it. */
function unfolding(key: string, text: string): HTMLElement {
  return button(
    'link',
    () => {
      if (!unfolded.delete(key)) unfolded.add(key);
      changed();
    },
    text,
  );
}

function quotedBy({ message, pending }: MessageRow, { timeline }: MyChat): Message | undefined {
  const answered = message?.reply_to ?? pending?.reply_to;
  return answered && timeline.at(answered.seq);
}

function quotation(seq: number, chat: MyChat, quoted?: Message): HTMLElement {
  const author = quoted
    ? client.people.nameOf(quoted.user_id, quoted.user.name)
    : 'An earlier message';
  const words = quoted ? said(quoted) : 'Show it';
  const name = element('span', `author ${toneOf(quoted?.user_id ?? '')}`, author);
  const meaning = element('span', 'unseen', 'In reply to ');
  const quote = button(
    'quote',
    () => void showMessage(chat, seq),
    meaning,
    name,
    element('span', 'said', words),
  );
  quote.dir = 'auto';
  return quote;
}

/** When the message was sent, and whether it was stored and read. */
function stateOf({ message, pending, isMine, readers, sentAt }: MessageRow): HTMLElement {
  const state = element('span', 'state');
  if (pending) {
    state.textContent = pending.failure
      ? 'Not sent'
      : client.state === 'connected'
        ? 'Sending…'
        : 'Waiting…';
    return state;
  }
  if (message!.pinned_at) state.append(named('pin', 'Pinned'));
  if (message!.edited_at && !message!.deleted_at) state.append(element('span', '', 'edited'));
  const time = element('time', '', clock(sentAt));
  time.dateTime = message!.created_at;
  time.title = fullTime(sentAt);
  state.append(time);
  if (isMine) {
    const names = readers
      .slice(0, 10)
      .map(({ name }) => name)
      .join(', ');
    state.append(named(names ? 'checks' : 'check', names ? `Read by ${names}` : 'Sent'));
  }
  return state;
}

function named(name: 'pin' | 'check' | 'checks', meaning: string): HTMLElement {
  const mark = element('span', `mark ${name}`, icon(name), element('span', 'unseen', meaning));
  mark.title = meaning;
  return mark;
}

function reactionsOf(message: Message, reactions: Reaction[]): HTMLElement {
  const all = reactions.map(({ reaction, count, users }) => {
    const isMine = users.includes(client.myId);
    const toggle = button(
      'reaction',
      () => attempt(() => client.act.react(message, reaction, !isMine)),
      `${reaction} ${count}`,
    );
    const names = users.map((id) => (id === client.myId ? 'you' : client.people.nameOf(id)));
    toggle.ariaPressed = String(isMine);
    toggle.title = `${names.join(', ')} reacted with ${reaction}`;
    toggle.ariaLabel = `${reaction} ${count}: ${names.join(', ')}`;
    return toggle;
  });
  return element('div', 'reactions', ...all);
}

function failureOf({ pending }: MessageRow): HTMLElement {
  const line = element('p', 'failure', pending!.failure!, ' ');
  line.append(
    button('link', () => client.retry(pending!), 'Try again'),
    ' ',
    button('link', () => client.outbox.remove(pending!.client_id), 'Discard'),
  );
  return line;
}

function waitingToolsOf({ client_id }: Pending): HTMLElement {
  const discard = () => client.outbox.remove(client_id);
  const item: Item = { icon: 'trash', text: 'Discard', danger: true, act: discard };
  const more = iconButton('menu', 'More actions', () => openMenu(more, [item]));
  more.ariaHasPopup = 'true';
  return element('div', 'tools', more);
}

function toolsOf(message: Message, chat: MyChat): HTMLElement {
  const react = iconButton('smile', 'React', () => openReactions(react, message));
  const answer = iconButton('reply', 'Reply', () => reply(message));
  const more = iconButton('menu', 'More actions', () => openTools(more, message, chat));
  react.ariaHasPopup = more.ariaHasPopup = 'true';
  return element('div', 'tools', ...(mayAnswer(chat) ? [react, answer] : []), more);
}
