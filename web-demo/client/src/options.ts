/** Who one is, where, and what one wants to hear of. */
import type { MyChat } from './chats.js';
import type { UserToMake } from './chinwag.js';
import type { Access } from './connection.js';
import type { Storage } from './outbox.js';

/** By one of these the server knows a user again. */
type Known = { external_id: string | number } | { id: string | number };

export interface Options extends Access {
  /** Who one is: a user to make or to find, or the id of the user whose the token is. */
  user: (UserToMake & Known) | { id: string };
  /** Where what waits to be sent outlives the page, such as `localStorage`. */
  storage?: Storage;
  /** Something is known that was not known before. */
  changed?(): void;
  /** The connection stands, for the first time or again, and all that was missed is here. */
  connected?(): void;
  /** The server has refused something that nobody waits for. */
  failed?(error: Error): void;
  /** The server wants a token, and another one than there is. */
  refused?(): void;
  /** A chat is gone, or somebody has taken the user out of it. */
  removed?(chat: MyChat): void;
}
