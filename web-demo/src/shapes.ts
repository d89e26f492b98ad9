/** What the server and the page tell each other of. */

/** Somebody who has said no more than a name. */
export interface Guest {
  external_id: string;
  name: string;
  photo: string;
}

/** Somebody who has signed in. */
export interface Account {
  name: string;
  user_id: string;
  access_token: string;
  refresh_token: string;
  expires_at: string;
}

export type Person = Guest | Account;

export const isAccount = (person?: Person): person is Account =>
  person !== undefined && 'access_token' in person;

export interface Message {
  id: string;
  msg: string;
  user_id: string;
  /** Who sent it, as they are called now. */
  user: User;
  chat_id: string;
  seq: number;
  client_id?: string;
  created_at: string;
  edited_at?: string;
  deleted_at?: string;
  /** The number of its latest change in the chat. */
  change?: number;
}

export type Cursor = { before_seq: number };
export type Page = { messages: Message[]; previous?: Cursor };
export type Changes = { messages: Message[]; next?: number; last_change: number };

/** A message that the server has not confirmed. */
export interface Pending {
  client_id: string;
  chat_id: string;
  text: string;
  failure?: string;
}

export interface User {
  id: string;
  name: string;
}

/** A public chat to be joined. */
export interface Room {
  id: string;
  name: string;
}

export interface Team {
  id: string;
  name: string;
  users: string[];
}

export interface Invitation {
  id: string;
  chat: Room;
  inviter: User;
}

/** Who is in a room now; of a full one not everybody is named. */
export interface Presence {
  channel: string;
  participants: number;
  users: User[];
}

export type Count = { channel: string; participants: number };
export type Move = Count & { user: User };
export type Moves = Count & { joined: User[]; left: { id: string }[] };

export interface Chat {
  id: string;
  name: string;
  private?: boolean;
  /** The one chat of two people, that stays as it is. */
  direct?: boolean;
  team_id?: string | null;
  /** Who made it. */
  user?: string;
  users?: string[];
  last_seq: number;
  /** The number of the latest change to a message. */
  last_change?: number;
  /** Up to which change the messages here are as they became. */
  change?: number;
  unread: number;
  /** In the order of `seq` and without a gap; absent until the chat is opened. */
  messages?: Message[];
  /** Where earlier messages go on, if there are any. */
  earlier?: Cursor;
}
