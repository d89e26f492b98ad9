/** The state of the page that is not part of the client, and the client itself. */
import type { Member, Message, MyChat } from 'chinwag-client';

import type { PageClient } from '../chat/client';

export const view = {
  tab: 'chats' as 'chats' | 'discover',
  shown: 'all' as 'all' | 'unread' | 'archived',
  filter: '',
  /** The message to show in the chat that is being opened. */
  goal: undefined as { chat_id: string; seq: number } | undefined,
  /** Whether the pane with details is open. */
  details: false,
  /** Whether the user keeps the connection closed, to see what happens then. */
  isCut: false,
  /** The message that the composer answers or edits. */
  replyTo: undefined as Message | undefined,
  editing: undefined as Message | undefined,
};

/** The present user's client; importing modules see a new one at once, as bindings are live. */
export let client: PageClient;
export const setClient = (entered: PageClient) => void (client = entered);

/** Draws the page soon; `main.ts` sets it. */
let redraw = () => {};
export const setRedraw = (draw: () => void) => void (redraw = draw);
export const changed = () => redraw();

let fail = (_: Error) => {};
export const setFail = (act: (error: Error) => void) => void (fail = act);

/** Does what a control asks for; if it fails, the page says why. */
export async function attempt(work: () => Promise<void>): Promise<void> {
  await work().catch(fail);
}

export function currentChat(): MyChat | undefined {
  return client.chats.get(client.current ?? '');
}

/** Whether the user is a moderator or the owner of the chat. */
export function mayModerate(chat: MyChat): boolean {
  return chat.role === 'owner' || chat.role === 'moderator';
}

/** Whether a moderator has muted the member. Nothing is pushed when the time is over. */
export const isMuted = ({ muted, muted_until }: Member): boolean =>
  Boolean(muted) && (!muted_until || Date.parse(muted_until) > Date.now());

export function goTo(chat_id: string): void {
  location.hash = chat_id;
}
