/** The user's chats, and the pushes about them, except those of their messages. */
import type { Chat, Member, Message, OwnChat } from './chinwag.js';
import type { Connection } from './connection.js';
import { Timeline } from './timeline.js';

/** The values of fields that the server leaves out. */
const USUAL = { frozen: false, slow_mode: 0, history: 'all' as const, retention_days: 0, data: {} };
const OWN = { muted: false, pinned: false, archived: false, mentions: 0 };

type Rules = Required<Pick<Chat, keyof typeof USUAL>>;

/** A chat of the user. */
export interface MyChat extends Omit<OwnChat, keyof Rules>, Rules {
  mentions: number;
  timeline: Timeline;
  /** Absent until the chat is opened. */
  memberList?: Member[];
  hasMoreMembers?: boolean;
  /** The user's own entry among the members, once it is loaded. */
  me?: Member;
  /** When the user's latest message was sent, by this machine's clock. */
  sentAt?: number;
  /** The users who are typing now, by their ids. */
  typing: Map<string, { id: string; name: string }>;
}

interface Listener {
  changed(): void;
  arrived(message: Message): void;
}

export class Chats extends Map<string, MyChat> {
  constructor(
    private readonly connection: Connection,
    private readonly listener: Listener,
  ) {
    super();
    connection.on('mark-read', ({ chat }) => this.amend(chat));
    connection.on('update-membership', ({ chat }) => this.rememberOwn(chat));
    connection.on('member-changed', ({ chat, member }) => {
      const members = this.get(chat.id)?.memberList ?? [];
      const at = members.findIndex(({ user }) => user.id === member.user.id);
      if (at >= 0) members[at] = member;
      listener.changed();
    });
    connection.on('read', ({ chat, user, read_seq }) => {
      const member = this.get(chat.id)?.memberList?.find((member) => member.user.id === user.id);
      if (member) member.read_seq = Math.max(member.read_seq, read_seq);
      listener.changed();
    });
    connection.on('typing', ({ chat, user, on }) => {
      const typing = this.get(chat.id)?.typing;
      if (on) typing?.set(user.id, user);
      else typing?.delete(user.id);
      listener.changed();
    });
  }

  /** Stores a whole chat. The user's own fields, such as `unread`, stay where `news` has none. */
  remember(news: Chat | OwnChat): MyChat {
    const chat = this.get(news.id) ?? this.blank(news);
    this.set(chat.id, chat);
    this.amend({ ...USUAL, ...news });
    return chat;
  }

  /** The same for an answer to the user, in which absent own fields mean their usual values. */
  rememberOwn(news: Chat | OwnChat): MyChat {
    return this.remember({ ...OWN, ...news });
  }

  /** Stores new values of some fields of a chat of the user. */
  amend(news: Partial<OwnChat> & { id: string }): void {
    const chat = this.get(news.id);
    if (!chat) return;
    // A push may be newer than an answer that was on its way.
    const last_seq = Math.max(chat.last_seq, news.last_seq ?? 0);
    Object.assign(chat, news, { last_seq });
    chat.timeline.lastSeq = Math.max(chat.timeline.lastSeq, last_seq);
    chat.timeline.lastChange = Math.max(chat.timeline.lastChange, news.last_change ?? 0);
    if (chat.unread === 0) chat.mentions = 0;
    this.listener.changed();
  }

  private blank(news: Chat | OwnChat): MyChat {
    const timeline = new Timeline(news.id, this.connection, this.listener);
    return { ...news, ...USUAL, unread: 0, mentions: 0, timeline, typing: new Map() };
  }
}
