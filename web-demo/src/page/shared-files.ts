/** The files in the loaded messages of a chat, as the server has no list of a chat's files. */
import { type Message, type MyChat, isPicture } from 'chinwag-client';

import { isFolded } from './blocks';
import { button, element } from './elements';
import { fileLine, isBroken, thumbnail } from './files';
import { longList } from './lists';
import { attempt } from './state';

/** If there are more files, the rest is shown on request. */
const PICTURES = 9;
const OTHERS = 5;

/** The latest first. */
export function filesIn({ timeline }: MyChat): Message[] {
  const found = timeline.messages?.filter((message) => message.file && !isFolded(message));
  return found?.reverse() ?? [];
}

export function filesSection(chat: MyChat, messages: Message[]): HTMLElement {
  const { earlier, isPart } = chat.timeline;
  const isShown = ({ file }: Message) => isPicture(file!) && !isBroken(file);
  const pictures = messages.filter(isShown);
  const others = messages.filter((message) => !isShown(message));
  const section = element('section', '', element('h3', '', 'Files'));
  section.append(
    ...longList(`${chat.id} pictures`, 'gallery', PICTURES, pictures, (message) =>
      element('li', '', thumbnail(chat, message)),
    ),
    ...longList(`${chat.id} files`, 'papers', OTHERS, others, (message) =>
      element('li', '', fileLine(message.file!, chat, message)),
    ),
  );
  const isWhole = !earlier && !isPart;
  const none = isWhole ? 'No files have been sent.' : 'None in the messages that are loaded.';
  const some = isWhole ? '' : 'Those in the messages that are loaded.';
  const state = messages.length ? some : none;
  if (state) section.append(element('p', 'faint', state));
  if (earlier) {
    const look = () => void attempt(() => chat.timeline.loadEarlier());
    section.append(button('small', look, 'Look further back'));
  }
  return section;
}
