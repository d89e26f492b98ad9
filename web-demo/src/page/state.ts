/** What the page shows now, beside what the client knows; and the client itself. */
import type { Member, Message, MyChat } from 'chinwag-client';

import type { PageClient } from '../chat/client';

export const view = {
  tab: 'chats' as 'chats' | 'discover',
  shown: 'all' as 'all' | 'unread' | 'archived',
  filter: '',
  /** Where to go in the chat that is being opened. */
  goal: undefined as { chat_id: string; seq: number } | undefined,
  /** Whether the pane with details is open. */
  details: false,
  /** Whether the connection is kept closed, as a tunnel would. */
  isCut: false,
  /** What the composer answers or edits. */
  replyTo: undefined as Message | undefined,
  editing: undefined as Message | undefined,
};

/** The client of whoever is in; imported bindings follow it. */
export let client: PageClient;
export const setClient = (entered: PageClient) => void (client = entered);

/** Draws the page soon. Set by what wires it. */
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

/** In a direct chat both may, elsewhere moderators. */
export function mayModerate(chat: MyChat): boolean {
  return chat.role === 'owner' || chat.role === 'moderator';
}

/** Whether a moderator keeps them from sending. Nothing is pushed when the time is over. */
export const isMuted = ({ muted, muted_until }: Member): boolean =>
  Boolean(muted) && (!muted_until || Date.parse(muted_until) > Date.now());

export function goTo(chat_id: string): void {
  location.hash = chat_id;
}
