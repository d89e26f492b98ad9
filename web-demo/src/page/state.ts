/** What the page shows now, beside what the client knows; and the client itself. */
import type { Chat } from '../client/chats';
import type { ChatClient } from '../client/client';
import type { Message } from '../client/shapes';

export const view = {
  tab: 'chats' as 'chats' | 'discover',
  shown: 'all' as 'all' | 'unread' | 'archived',
  filter: '',
  /** Where to go in the chat that is being opened. */
  goal: undefined as { chat_id: string; seq: number } | undefined,
  /** Whether the pane with details is open. */
  details: false,
  /** What the composer answers or edits. */
  replyTo: undefined as Message | undefined,
  editing: undefined as Message | undefined,
};

/** The client of whoever is in; imported bindings follow it. */
export let client: ChatClient;
export const setClient = (entered: ChatClient) => void (client = entered);

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

export function currentChat(): Chat | undefined {
  return client.chats.get(client.current ?? '');
}

/** In a direct chat both may, elsewhere moderators. */
export function mayModerate(chat: Chat): boolean {
  return chat.role === 'owner' || chat.role === 'moderator';
}

export function goTo(chat_id: string): void {
  location.hash = chat_id;
}
