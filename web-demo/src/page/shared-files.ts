/** The files of a chat, as far as its messages are here: the server keeps no list of them. */
import type { Chat } from '../client/chats';
import { isPicture, type Message } from '../client/shapes';
import { isFolded } from './blocks';
import { button, element } from './elements';
import { fileLine, isBroken, thumbnail } from './files';
import { attempt } from './state';

/** Of more files the rest is shown when it is asked for. */
const PICTURES = 9;
const OTHERS = 5;

/** The latest first. */
export function filesIn({ timeline }: Chat): Message[] {
  const withFile = ({ file, deleted_at }: Message) => file && !deleted_at;
  const found = (timeline.messages ?? []).filter(withFile).reverse();
  return found.filter((message) => !isFolded(message));
}

export function filesSection(chat: Chat, messages: Message[]): HTMLElement {
  const { earlier, isPart } = chat.timeline;
  const isPicturesOwn = ({ file }: Message) => isPicture(file!) && !isBroken(file);
  const section = element('section', '', element('h3', '', 'Files'));
  section.append(
    ...listed('gallery', PICTURES, messages.filter(isPicturesOwn), (message) =>
      thumbnail(chat, message),
    ),
    ...listed(
      'papers',
      OTHERS,
      messages.filter((one) => !isPicturesOwn(one)),
      (message) => fileLine(message.file!, chat, message),
    ),
  );
  const isWhole = !earlier && !isPart;
  const none = isWhole ? 'No files have been sent.' : 'None in the messages that are loaded.';
  const some = isWhole ? '' : 'Of the messages that are loaded.';
  const state = messages.length ? some : none;
  if (state) section.append(element('p', 'faint', state));
  if (earlier) {
    const look = () => void attempt(() => chat.timeline.loadEarlier());
    section.append(button('small', look, 'Look further back'));
  }
  return section;
}

function listed(
  className: string,
  shown: number,
  messages: Message[],
  draw: (message: Message) => HTMLElement,
): HTMLElement[] {
  if (messages.length === 0) return [];
  const list = element('ul', className);
  const add = (some: Message[]) =>
    list.append(...some.map((message) => element('li', '', draw(message))));
  add(messages.slice(0, shown));
  if (messages.length <= shown) return [list];
  const all = button(
    'small',
    () => (add(messages.slice(shown)), all.remove()),
    `Show all ${messages.length}`,
  );
  return [list, all];
}
