/** The options of a client: the user, the server, and callbacks. */
import type { MyChat } from './chats.js';
import type { UserToMake } from './chinwag.js';
import type { Access } from './connection.js';
import type { Storage } from './outbox.js';

/** The server recognizes a user by one of these ids. */
type Known = { external_id: string | number } | { id: string | number };

export interface Options extends Access {
  /** The user of this client: a user to create or find, or the id of the token's user. */
  user: (UserToMake & Known) | { id: string };
  /** Where unsent messages are stored so that they outlive the page, such as `localStorage`. */
  storage?: Storage;
  /** Called whenever the state has changed. */
  changed?(): void;
  /**
   * Called when the client is connected, for the first time or again, and has fetched what it
   * missed.
   */
  connected?(): void;
  /** Called when the server has refused a request that no caller waits for. */
  failed?(error: Error): void;
  /** Called when the server wants a token, or another one. */
  refused?(): void;
  /** Called when a chat was deleted, or somebody has removed the user from it. */
  removed?(chat: MyChat): void;
}
