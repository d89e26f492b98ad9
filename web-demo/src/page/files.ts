/** How a message shows its file: as a picture, or as a line with its name. */
import { type File, type Message, type MyChat, isPicture } from 'chinwag-client';

import { sizeOf } from '../chat/uploads';
import { isFolded } from './blocks';
import { element } from './elements';
import { icon } from './icons';
import { plain } from './markup';
import type { MessageRow } from './rows';
import { attempt, changed } from './state';

/** The largest size of a picture on the page, and the size of one whose own is not known. */
const WIDEST = 352;
const HIGHEST = 320;

/** The ids of the files whose pictures could not be loaded. */
const broken = new Set<string>();

export const isBroken = (file?: File) => file !== undefined && broken.has(file.id);

/** The text that the sender has written; empty for a file without a caption. */
export function captionOf({ msg, file, deleted_at }: Message): string {
  return deleted_at || (file && msg === file.url) ? '' : msg;
}

/** A message in one line, for a list or a quotation. */
export function said(message: Message): string {
  const { file, deleted_at } = message;
  if (deleted_at) return 'Message deleted';
  if (isFolded(message)) return 'Message of somebody you have blocked';
  const caption = plain(captionOf(message));
  if (!file) return caption;
  const kind = isPicture(file) ? 'Picture' : 'File';
  return `${kind}: ${caption || file.name}`;
}

export function fileOf({ message, pending }: MessageRow, chat: MyChat): HTMLElement | undefined {
  const file = message?.deleted_at ? undefined : (message?.file ?? pending?.file);
  if (!file) return undefined;
  return isPicture(file) && !isBroken(file)
    ? picture(file, chat, message)
    : fileLine(file, chat, message);
}

function picture(file: File, chat: MyChat, message?: Message): HTMLElement {
  const { width = WIDEST, height = HIGHEST } = file;
  const scale = Math.min(1, WIDEST / width, HIGHEST / height);
  // Its place has this size before it is loaded, so that nothing moves when it appears.
  const size = { width: Math.round(width * scale), height: Math.round(height * scale) };
  if (!message) {
    const place = element('div', 'picture waiting');
    place.style.width = `${size.width}px`;
    place.style.aspectRatio = `${width} / ${height}`;
    return place;
  }
  const alt = captionOf(message) ? file.name : `Picture ${file.name}`;
  const image = Object.assign(newImage(chat, message, alt), size);
  const link = element('a', 'picture', image);
  link.title = file.name;
  return leadTo(link, chat, message);
}

/** A square thumbnail, for a list of pictures. */
export function thumbnail(chat: MyChat, message: Message): HTMLElement {
  const { name } = message.file!;
  const image = newImage(chat, message, `Picture ${name}`);
  const link = element('a', '', image);
  link.title = name;
  return leadTo(link, chat, message);
}

function newImage(chat: MyChat, message: Message, alt: string): HTMLImageElement {
  const image = Object.assign(new Image(), { loading: 'lazy', decoding: 'async', alt });
  image.addEventListener('error', () => void readAgain(chat, message));
  image.src = pathOf(message.file!.url!);
  return image;
}

export function fileLine(file: File, chat: MyChat, message?: Message): HTMLElement {
  const name = element('span', 'name', file.name || 'A file');
  name.dir = 'auto';
  const size = isBroken(file) ? 'It cannot be shown' : sizeOf(file.size);
  const about = element('span', 'lines', name, element('span', 'preview', size));
  const parts = [element('span', 'thumbnail', icon('file')), about];
  if (!message) return element('div', 'file', ...parts);
  const meaning = element('span', 'unseen', 'Download ');
  const link = element('a', 'file', meaning, ...parts, icon('download'));
  link.download = file.name;
  return leadTo(link, chat, message);
}

function leadTo(link: HTMLAnchorElement, chat: MyChat, message: Message): HTMLElement {
  const url = message.file!.url!;
  Object.assign(link, { href: pathOf(url), target: '_blank', rel: 'noopener noreferrer' });
  link.addEventListener('click', (event) => {
    if (!isOver(url)) return;
    event.preventDefault();
    void attempt(async () => {
      const fresh = await chat.timeline.refresh(message.seq);
      if (fresh?.file?.url) open(pathOf(fresh.file.url), '_blank', 'noopener');
    });
  });
  return link;
}

/** A file's URL expires after a while: this reads the message again, which has a new one. */
async function readAgain({ timeline }: MyChat, { seq, file }: Message): Promise<void> {
  const fresh = await timeline.refresh(seq).catch(() => undefined);
  if (fresh && fresh.file?.url !== file!.url) return;
  broken.add(file!.id);
  changed();
}

/**
 * The URL on this page's own origin, whatever `--public-url` says: the page loads nothing from
 * elsewhere.
 */
function pathOf(url: string): string {
  const { pathname, search } = new URL(url, location.href);
  return pathname + search;
}

/** A file's URL contains the time of its expiry, in seconds. */
function isOver(url: string): boolean {
  const until = new URL(url, location.href).searchParams.get('until');
  return until !== null && Number(until) * 1_000 < Date.now();
}
