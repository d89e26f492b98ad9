/** The field for writing a message or an answer, and for editing a message. */
import type { Message } from 'chinwag-client';

import { clearAttachments, drawAttachments, hasFiles, isUploading, takeFiles } from './attachments';
import { titleOf } from './avatars';
import { byId, element, iconButton } from './elements';
import { said } from './files';
import { drawHold, holdOn, type Hold } from './hold';
import { closeMentions, completes, mentionedIn, offerMentions } from './mentions';
import { showLatest } from './messages';
import { attempt, changed, client, currentChat, view } from './state';

/** A longer name would take several lines of an empty field. */
const NAME_FITS = 24;

const input = () => byId<HTMLTextAreaElement>('text');
/** The unsent text of each chat. */
const drafts = new Map<string, string>();
let chat_id = '';
/** Why the user cannot write in the open chat, if so. */
let hold: Hold | undefined;

export function prepareComposer(): void {
  input().addEventListener('keydown', pressed);
  input().addEventListener('input', () => {
    const chat = currentChat();
    if (!chat) return;
    if (!view.editing) client.typing(chat.id);
    offerMentions(input(), chat);
    drawSend();
  });
  input().addEventListener('blur', () => closeMentions(input()));
  byId('compose').addEventListener('submit', (event) => {
    event.preventDefault();
    submit();
  });
}

/**
 * Draws the line above the field; if another chat was opened, also the text that was begun there.
 */
export function drawComposer(): void {
  const chat = currentChat();
  if (!chat) return;
  if (chat.id !== chat_id) change(chat.id);
  hold = holdOn(chat);
  drawHold(hold, drawComposer);
  if (hold?.isClosed && input() === document.activeElement) byId('history').focus();
  input().disabled = byId('compose').hidden = Boolean(hold?.isClosed);
  input().placeholder = invitationTo(titleOf(chat, client));
  drawAttachments();
  drawSend();
  const about = hold?.isClosed ? undefined : (view.editing ?? view.replyTo);
  const drawn = `${about?.id} ${about?.change} ${Boolean(view.editing)}`;
  if (byId('about').dataset.drawn === drawn) return;
  byId('about').dataset.drawn = drawn;
  byId('about').hidden = !about;
  if (!about) return;
  const name = client.people.nameOf(about.user_id, about.user.name);
  const title = view.editing ? 'Edit message' : `Reply to ${name}`;
  const words = element('span', 'said', said(about));
  words.dir = 'auto';
  const cancel = iconButton('close', 'Cancel', () => finish());
  byId('about').replaceChildren(
    element('span', 'lines', element('strong', '', title), words),
    cancel,
  );
}

export function reply(message: Message): void {
  if (view.editing) finish();
  view.replyTo = message;
  changed();
  input().focus();
}

export function edit(message: Message): void {
  view.replyTo = undefined;
  view.editing = message;
  input().value = message.msg;
  changed();
  input().focus();
}

/** Ends an answer or an edit; returns whether there was one. */
export function finish(): boolean {
  const wasBusy = Boolean(view.editing ?? view.replyTo);
  if (view.editing) input().value = '';
  view.editing = view.replyTo = undefined;
  changed();
  return wasBusy;
}

export function clearComposer(): void {
  drafts.clear();
  clearAttachments();
  chat_id = '';
  byId<HTMLFormElement>('compose').reset();
}

function change(id: string): void {
  if (chat_id && !view.editing) drafts.set(chat_id, input().value);
  view.editing = view.replyTo = undefined;
  chat_id = id;
  input().value = drafts.get(id) ?? '';
}

function submit(): void {
  const chat = currentChat();
  const text = input().value.trim();
  if (!chat) return;
  // Since the page was drawn a message may have been sent.
  hold = holdOn(chat);
  if (!maySend()) return;
  const mentions = mentionedIn(text, chat);
  const { editing, replyTo } = view;
  byId<HTMLFormElement>('compose').reset();
  finish();
  if (editing) {
    if (text !== editing.msg) void attempt(() => client.act.edit(editing, text, mentions));
    return;
  }
  const reply_to = replyTo && { id: replyTo.id, seq: replyTo.seq };
  // The first file has the text; there are as many messages as files. In slow mode the others wait.
  const [file, ...files] = takeFiles(hold?.isSlow ? 1 : undefined);
  client.send({
    chat_id: chat.id,
    text,
    file,
    mentions: mentions.length ? mentions : undefined,
    reply_to,
  });
  for (const file of files) client.send({ chat_id: chat.id, text: '', file });
  showLatest();
}

function pressed(event: KeyboardEvent): void {
  if (event.isComposing || completes(event, input())) return;
  if (event.key === 'Enter' && !event.shiftKey) {
    event.preventDefault();
    byId<HTMLFormElement>('compose').requestSubmit();
  } else if (event.key === 'ArrowUp' && !input().value) {
    const { messages, isPart } = currentChat()?.timeline ?? {};
    const last = messages?.findLast(isMineStill);
    if (!last || isPart) return;
    event.preventDefault();
    edit(last);
  }
}

const isMineStill = ({ user_id, deleted_at, type }: Message) =>
  user_id === client.myId && !deleted_at && type === 'text';

const invitationTo = (name: string) =>
  name.length > NAME_FITS ? 'Write a message' : `Write to ${name}`;

function maySend(): boolean {
  const hasContent = Boolean(input().value.trim()) || hasFiles();
  return hasContent && !isUploading() && !input().disabled && !isWaiting();
}

/** Editing a message that was sent needs no waiting. */
const isWaiting = () => !view.editing && hold?.until !== undefined;

function drawSend(): void {
  byId<HTMLButtonElement>('send').disabled = !maySend();
  byId('send').title = isUploading()
    ? 'The files are still being uploaded'
    : isWaiting()
      ? 'You can write again when the time is over'
      : 'Send';
}
