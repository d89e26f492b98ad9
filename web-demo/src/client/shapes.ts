/** What the server and its clients tell each other, as docs/protocol.md has it. */

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

export type Identity = Guest | Account;

export const isAccount = (identity?: Identity): identity is Account =>
  identity !== undefined && 'access_token' in identity;

export interface User {
  id: string;
  name: string;
  handle?: string | null;
}

/** A user as others see them. */
export interface Person extends User {
  photo?: string;
  online?: boolean;
  last_seen?: string;
}

export type Role = 'owner' | 'moderator' | 'member';

export interface Member {
  user: Person;
  role?: Role;
  read_seq: number;
  /** A moderator keeps them from sending, until then or for good. */
  muted?: boolean;
  muted_until?: string;
}

/** Nothing is pushed when the time is over. */
export const isMuted = ({ muted, muted_until }: Member): boolean =>
  Boolean(muted) && (!muted_until || Date.parse(muted_until) > Date.now());

export interface Reaction {
  reaction: string;
  count: number;
  /** At most 20 of those who reacted. */
  users: string[];
}

/** What somebody has uploaded and sent. */
export interface File {
  id: string;
  name: string;
  /** A media type. */
  type: string;
  /** In bytes. */
  size: number;
  /** Of a picture, in pixels. */
  width?: number;
  height?: number;
  /** Where it can be read for a while; absent until it is in a message. */
  url?: string;
}

/** Whether a browser shows it in place. */
export const isPicture = ({ type }: File) => /^image\/(png|jpeg|gif|webp|avif)$/.test(type);

export interface Message {
  id: string;
  msg: string;
  type: 'text' | 'img' | 'file';
  user_id: string;
  /** Who sent it, as they are called now. */
  user: User;
  chat_id: string;
  seq: number;
  client_id?: string;
  created_at: string;
  edited_at?: string;
  deleted_at?: string;
  pinned_at?: string;
  reply_to?: { id: string; seq: number };
  replies?: number;
  mentions?: string[];
  reactions?: Reaction[];
  file?: File;
  /** The number of its latest change in the chat. */
  change?: number;
}

export type Cursor = { before_seq: number };
export type Page = { messages: Message[]; previous?: Cursor; next?: { after_seq: number } };
/** The latest first; `next` leads to those before. */
export type Found = { messages: Message[]; next?: string };
export type Changes = { messages: Message[]; next?: number; last_change: number };

/** A chat as the server tells of it. */
export interface ChatNews {
  id: string;
  name: string;
  description?: string | null;
  private?: boolean;
  /** The one chat of two people, that stays as it is. */
  direct?: boolean;
  team_id?: string | null;
  /** The ids of its members, at most 1,001. */
  users?: string[];
  /** In place of `users` where the chat is one of a list of public ones. */
  members?: number;
  last_seq: number;
  last_change?: number;
  last_message?: Message;
  created_at?: string;
  /** Only moderators may write. */
  frozen?: boolean;
  /** So many seconds pass between two messages of one member. */
  slow_mode?: number;
  /** What members see of the time before they joined: all of it, unless it says otherwise. */
  history?: 'all' | 'since-joining';
  /** So long messages are kept; 0 is for ever. */
  retention_days?: number;
  /** One's own from here on. */
  role?: Role;
  unread?: number;
  mentions?: number;
  muted?: boolean;
  pinned?: boolean;
  archived?: boolean;
}

export interface Team {
  id: string;
  name: string;
  users: string[];
}

export interface Invitation {
  id: string;
  chat: { id: string; name: string };
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
