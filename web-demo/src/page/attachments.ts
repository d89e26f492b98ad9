/** The files that are to be sent with the next message: chosen, pasted or dropped, and uploaded. */
import type { File as Stored } from 'chinwag-client';

import { sizeOf, type Upload } from '../chat/uploads';
import { button, byId, element, iconButton, match } from './elements';
import { icon } from './icons';
import { changed, client, currentChat, view } from './state';
import { showError } from './toast';

/** At most so many files wait in one chat. */
const AT_ONCE = 10;
const THUMBNAIL_PX = 96;

/** The files of each chat: what was begun in one chat stays there. */
const trays = new Map<string, Upload[]>();
const keys = new WeakMap<Upload, string>();
let made = 0;

export function prepareAttachments(): void {
  const files = byId<HTMLInputElement>('files');
  byId('attach').addEventListener('click', () => files.click());
  files.addEventListener('change', () => {
    attach([...files.files!]);
    files.value = '';
    byId('text').focus();
  });
  byId('text').addEventListener('paste', (event) => {
    const { files, types } = event.clipboardData!;
    // Office programs add a picture to copied text.
    if (files.length === 0 || types.includes('text/plain')) return;
    event.preventDefault();
    attach([...files]);
  });
  prepareDrop();
}

export function drawAttachments(): void {
  const uploads = uploadsHere();
  byId('tray').hidden = uploads.length === 0;
  match(byId('tray'), uploads, (upload) => keys.get(upload)!, newAttachment, drawAttachment);
  byId<HTMLButtonElement>('attach').disabled = !mayAttach();
}

/** Whether there is something to send without a text. */
export function hasFiles(): boolean {
  return !view.editing && uploadsHere().some(({ file }) => file);
}

export function isUploading(): boolean {
  return !view.editing && uploadsHere().some(({ isUnderWay }) => isUnderWay);
}

/** How many messages the files here make. */
export const fileCount = () => uploadsHere().length;

/** Takes at most `most` uploaded files out of the tray, to be sent. */
export function takeFiles(most = AT_ONCE): Stored[] {
  const uploads = uploadsHere();
  const taken = uploads.filter(({ file }) => file).slice(0, most);
  trays.set(
    client.current ?? '',
    uploads.filter((upload) => !taken.includes(upload)),
  );
  return taken.flatMap(({ file }) => file ?? []);
}

export function clearAttachments(): void {
  for (const upload of [...trays.values()].flat()) upload.cancel();
  trays.clear();
  byId('tray').replaceChildren();
}

const uploadsHere = () => trays.get(client.current ?? '') ?? [];
const mayAttach = () => !view.editing && !byId<HTMLTextAreaElement>('text').disabled;

function attach(files: File[]): void {
  if (!currentChat() || !mayAttach()) return;
  const uploads = uploadsHere();
  const fitting = files.slice(0, AT_ONCE - uploads.length);
  if (fitting.length < files.length) showError(`${AT_ONCE} files go at once. Send these first.`);
  for (const file of fitting) {
    const upload = client.upload(file, changed);
    keys.set(upload, String((made += 1)));
    uploads.push(upload);
  }
  trays.set(client.current!, uploads);
  changed();
}

function remove(upload: Upload): void {
  upload.cancel();
  trays.set(
    client.current ?? '',
    uploadsHere().filter((one) => one !== upload),
  );
  changed();
  byId('text').focus();
}

function newAttachment(upload: Upload): HTMLElement {
  const { source } = upload;
  const picture = element('span', 'thumbnail', icon('file'));
  void drawThumbnail(picture, source);
  const name = element('span', 'name', source.name);
  name.dir = 'auto';
  const bar = Object.assign(element('progress', ''), { max: 1 });
  bar.ariaLabel = `Uploading ${source.name}`;
  const lines = element('span', 'lines', name, bar, element('span', 'preview'));
  const close = iconButton('close', '', () => remove(upload));
  const again = button('link', () => void upload.start(), 'Try again');
  const item = element('li', 'attachment', picture, lines, again, close);
  item.lastElementChild!.className = 'icon-button';
  return item;
}

function drawAttachment(item: HTMLElement, upload: Upload): void {
  const { source, progress, failure, isRefused, isUnderWay } = upload;
  const [bar, line, again, close] = item.querySelectorAll<HTMLElement>(
    'progress, .preview, .link, .icon-button',
  );
  (bar as HTMLProgressElement).value = progress;
  bar!.hidden = !isUnderWay;
  again!.hidden = !failure || isRefused;
  const text = failure ?? (isUnderWay ? `${Math.floor(progress * 100)} %` : sizeOf(source.size));
  if (line!.textContent !== text) line!.textContent = text;
  // Screen readers announce an error at once, but not the progress.
  line!.role = failure ? 'alert' : null;
  item.classList.toggle('failed', Boolean(failure));
  close!.ariaLabel = close!.title = `${isUnderWay ? 'Cancel' : 'Remove'} ${source.name}`;
}

/** Draws on a canvas, as the page may only load pictures from the server. */
async function drawThumbnail(place: HTMLElement, source: File): Promise<void> {
  if (!source.type.startsWith('image/')) return;
  // A picture that the browser cannot read is shown as a file.
  const bitmap = await createImageBitmap(source).catch(() => undefined);
  if (!bitmap) return;
  const side = Math.min(bitmap.width, bitmap.height);
  const canvas = Object.assign(element('canvas', ''), {
    width: THUMBNAIL_PX,
    height: THUMBNAIL_PX,
  });
  const [left, top] = [(bitmap.width - side) / 2, (bitmap.height - side) / 2];
  canvas
    .getContext('2d')!
    .drawImage(bitmap, left, top, side, side, 0, 0, THUMBNAIL_PX, THUMBNAIL_PX);
  bitmap.close();
  place.replaceChildren(canvas);
}

function prepareDrop(): void {
  const area = byId('conversation');
  const carriesFiles = (event: DragEvent) => event.dataTransfer?.types.includes('Files');
  // For a drop elsewhere, the browser would leave the page and show the file.
  window.addEventListener('dragover', (event) => carriesFiles(event) && event.preventDefault());
  window.addEventListener('drop', (event) => carriesFiles(event) && event.preventDefault());
  area.addEventListener('dragover', (event) => {
    area.classList.toggle('dropping', carriesFiles(event) && mayAttach());
  });
  area.addEventListener('dragleave', (event) => {
    if (!area.contains(event.relatedTarget as Node)) area.classList.remove('dropping');
  });
  area.addEventListener('drop', ({ dataTransfer }) => {
    area.classList.remove('dropping');
    const items = [...(dataTransfer?.items ?? [])].filter(({ kind }) => kind === 'file');
    const files = items.filter((item) => !item.webkitGetAsEntry()?.isDirectory);
    if (files.length < items.length) showError('A folder cannot be sent. Send its files.');
    attach(files.flatMap((item) => item.getAsFile() ?? []));
    byId('text').focus();
  });
}
