// What clients and a Chinwag server say to each other over Socket.IO. Written by the server from
// its own types: do not edit it. With socket.io-client:
//
//   import { io, type Socket } from 'socket.io-client';
//   import type { ClientToServerEvents, ServerToClientEvents } from './chinwag.js';
//
//   const socket: Socket<ServerToClientEvents, ClientToServerEvents> = io('http://127.0.0.1:3000');
//   const answer = await socket.emitWithAck('list-chats', {});
//   if (answer.error) throw new Error(answer.error.message);
//   for (const chat of answer.chats) console.log(chat.name);

/** Who acts, for this request only; in place of the socket's latest user. */
export interface Acting {
  actor?: { id: string | number } | null;
}

/** The same; `user` acts from now on. */
export interface ActingUser extends Acting {
  user?: { id: string | number } | null;
}

/** An answer, or why the request was refused. */
export type Answer<T> = (
  | (T & { error?: undefined })
  | ({ error: Failure } & { [K in keyof T]?: undefined })
) & {
  /**
   * A sentence for each field of the request that the server does not know, up to five; while it
   * listens on loopback only.
   */
  warnings?: string[];
};

/** Gets the answer. */
export type Ack<T> = (answer: Answer<T>) => void;

/** What a client asks, by the events. */
export interface ClientToServerEvents {
  /** Make or find a user. */
  'create-user': (body: CreateUser & Acting, ack: Ack<OfUser>) => void;
  /** List users by name, or by how their names begin. */
  'list-users': (body: ListUsers & Acting, ack: Ack<People>) => void;
  /** Change your name, photo, handle or data. */
  'update-user': (body: UpdateUser & Acting, ack: Ack<OfPerson>) => void;
  /** Delete yourself, or as the service any user. */
  'delete-user': (body: DeleteUser & Acting, ack: Ack<OfUserId>) => void;
  /** Watch when users come, go and change. */
  'watch-users': (body: WatchUsers & Acting, ack: Ack<People>) => void;
  /** Stop watching users. */
  'unwatch-users': (body: WatchUsers & Acting, ack: Ack<People>) => void;
  /** Block a user, who can no longer reach you. */
  'block-user': (body: NamedUser & Acting, ack: Ack<OfPerson>) => void;
  /** Unblock a user. */
  'unblock-user': (body: NamedUser & Acting, ack: Ack<OfPerson>) => void;
  /** List the users you have blocked. */
  'list-blocked': (body: ListBlocked & Acting, ack: Ack<BlockedUsers>) => void;
  /** Make a chat with its first members. */
  'create-chat': (body: CreateChat & ActingUser, ack: Ack<{ chat: Chat }>) => void;
  /** Find or make the private chat of you and another user. */
  'open-direct': (body: NamedUser & Acting, ack: Ack<{ chat: OwnChat }>) => void;
  /** List your chats, latest activity first. */
  'list-chats': (body: ListChats & ActingUser, ack: Ack<Chats>) => void;
  /** List the public chats, latest activity first. */
  'list-public-chats': (body: ListPublicChats & Acting, ack: Ack<PublicChats>) => void;
  /** Change a chat: what is said of it, and who may see and send what. */
  'update-chat': (body: UpdateChat & ActingUser, ack: Ack<{ chat: Chat }>) => void;
  /** Delete a chat with all its messages. */
  'delete-chat': (body: NamedChat & Acting, ack: Ack<{ chat: { id: string } }>) => void;
  /** Become a member of a chat that you may see. */
  'join-chat': (body: NamedChat & ActingUser, ack: Ack<{ chat: OwnChat }>) => void;
  /** Leave a chat. */
  'leave-chat': (body: NamedChat & ActingUser, ack: Ack<{ chat: Chat }>) => void;
  /** List the members of a chat. */
  'list-members': (body: ListMembers & Acting, ack: Ack<Members>) => void;
  /** Remove another member from a chat. */
  'remove-member': (body: NamedMember & Acting, ack: Ack<{ chat: Chat }>) => void;
  /** Say how far you have read. */
  'mark-read': (body: MarkRead & ActingUser, ack: Ack<{ chat: ReadState }>) => void;
  /** Count what is unread in all your chats. */
  'count-unread': (body: Acting, ack: Ack<Unread>) => void;
  /** Mute, pin or archive a chat for yourself. */
  'update-membership': (body: UpdateMembership & Acting, ack: Ack<{ chat: OwnChat }>) => void;
  /** Make a member the owner, a moderator or neither. */
  'set-role': (body: SetRole & Acting, ack: Ack<OfMember>) => void;
  /** Keep a member from sending. */
  'mute-member': (body: Restriction & Acting, ack: Ack<OfMember>) => void;
  /** Let a muted member send again. */
  'unmute-member': (body: NamedMember & Acting, ack: Ack<OfMember>) => void;
  /** Ban a user from a chat. */
  'ban-member': (body: Restriction & Acting, ack: Ack<Banned>) => void;
  /** End a user's ban. */
  'unban-member': (body: NamedMember & Acting, ack: Ack<Banned>) => void;
  /** List the users who are banned from a chat. */
  'list-bans': (body: ListMembers & Acting, ack: Ack<Bans>) => void;
  /** Report a message to the service. */
  'report-message': (body: ReportMessage & Acting, ack: Ack<Done>) => void;
  /** List a chat's messages, in the order sent. */
  'list-messages': (body: ListMessages & ActingUser, ack: Ack<Messages>) => void;
  /** Find messages by their words, the latest first. */
  'search-messages': (body: SearchMessages & Acting, ack: Ack<FoundMessages>) => void;
  /** Send a message. */
  'new-message': (body: NewMessage & ActingUser, ack: Ack<Message>) => void;
  /** Change what a message says. */
  'edit-message': (body: EditMessage & Acting, ack: Ack<Message>) => void;
  /** Delete a message. */
  'delete-message': (body: NamedMessage & Acting, ack: Ack<Message>) => void;
  /** React to a message, or take that back. */
  'react': (body: React & Acting, ack: Ack<Message>) => void;
  /** Pin a message, or take the pin off. */
  'pin-message': (body: PinMessage & Acting, ack: Ack<Message>) => void;
  /** List the messages that were changed. */
  'list-changes': (body: ListChanges & Acting, ack: Ack<Changes>) => void;
  /** Say that you are writing, or have stopped. */
  'typing': (body: Typing & Acting, ack: Ack<Done>) => void;
  /** Send the others something that is not stored. */
  'signal': (body: Signal & Acting, ack: Ack<Done>) => void;
  /** Subscribe to a chat's room, or to the system channel. */
  'subscribe': (body: Subscription & ActingUser, ack: Ack<Channel>) => void;
  /** Unsubscribe from a chat's room, or from the system channel. */
  'unsubscribe': (body: Subscription & ActingUser, ack: Ack<Channel>) => void;
  /** Invite a user to a chat. */
  'invite': (body: NamedMember & Acting, ack: Ack<OfInvitation>) => void;
  /** List the invitations that wait for your answer. */
  'list-invitations': (body: ListInvitations & ActingUser, ack: Ack<Invitations>) => void;
  /** Accept an invitation, and become a member of the chat. */
  'accept-invitation': (body: NamedInvitation & ActingUser, ack: Ack<OfInvitation>) => void;
  /** Decline an invitation. */
  'decline-invitation': (body: NamedInvitation & ActingUser, ack: Ack<OfInvitation>) => void;
  /** Make a team. */
  'create-team': (body: CreateTeam & ActingUser, ack: Ack<OfTeam>) => void;
  /** List your teams. */
  'list-teams': (body: ActingUser, ack: Ack<Teams>) => void;
  /** Add a user to a team. */
  'add-to-team': (body: TeamMember & Acting, ack: Ack<OfTeam>) => void;
  /** Remove a user, or yourself, from a team. */
  'remove-from-team': (body: TeamMember & Acting, ack: Ack<OfTeam>) => void;
}

/** What a client is told without asking, by the events. */
export interface ServerToClientEvents {
  /** There is a new chat. To the sockets of its members. */
  'create-chat': (body: { chat: Chat }) => void;
  /** A chat has been changed. To the sockets of its members and in its room. */
  'update-chat': (body: { chat: Chat }) => void;
  /**
   * A user is no longer a member. To the sockets of the members and in the room, and the
   * user's.
   */
  'remove-member': (body: { chat: Chat }) => void;
  /**
   * A member has another role, or is muted, or no longer. To the sockets of the members and in
   * the room.
   */
  'member-changed': (body: MemberChanged) => void;
  /** A chat has been deleted. To the sockets of its members and in its room. */
  'chat-deleted': (body: { chat: { id: string } }) => void;
  /** There is a new public chat. To the sockets on the system channel. */
  'chatroom': (body: Announcement) => void;
  /**
   * There is a new message. To the sockets of the chat's members, the sender's included, that
   * are not in its room.
   */
  'new-message': (body: Message) => void;
  /** There is a new message. To the sockets in the chat's room, in place of `new-message`. */
  'chat-message': (body: ChannelMessage) => void;
  /**
   * A message has been changed; of one that you do not see you get the numbers. To the sockets
   * of the chat's members and in its room.
   */
  'message-changed': (body: ChangedMessage | UnseenChange) => void;
  /** A user has reported a message. To the sockets with the API key. */
  'report': (body: Report) => void;
  /** You have read a chat elsewhere. To the user's other sockets. */
  'mark-read': (body: { chat: ReadState }) => void;
  /** You have muted, pinned or archived a chat elsewhere. To the user's other sockets. */
  'update-membership': (body: { chat: OwnChat }) => void;
  /**
   * Another member has read a chat. To the sockets of the other members, in a chat of up to
   * 100.
   */
  'read': (body: Receipt) => void;
  /**
   * You are invited to a chat. To the sockets of the user who is invited; again to each new one
   * while it is pending.
   */
  'invitation': (body: OfInvitation) => void;
  /**
   * A user has come into a room. To the sockets of the chat's members and in its room, of up to
   * 200 participants.
   */
  'participant-join': (body: Participant) => void;
  /**
   * A user has left a room. To the sockets of the chat's members and in its room, of up to 200
   * participants.
   */
  'participant-leave': (body: Participant) => void;
  /**
   * Users have come into a larger room, and left it. To the sockets of the chat's members and
   * in its room, at most once a second.
   */
  'participants': (body: Participants) => void;
  /**
   * A user's name, photo, handle or data have changed. To the sockets that watch the user or
   * share a direct chat, and the user's others.
   */
  'user-updated': (body: OfPerson) => void;
  /** A user has come or gone. To the sockets that watch the user. */
  'presence': (body: Presence) => void;
  /**
   * A member is writing, or has stopped. To the sockets of the other members and in the room.
   */
  'typing': (body: TypingNow) => void;
  /**
   * A member has sent something that is not stored. To the other sockets of the members and in
   * the room, or of those whom it names.
   */
  'signal': (body: Signalled) => void;
  /** A request without an acknowledgement was refused. */
  exception: (body: { event: string; error: Failure }) => void;
}

/** What comes after a message. */
export interface After {
  /** The message's `seq`. */
  after_seq: number;
}

/** A new public chat: what everybody is told of a chat, without its members. */
export interface AnnouncedChat {
  /** The chat's id. */
  id: string;
  /** The name of its channel, without the `#`, if it is one. */
  channel_name: string | null;
  /** When it was made. */
  created_at: string;
  /** What it is about, if that has been said. */
  description: string | null;
  /** Whether it is the one chat of two users. */
  direct: boolean;
  /** The `seq` of its latest message; 0 before the first. */
  last_seq: number;
  /** When what is said of it was last changed. */
  modified_at: string;
  /** What it is called; of a direct chat both users' names. */
  name: string;
  /** How many users are in its room now. */
  participants: number;
  /** Whether only its members see it. */
  private: boolean;
  /** The team that it belongs to, if it does. */
  team_id: string | null;
  /** The id of the user who has made it. */
  user: string;
  /** A JSON object of its moderators; absent if it is empty. */
  data?: Record<string, unknown>;
  /** True if moderators alone may send; otherwise absent. */
  frozen?: boolean;
  /** `since-joining` if members see only what was sent since they joined; otherwise absent. */
  history?: 'all' | 'since-joining';
  /** The number of the latest change to a message; absent before the first. */
  last_change?: number;
  /** After how many days messages are deleted; absent if they are kept. */
  retention_days?: number;
  /** How many seconds a member must wait between two messages; absent if none. */
  slow_mode?: number;
}

/** A new public chat, as the system channel tells of it. */
export interface Announcement {
  /** `system` */
  channel: string;
  /** `chatroom` */
  request_type: string;
  /** The chat. */
  room: AnnouncedChat;
  /** How many before it have not been told of; absent if none. */
  missed?: number;
}

/** Who has sent a message. */
export interface Author {
  /** The user's id. */
  id: string;
  /** A unique name, if the user has one. */
  handle: string | null;
  /** The name that others see. */
  name: string;
}

/** A ban from a chat. */
export interface Ban {
  /** The moderator. */
  by: { id: string };
  /** Since when. */
  created_at: string;
  /** Who is banned. */
  user: Person;
  /** Until when; absent if for good. */
  until?: string;
}

/** Whether a user may enter a chat. */
export interface Banned {
  /** The user. */
  member: BannedMember;
}

/** A user who is banned from a chat, or is so no longer. */
export interface BannedMember {
  /** Who it is. */
  user: Person;
  /** True for a user who is banned. */
  banned?: boolean;
  /** Until when; absent if for good. */
  until?: string;
}

/** A page of the users who are banned from a chat. */
export interface Bans {
  /** The bans, by the ids of their users. */
  bans: Ban[];
  /** Give it back as `after` for the page that follows; absent on the last. */
  next?: string;
}

/** What comes before a message. */
export interface Before {
  /** The message's `seq`. */
  before_seq: number;
}

/** A page of the users you have blocked. */
export interface BlockedUsers {
  /** The users, by their ids. */
  users: Person[];
  /** Give it back as `after` for the page that follows; absent on the last. */
  next?: string;
}

/** A message that has been changed, as it is now. */
export interface ChangedMessage {
  /** The message's id. */
  id: string;
  /** The number of its latest change in the chat. */
  change: number;
  /** What has been changed. */
  changed: 'edited' | 'deleted' | 'reactions' | 'pinned' | 'replies';
  /** The chat's id. */
  chat_id: string;
  /** When it was sent. */
  created_at: string;
  /** When it was last changed. */
  modified_at: string;
  /** The text; of a file without a caption its URL; empty for a deleted message. */
  msg: string;
  /** `room-` and the chat's id. */
  room: string;
  /** Its number in the chat: 1, 2, 3… without a gap. */
  seq: number;
  /** What kind of thing the message is. */
  type: 'text' | 'img' | 'file';
  /** Who has sent it. */
  user: Author;
  /** The id of the user who has sent it. */
  user_id: string;
  /** The sender's own id of it, if it was sent with one. */
  client_id?: string;
  /** A JSON object of its sender. */
  data?: Record<string, unknown>;
  /** When it was deleted. */
  deleted_at?: string;
  /** When it was last edited. */
  edited_at?: string;
  /** The file that it shows. */
  file?: File;
  /** The ids of the members it mentions. */
  mentions?: string[];
  /** When it was pinned. */
  pinned_at?: string;
  /** What users have reacted with. */
  reactions?: Reaction[];
  /** How many messages answer it. */
  replies?: number;
  /** The message that it answers. */
  reply_to?: Place;
}

/** A page of messages that were changed. */
export interface Changes {
  /** The number to remember. */
  last_change: number;
  /** The messages as they are now, by their `change`. */
  messages: ListedChange[];
  /** Give it back as `after` for the page that follows; absent on the last. */
  next?: number;
}

/** A channel, and for a room its participants. */
export interface Channel {
  /** `room-` and the id of a chat, or `system`. */
  channel: string;
  /** How many users are in the room now. */
  participants?: number;
  /** Who they are; at most 1,000. */
  users?: Profile[];
}

/** A message, as sockets get it that are subscribed to the chat's room. */
export interface ChannelMessage {
  /** The message's id. */
  id: string;
  /** `room-` and the chat's id. */
  channel: string;
  /** The chat's id. */
  chat_id: string;
  /** When it was sent. */
  created_at: string;
  /** When it was last changed. */
  modified_at: string;
  /** The text; of a file without a caption its URL; empty for a deleted message. */
  msg: string;
  /** `room-` and the chat's id. */
  room: string;
  /** Its number in the chat: 1, 2, 3… without a gap. */
  seq: number;
  /** What kind of thing the message is. */
  type: 'text' | 'img' | 'file';
  /** Who has sent it. */
  user: Author;
  /** The id of the user who has sent it. */
  user_id: string;
  /** The number of its latest change in the chat. */
  change?: number;
  /** The sender's own id of it, if it was sent with one. */
  client_id?: string;
  /** A JSON object of its sender. */
  data?: Record<string, unknown>;
  /** When it was deleted. */
  deleted_at?: string;
  /** When it was last edited. */
  edited_at?: string;
  /** The file that it shows. */
  file?: File;
  /** The ids of the members it mentions. */
  mentions?: string[];
  /** When it was pinned. */
  pinned_at?: string;
  /** What users have reacted with. */
  reactions?: Reaction[];
  /** How many messages answer it. */
  replies?: number;
  /** The message that it answers. */
  reply_to?: Place;
}

/**
 * A chat. What is your own of it (`role`, `unread` and so on) is in answers to members;
 * elsewhere its absence says nothing.
 */
export interface Chat {
  /** The chat's id. */
  id: string;
  /** The name of its channel, without the `#`, if it is one. */
  channel_name: string | null;
  /** When it was made. */
  created_at: string;
  /** What it is about, if that has been said. */
  description: string | null;
  /** Whether it is the one chat of two users. */
  direct: boolean;
  /** The `seq` of its latest message; 0 before the first. */
  last_seq: number;
  /** When what is said of it was last changed. */
  modified_at: string;
  /** What it is called; of a direct chat both users' names. */
  name: string;
  /** How many users are in its room now. */
  participants: number;
  /** Whether only its members see it. */
  private: boolean;
  /** The team that it belongs to, if it does. */
  team_id: string | null;
  /** The id of the user who has made it. */
  user: string;
  /** The ids of its members, those who joined first; at most 1,001. */
  users: string[];
  /** True if you have put it away; otherwise absent. */
  archived?: boolean;
  /** A JSON object of its moderators; absent if it is empty. */
  data?: Record<string, unknown>;
  /** True if moderators alone may send; otherwise absent. */
  frozen?: boolean;
  /** `since-joining` if members see only what was sent since they joined; otherwise absent. */
  history?: 'all' | 'since-joining';
  /** The number of the latest change to a message; absent before the first. */
  last_change?: number;
  /** How many of the unread messages mention you; absent if none. */
  mentions?: number;
  /** True if you have muted it; otherwise absent. */
  muted?: boolean;
  /** True if you have pinned it; otherwise absent. */
  pinned?: boolean;
  /** After how many days messages are deleted; absent if they are kept. */
  retention_days?: number;
  /** Your role; absent in a direct chat, which has none. */
  role?: 'member' | 'moderator' | 'owner';
  /** How many seconds a member must wait between two messages; absent if none. */
  slow_mode?: number;
  /** How many messages of others you have not read. */
  unread?: number;
}

/** A chat to make. */
export interface ChatToMake {
  /** What it is called. */
  name: string;
  /** An id of your own: sent again with the same one, the request makes no second chat. */
  client_id?: string | number | null;
  /** What it is about. */
  description?: string | null;
  /** Whether only its members see it; true unless it says otherwise. */
  private?: boolean | null;
  /** The team that it belongs to, whose members may see it and join it. */
  team_id?: string | null;
}

/** A chat, and what is to be changed of it; what is absent stays. */
export interface ChatToUpdate {
  /** Which chat. */
  id: string;
  /** A JSON object of yours; it replaces the one before, and `{}` clears it. */
  data?: Record<string, unknown> | null;
  /** What it is about; an empty text clears it. */
  description?: string | null;
  /** Whether moderators alone may send. */
  frozen?: boolean | null;
  /** What members see of what was said before they joined. */
  history?: 'all' | 'since-joining' | null;
  /** What it is called. */
  name?: string | null;
  /** Whether only its members see it. For the owner. */
  private?: boolean | null;
  /** After how many days messages are deleted; 0 keeps them. For the owner. */
  retention_days?: number | null;
  /** How many seconds a member must wait between two messages; 0 ends it. */
  slow_mode?: number | null;
}

/** A page of your chats. */
export interface Chats {
  /** The chats, latest activity first. */
  chats: OwnChat[];
  /** Give it back as `before` for the page that follows; absent on the last. */
  next?: string;
}

/** A new chat and its first members. */
export interface CreateChat {
  /** The chat to make. */
  chat: ChatToMake;
  /** The members besides the creator, who is one in any case. */
  users: (string | number)[];
}

/** A new team and its first members. */
export interface CreateTeam {
  /** The team to make. */
  team: TeamToMake;
  /** The members besides the creator, who is one in any case. */
  users?: (string | number)[] | null;
}

/** A user to make or to find. */
export interface CreateUser {
  /** The user: found by `external_id`, your own id, or by `id`, or else made. */
  user: UserToMake;
}

/** A user to delete. */
export interface DeleteUser {
  /** What becomes of what the user has said. */
  messages: 'keep' | 'erase';
  /** Yourself, if it is absent; the service may name anybody. */
  user?: { id?: string | number | null } | null;
}

/** An empty answer: it is done. */
export interface Done {
}

/** What is to be changed of a message. */
export interface EditMessage {
  /** The chat that the message is in. */
  chat: { id: string };
  /** The message, and what is to be changed of it. */
  message: MessageToEdit;
}

/** Why a request was refused. */
export interface Failure {
  /** What kind of failure it is. */
  code: 'invalid' | 'unauthenticated' | 'forbidden' | 'not_found' | 'conflict' | 'too_large' | 'rate_limited' | 'unavailable' | 'internal';
  /** A sentence for people. */
  message: string;
  /** The dotted path of the culprit in the request, where there is one. */
  field?: string;
  /** What is wrong with a token that was refused. */
  reason?: 'expired' | 'revoked' | 'invalid';
  /** After how many milliseconds to try again. */
  retry_after_ms?: number;
}

/** A file, as messages show it. */
export interface File {
  /** The file's id. */
  id: string;
  /** What it is called. */
  name: string;
  /** In bytes. */
  size: number;
  /** Its media type, such as `image/png`. */
  type: string;
  /** Where it can be read for a while; made anew each time. */
  url: string;
  /** Of a picture, in pixels. */
  height?: number;
  /** Of a picture, in pixels. */
  width?: number;
}

/** A page of messages that were found. */
export interface FoundMessages {
  /** The messages, the latest first. */
  messages: Message[];
  /** Give it back as `before` for the page that follows; absent on the last. */
  next?: string;
}

/** An invitation to a chat. */
export interface Invitation {
  /** The invitation's id. */
  id: string;
  /** The chat. */
  chat: { id: string; name: string };
  /** When the user was asked. */
  created_at: string;
  /** Who is asked. */
  invitee: { id: string; name: string };
  /** Who asks. */
  inviter: { id: string; name: string };
  /** What has come of it. */
  status: 'pending' | 'accepted' | 'declined';
}

/** A page of invitations. */
export interface Invitations {
  /** The invitations, newest first. */
  invitations: Invitation[];
  /** Give it back as `before` for the page that follows; absent on the last. */
  next?: string;
}

/** A page of the users you have blocked. */
export interface ListBlocked {
  /** The `next` of an earlier page, for the page that follows. */
  after?: string | number | null;
  /** How many users at most. */
  limit?: number | null;
}

/** A page of the messages that were changed. */
export interface ListChanges {
  /** The number of the last change that you know; 0 for all. */
  after: number;
  /** The chat. */
  chat: { id: string };
  /** How many messages at most. */
  limit?: number | null;
}

/** A page of your chats. */
export interface ListChats {
  /** The `next` of an earlier page, for the page that follows. */
  before?: string | null;
  /** How many chats at most. */
  limit?: number | null;
}

/** A page of the invitations that wait for your answer. */
export interface ListInvitations {
  /** The `next` of an earlier page, for the page that follows. */
  before?: string | null;
  /** How many invitations at most. */
  limit?: number | null;
}

/** A page of those who are in a chat, or kept out of it. */
export interface ListMembers {
  /** The chat. */
  chat: { id: string };
  /** The `next` of an earlier page, for the page that follows. */
  after?: string | number | null;
  /** How many users at most. */
  limit?: number | null;
}

/** A page of a chat's messages. */
export interface ListMessages {
  /** The chat. */
  chat: { id: string };
  /** Which of its messages; the latest, if it is absent. */
  query?: MessagesWanted | null;
}

/** A page of the public chats. */
export interface ListPublicChats {
  /** The `next` of an earlier page, for the page that follows. */
  before?: string | null;
  /** How many chats at most. */
  limit?: number | null;
  /** What their names begin with. */
  text?: string | null;
}

/** Users by their names, or by how these begin. */
export interface ListUsers {
  /** How many users at most; for `text` alone. */
  limit?: number | null;
  /** In place of `users`: what the handle or the name begins with. */
  text?: string | null;
  /** The users you name, at most 1,000. Those who are unknown are left out. */
  users?: UserName[] | null;
}

/** A message that was changed, as it is now. */
export interface ListedChange {
  /** The message's id. */
  id: string;
  /** The number of its latest change in the chat. */
  change: number;
  /** The chat's id. */
  chat_id: string;
  /** When it was sent. */
  created_at: string;
  /** When it was last changed. */
  modified_at: string;
  /** The text; of a file without a caption its URL; empty for a deleted message. */
  msg: string;
  /** `room-` and the chat's id. */
  room: string;
  /** Its number in the chat: 1, 2, 3… without a gap. */
  seq: number;
  /** What kind of thing the message is. */
  type: 'text' | 'img' | 'file';
  /** Who has sent it. */
  user: Author;
  /** The id of the user who has sent it. */
  user_id: string;
  /** The sender's own id of it, if it was sent with one. */
  client_id?: string;
  /** A JSON object of its sender. */
  data?: Record<string, unknown>;
  /** When it was deleted. */
  deleted_at?: string;
  /** When it was last edited. */
  edited_at?: string;
  /** The file that it shows. */
  file?: File;
  /** The ids of the members it mentions. */
  mentions?: string[];
  /** When it was pinned. */
  pinned_at?: string;
  /** What users have reacted with. */
  reactions?: Reaction[];
  /** How many messages answer it. */
  replies?: number;
  /** The message that it answers. */
  reply_to?: Place;
}

/** How far you have read a chat. */
export interface MarkRead {
  /** The chat. */
  chat: { id: string };
  /** Up to this message; without it, all. */
  seq?: number | null;
  /** True to go back: `seq` and what follows are unread. */
  unread?: boolean | null;
}

/** A member of a chat. */
export interface Member {
  /** Since when. */
  joined_at: string;
  /** The `seq` of the last message that the member has read. */
  read_seq: number;
  /** What the member may do. */
  role: 'member' | 'moderator' | 'owner';
  /** Who it is. */
  user: Person;
  /** True if a moderator keeps the member from sending; otherwise absent. */
  muted?: boolean;
  /** Until when the member is muted; absent if for good. */
  muted_until?: string;
}

/** A member who has another role, or is muted, or is so no longer. */
export interface MemberChanged {
  /** The chat. */
  chat: { id: string };
  /** The member as they are now. */
  member: Member;
}

/** A page of a chat's members. */
export interface Members {
  /** The members, by their ids. */
  members: Member[];
  /** Give it back as `after` for the page that follows; absent on the last. */
  next?: string;
}

/** A message of a chat. Empty fields are left out. */
export interface Message {
  /** The message's id. */
  id: string;
  /** The chat's id. */
  chat_id: string;
  /** When it was sent. */
  created_at: string;
  /** When it was last changed. */
  modified_at: string;
  /** The text; of a file without a caption its URL; empty for a deleted message. */
  msg: string;
  /** `room-` and the chat's id. */
  room: string;
  /** Its number in the chat: 1, 2, 3… without a gap. */
  seq: number;
  /** What kind of thing the message is. */
  type: 'text' | 'img' | 'file';
  /** Who has sent it. */
  user: Author;
  /** The id of the user who has sent it. */
  user_id: string;
  /** The number of its latest change in the chat. */
  change?: number;
  /** The sender's own id of it, if it was sent with one. */
  client_id?: string;
  /** A JSON object of its sender. */
  data?: Record<string, unknown>;
  /** When it was deleted. */
  deleted_at?: string;
  /** When it was last edited. */
  edited_at?: string;
  /** The file that it shows. */
  file?: File;
  /** The ids of the members it mentions. */
  mentions?: string[];
  /** When it was pinned. */
  pinned_at?: string;
  /** What users have reacted with. */
  reactions?: Reaction[];
  /** How many messages answer it. */
  replies?: number;
  /** The message that it answers. */
  reply_to?: Place;
}

/** A message, and what is to be changed of it; what is absent stays. */
export interface MessageToEdit {
  /** Which message. */
  id: string;
  /** A JSON object of yours; it replaces the one before, and `{}` clears it. */
  data?: Record<string, unknown> | null;
  /** The ids of the members it mentions; an empty list clears them. */
  mentions?: (string | number)[] | null;
  /** The text. */
  value?: string | null;
}

/** What a message says. */
export interface MessageToSend {
  /** What kind of thing the message is. */
  type: 'text' | 'img' | 'file';
  /** An id of your own: sent again with the same one, the message is stored and pushed once. */
  client_id?: string | number | null;
  /** A JSON object of yours. */
  data?: Record<string, unknown> | null;
  /** A file that you have uploaded, for an `img` or a `file`. */
  file?: { id: string } | null;
  /** The ids of the members it mentions. */
  mentions?: (string | number)[] | null;
  /** The message of this chat that it answers. */
  reply_to?: { id: string } | null;
  /** The text; of an `img` or a `file` the caption, or without `file` a URL. */
  value?: string | null;
}

/** A page of messages. */
export interface Messages {
  /** The messages, by their `seq`. */
  messages: Message[];
  /** What to put into the query for the page that follows; absent on the last. */
  next?: After;
  /** What to put into the query for the page before; absent on the first. */
  previous?: Before;
}

/** Which messages are looked for; the bounds hold together. */
export interface MessagesSought {
  /** The words that must all stand in a message; the last may be the beginning of one. */
  text: string;
  /** The `next` of an earlier page, for the page that follows. */
  before?: string | null;
  /** In this chat alone; otherwise in all of yours. */
  chat_id?: string | null;
  /** Sent at this time or later. */
  from?: Date | string | null;
  /** How many messages at most. */
  limit?: number | null;
  /** Sent at this time or earlier; a time without decimals means the whole second. */
  to?: Date | string | null;
  /** Who has sent them. */
  user_id?: string | number | null;
}

/** Which messages of a chat are wanted; the bounds hold together. */
export interface MessagesWanted {
  /** Those with a higher `seq`. */
  after_seq?: number | null;
  /** Those with a lower `seq`. */
  before_seq?: number | null;
  /** Sent at this time or later. */
  from?: Date | string | null;
  /** How many messages at most. */
  limit?: number | null;
  /** True for the pinned ones alone. */
  pinned?: boolean | null;
  /** Those that answer the message of this id. */
  reply_to?: string | null;
  /** Sent at this time or earlier; a time without decimals means the whole second. */
  to?: Date | string | null;
}

/** A chat. */
export interface NamedChat {
  /** The chat. */
  chat: { id: string };
}

/** An invitation. */
export interface NamedInvitation {
  /** The invitation. */
  invitation: { id: string };
}

/** A user in a chat. */
export interface NamedMember {
  /** The chat. */
  chat: { id: string };
  /** The other user. */
  user: { id: string | number };
}

/** A message. */
export interface NamedMessage {
  /** The chat that the message is in. */
  chat: { id: string };
  /** The message. */
  message: { id: string };
}

/** A user. */
export interface NamedUser {
  /** The other user. */
  user: { id: string | number };
}

/** A message to send. */
export interface NewMessage {
  /** The chat that it goes to. */
  chat: { id: string };
  /** The message. */
  message: MessageToSend;
}

/** An invitation to a chat. */
export interface OfInvitation {
  /** The invitation. */
  invitation: Invitation;
}

/** A member of a chat. */
export interface OfMember {
  /** The member. */
  member: Member;
}

/** A user, as others see them. */
export interface OfPerson {
  /** The user. */
  user: Person;
}

/** A team. */
export interface OfTeam {
  /** The team. */
  team: Team;
}

/** A user who was made or found. */
export interface OfUser {
  /** The user. */
  user: User;
}

/** A user by their id. */
export interface OfUserId {
  /** The user. */
  user: { id: string };
}

/** A chat of yours, with what is your own of it. */
export interface OwnChat {
  /** The chat's id. */
  id: string;
  /** The name of its channel, without the `#`, if it is one. */
  channel_name: string | null;
  /** When it was made. */
  created_at: string;
  /** What it is about, if that has been said. */
  description: string | null;
  /** Whether it is the one chat of two users. */
  direct: boolean;
  /** The `seq` of its latest message; 0 before the first. */
  last_seq: number;
  /** When what is said of it was last changed. */
  modified_at: string;
  /** What it is called; of a direct chat both users' names. */
  name: string;
  /** How many users are in its room now. */
  participants: number;
  /** Whether only its members see it. */
  private: boolean;
  /** The team that it belongs to, if it does. */
  team_id: string | null;
  /** How many messages of others you have not read. */
  unread: number;
  /** The id of the user who has made it. */
  user: string;
  /** The ids of its members, those who joined first; at most 1,001. */
  users: string[];
  /** True if you have put it away; otherwise absent. */
  archived?: boolean;
  /** A JSON object of its moderators; absent if it is empty. */
  data?: Record<string, unknown>;
  /** True if moderators alone may send; otherwise absent. */
  frozen?: boolean;
  /** `since-joining` if members see only what was sent since they joined; otherwise absent. */
  history?: 'all' | 'since-joining';
  /** The number of the latest change to a message; absent before the first. */
  last_change?: number;
  /** Its latest message, in the list of your chats; absent before the first. */
  last_message?: Message;
  /** How many of the unread messages mention you; absent if none. */
  mentions?: number;
  /** True if you have muted it; otherwise absent. */
  muted?: boolean;
  /** True if you have pinned it; otherwise absent. */
  pinned?: boolean;
  /** After how many days messages are deleted; absent if they are kept. */
  retention_days?: number;
  /** Your role; absent in a direct chat, which has none. */
  role?: 'member' | 'moderator' | 'owner';
  /** How many seconds a member must wait between two messages; absent if none. */
  slow_mode?: number;
}

/** A user who has come into a room or left it. */
export interface Participant {
  /** `room-` and the id of the chat. */
  channel: string;
  /** How many users are in the room now. */
  participants: number;
  /** The same. */
  room: string;
  /** Who it is. */
  user: Profile;
}

/** Users who have come into a large room, and who have left it. */
export interface Participants {
  /** `room-` and the id of the chat. */
  channel: string;
  /** Who has come since the last push; at most 50. */
  joined: Profile[];
  /** Who has left since the last push; at most 50. */
  left: { id: string }[];
  /** How many users are in the room now. */
  participants: number;
  /** The same. */
  room: string;
  /** True if there are others; otherwise absent. */
  more?: boolean;
}

/** Users who were found. */
export interface People {
  /** The users. */
  users: Person[];
  /** True if there are others: name those that are missing, or a longer text. */
  more?: boolean;
}

/** A user, as others see them. */
export interface Person {
  /** The user's id. */
  id: string;
  /** A unique name, if the user has one. */
  handle: string | null;
  /** The name that others see. */
  name: string;
  /** Whether a connection acts as the user. */
  online: boolean;
  /** A picture, as a URL or a data URL; empty if there is none. */
  photo: string;
  /** A JSON object of the user; absent if it is empty. */
  data?: Record<string, unknown>;
  /** Until when the user was online, or now; absent before the first time. */
  last_seen?: string;
}

/** A message to pin. */
export interface PinMessage {
  /** The chat that the message is in. */
  chat: { id: string };
  /** The message. */
  message: { id: string };
  /** False takes the pin off. */
  on?: boolean | null;
}

/** Another message of the chat. */
export interface Place {
  /** The message's id. */
  id: string;
  /** Its number in the chat. */
  seq: number;
}

/** A user who has come or gone. */
export interface Presence {
  /** When the last connection went, or now. */
  last_seen: string;
  /** Whether a connection acts as the user. */
  online: boolean;
  /** The user. */
  user: { id: string };
}

/** What others see of a user. */
export interface Profile {
  /** The user's id. */
  id: string;
  /** The name that others see. */
  name: string;
  /** A picture, as a URL or a data URL; empty if there is none. */
  photo: string;
}

/** A chat in the list of public ones. */
export interface PublicChat {
  /** The chat's id. */
  id: string;
  /** The name of its channel, without the `#`, if it is one. */
  channel_name: string | null;
  /** When it was made. */
  created_at: string;
  /** What it is about, if that has been said. */
  description: string | null;
  /** Whether it is the one chat of two users. */
  direct: boolean;
  /** The `seq` of its latest message; 0 before the first. */
  last_seq: number;
  /** How many members it has. */
  members: number;
  /** When what is said of it was last changed. */
  modified_at: string;
  /** What it is called; of a direct chat both users' names. */
  name: string;
  /** How many users are in its room now. */
  participants: number;
  /** Whether only its members see it. */
  private: boolean;
  /** The team that it belongs to, if it does. */
  team_id: string | null;
  /** The id of the user who has made it. */
  user: string;
  /** A JSON object of its moderators; absent if it is empty. */
  data?: Record<string, unknown>;
  /** True if moderators alone may send; otherwise absent. */
  frozen?: boolean;
  /** `since-joining` if members see only what was sent since they joined; otherwise absent. */
  history?: 'all' | 'since-joining';
  /** The number of the latest change to a message; absent before the first. */
  last_change?: number;
  /** After how many days messages are deleted; absent if they are kept. */
  retention_days?: number;
  /** How many seconds a member must wait between two messages; absent if none. */
  slow_mode?: number;
}

/** A page of the public chats. */
export interface PublicChats {
  /** The chats, latest activity first. */
  chats: PublicChat[];
  /** Give it back as `before` for the page that follows; absent on the last. */
  next?: string;
}

/** A reaction to a message. */
export interface React {
  /** The chat that the message is in. */
  chat: { id: string };
  /** The message. */
  message: { id: string };
  /** A text of 1 to 64 bytes, mostly an emoji. */
  reaction: string;
  /** False takes it back. */
  on?: boolean | null;
}

/** All who say the same to a message. */
export interface Reaction {
  /** How many they are. */
  count: number;
  /** What they say. */
  reaction: string;
  /** The ids of some of them, at most 20. */
  users: string[];
}

/** How far you have read a chat. */
export interface ReadState {
  /** The chat's id. */
  id: string;
  /** The `seq` of the last message that you have read. */
  read_seq: number;
  /** How many messages of others you have not read. */
  unread: number;
}

/** How far another member has read. */
export interface Receipt {
  /** The chat. */
  chat: { id: string };
  /** The `seq` of the last message that the member has read. */
  read_seq: number;
  /** The member. */
  user: { id: string };
}

/** A reported message. */
export interface Report {
  /** The chat that the message is in. */
  chat: Chat;
  /** The message. */
  message: Message;
  /** Who reports it. */
  user: Person;
  /** Why, if that was said. */
  reason?: string;
}

/** A message to report. */
export interface ReportMessage {
  /** The chat that the message is in. */
  chat: { id: string };
  /** The message. */
  message: { id: string };
  /** Why. */
  reason?: string | null;
}

/** A user who is kept from something in a chat. */
export interface Restriction {
  /** The chat. */
  chat: { id: string };
  /** The user. */
  user: { id: string | number };
  /** Until when; without it, for good. */
  until?: Date | string | null;
}

/** A search in messages. */
export interface SearchMessages {
  /** What is looked for. */
  query: MessagesSought;
}

/** A member's new role. */
export interface SetRole {
  /** The chat. */
  chat: { id: string };
  /** The role; naming another owner hands the chat over. */
  role: 'member' | 'moderator' | 'owner';
  /** The member. */
  user: { id: string | number };
}

/** Something that is not stored. */
export interface Signal {
  /** The chat whose members it goes to. */
  chat: { id: string };
  /** Any JSON. */
  data: unknown;
  /** Only these users get it, and always your own other sockets. */
  to?: (string | number)[] | null;
}

/** What a member sends that is not stored. */
export interface Signalled {
  /** The chat. */
  chat: { id: string };
  /** Any JSON. */
  data: unknown;
  /** Who sends it. */
  user: { id: string };
}

/** A chat's room, or the system channel. */
export interface Subscription {
  /** `room-` and the id of a chat, or `system`. */
  channel: string;
}

/** A team. */
export interface Team {
  /** The team's id. */
  id: string;
  /** When it was made. */
  created_at: string;
  /** When it was last changed. */
  modified_at: string;
  /** What it is called. */
  name: string;
  /** Its name as a part of URLs. */
  slug: string;
  /** The id of the user who has made it. */
  user: string;
  /** The ids of its members. */
  users: string[];
}

/** A user in a team. */
export interface TeamMember {
  /** The team. */
  team: { id: string };
  /** The user. */
  user: { id: string | number };
}

/** A team to make. */
export interface TeamToMake {
  /** What it is called. */
  name: string;
}

/** Your teams. */
export interface Teams {
  /** The teams, up to a page of them. */
  teams: Team[];
}

/** Whether you are writing. */
export interface Typing {
  /** The chat. */
  chat: { id: string };
  /** False if you have stopped. */
  on?: boolean | null;
}

/** A member who is writing something, or has stopped. */
export interface TypingNow {
  /** The chat. */
  chat: { id: string };
  /** False if the member has stopped. */
  on: boolean;
  /** The member. */
  user: { id: string; name: string };
}

/** What is unread in your chats, but for those that are muted. */
export interface Unread {
  /** In how many chats something is unread. */
  chats: number;
  /** How many of them mention you. */
  mentions: number;
  /** How many messages are unread in all. */
  messages: number;
}

/** A change of a message that you do not see, as it was sent before you joined. */
export interface UnseenChange {
  /** The message's id. */
  id: string;
  /** The number of the change. */
  change: number;
  /** Its number in the chat. */
  seq: number;
}

/** What is to be changed of a chat. */
export interface UpdateChat {
  /** The chat, and what is to be changed of it. */
  chat: ChatToUpdate;
}

/** What a chat is to you; what is absent stays. */
export interface UpdateMembership {
  /** The chat. */
  chat: { id: string };
  /** Whether it is put away until the next message. */
  archived?: boolean | null;
  /** Whether it is left out of what is counted as unread. */
  muted?: boolean | null;
  /** Whether it is pinned; your application decides how to show that. */
  pinned?: boolean | null;
}

/** How you want to be seen. */
export interface UpdateUser {
  /** What is to be changed of yourself. */
  user: UserToUpdate;
}

/** A user, as the user and the service see them. */
export interface User {
  /** The user's id. */
  id: string;
  /** When the user was made. */
  created_at: string;
  /** Your own id of the user, if there is one. */
  external_id: string | null;
  /** A unique name, if the user has one. */
  handle: string | null;
  /** When the user was last changed. */
  modified_at: string;
  /** The name that others see. */
  name: string;
  /** A picture, as a URL or a data URL; empty if there is none. */
  photo: string;
}

/** A user, by one of these. */
export interface UserName {
  /** The user's id. */
  id?: string | number | null;
  /** Your own id of the user. */
  external_id?: string | number | null;
  /** The user's handle. */
  handle?: string | null;
}

/** A user to make, or to find by an id. */
export interface UserToMake {
  /** The name that others see. */
  name: string;
  /** The server's id; bring one of your own to keep it. */
  id?: string | number | null;
  /** Your own id of the user. */
  external_id?: string | number | null;
  /** A unique name: 1 to 32 letters of any script, digits and underscores. */
  handle?: string | null;
  /** A picture, as a URL or a data URL. */
  photo?: string | null;
}

/** What is to be changed of a user; what is absent stays. */
export interface UserToUpdate {
  /** A JSON object of yours; it replaces the one before, and `{}` clears it. */
  data?: Record<string, unknown> | null;
  /** A unique name: 1 to 32 letters of any script, digits and underscores. */
  handle?: string | null;
  /** The name that others see. */
  name?: string | null;
  /** A picture, as a URL or a data URL. */
  photo?: string | null;
}

/** Users to watch. */
export interface WatchUsers {
  /** The users. */
  users: { id: string | number }[];
}
