/** The chats that one is in, and what the pushes say of them beside their messages. */
import type { Connection } from './connection';
import type { ChatNews, Member, Message, User } from './shapes';
import { Timeline } from './timeline';

/** A chat that one is in. */
export interface Chat extends ChatNews {
  unread: number;
  mentions: number;
  timeline: Timeline;
  /** Absent until the chat is opened. */
  memberList?: Member[];
  hasMoreMembers?: boolean;
  /** Oneself among the members, once one is known to be. */
  me?: Member;
  /** When one's own latest message was sent, by this clock. */
  sentAt?: number;
  /** Who is writing now. */
  typing: Map<string, User>;
}

interface Listener {
  changed(): void;
  /** Something is known of a chat that was not known before. */
  remembered(chat: Chat): void;
  arrived(message: Message): void;
}

/** What one has set for oneself is absent where it says nothing. */
const OWN = { muted: false, pinned: false, archived: false, mentions: 0 };

/** The rules of a chat, which are absent where they are as usual. */
export function rulesOf(chat: ChatNews) {
  const { frozen = false, slow_mode = 0, history = 'all', retention_days = 0 } = chat;
  return { frozen, slow_mode, history, retention_days };
}

export type Rules = ReturnType<typeof rulesOf>;

export class Chats extends Map<string, Chat> {
  constructor(
    private readonly connection: Connection,
    private readonly listener: Listener,
  ) {
    super();
    connection.on('mark-read', ({ chat }) => this.remember(chat));
    connection.on('update-membership', ({ chat }: { chat: ChatNews }) => this.rememberOwn(chat));
    connection.on('member-changed', (news: { chat: { id: string }; member: Member }) =>
      this.changeMember(news.chat.id, news.member),
    );
    connection.on(
      'read',
      (news: { chat: { id: string }; user: { id: string }; read_seq: number }) => {
        const members = this.get(news.chat.id)?.memberList;
        const member = members?.find(({ user }) => user.id === news.user.id);
        if (member) member.read_seq = Math.max(member.read_seq, news.read_seq);
        listener.changed();
      },
    );
    connection.on('typing', (news: { chat: { id: string }; user: User; on: boolean }) => {
      const typing = this.get(news.chat.id)?.typing;
      if (news.on) typing?.set(news.user.id, news.user);
      else typing?.delete(news.user.id);
      listener.changed();
    });
  }

  /** Takes in what an answer or a push says of a chat; what it does not say stays. */
  remember(news: Partial<ChatNews> & { id: string }): Chat {
    const chat = Object.assign(this.get(news.id) ?? this.blank(news.id), news);
    chat.timeline.lastSeq = Math.max(chat.timeline.lastSeq, news.last_seq ?? 0);
    chat.timeline.lastChange = Math.max(chat.timeline.lastChange, news.last_change ?? 0);
    if (chat.unread === 0) chat.mentions = 0;
    this.set(chat.id, chat);
    this.listener.remembered(chat);
    this.listener.changed();
    return chat;
  }

  /** The same of a whole chat, with what one has set for oneself. */
  rememberOwn(news: ChatNews): Chat {
    return this.remember({ ...OWN, ...news, ...rulesOf(news) });
  }

  private blank(id: string): Chat {
    const timeline = new Timeline(id, this.connection, this.listener);
    return { id, name: '', last_seq: 0, unread: 0, mentions: 0, timeline, typing: new Map() };
  }

  private changeMember(chat_id: string, member: Member): void {
    const members = this.get(chat_id)?.memberList ?? [];
    const at = members.findIndex(({ user }) => user.id === member.user.id);
    if (at >= 0) members[at] = member;
    this.listener.changed();
  }
}
