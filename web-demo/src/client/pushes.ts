/** What the server says unasked, and what becomes of it in what is known. */
import { rulesOf } from './chats';
import type { ChatClient } from './client';
import type { ChatNews, Invitation, Member, Message, User } from './shapes';

export class Pushes {
  constructor(private readonly client: ChatClient) {
    const server = client.connection;
    server.on('new-message', (message: Message) => this.receive(message));
    // The same, as a subscribed socket gets it.
    server.on('chat-message', (message: Message) => this.receive(message));
    server.on('message-changed', (message) => {
      // What was sent before one joined is not shown.
      if ('msg' in message) this.receiveChange(message);
    });
    server.on('create-chat', ({ chat }: { chat: ChatNews }) => this.welcome(chat));
    server.on('update-chat', ({ chat }: { chat: ChatNews }) => this.amend(chat));
    server.on('remove-member', ({ chat }: { chat: ChatNews }) => this.amend(chat));
    server.on('chat-deleted', ({ chat }: { chat: { id: string } }) => this.client.lose(chat.id));
    server.on('member-changed', (news: { chat: { id: string }; member: Member }) => {
      const chat = this.client.chats.get(news.chat.id);
      if (!chat || news.member.user.id !== this.client.myId) return;
      chat.me = news.member;
      chat.role = news.member.role;
    });
    server.on('chatroom', () => this.client.listener.announced());
    server.on('invitation', ({ invitation }: { invitation: Invitation }) => {
      this.client.invitations.set(invitation.id, invitation);
      this.client.people.meet(invitation.inviter);
      this.client.listener.invited(invitation);
    });
  }

  /** Who is in a room and not among the members is a new one. */
  meetAll(chat_id: string, users: User[]): void {
    users.forEach((user) => this.client.people.meet(user));
    const chat = this.client.chats.get(chat_id);
    const isNew = ({ id }: User) => !chat?.memberList?.some(({ user }) => user.id === id);
    if (chat?.memberList && !chat.hasMoreMembers && users.some(isNew))
      void this.client.report(this.client.loadMembers(chat));
  }

  /** Takes in a message, by a push or as the answer to one's own. */
  receive(message: Message): void {
    const chat = this.client.chats.get(message.chat_id);
    if (!chat) return void this.client.report(this.client.listChats());
    const isMine = message.user_id === this.client.myId;
    if (message.seq > chat.last_seq) {
      chat.last_seq = message.seq;
      chat.last_message = message;
      chat.archived = false;
      if (isMine) chat.sentAt = Date.now();
      else chat.unread += 1;
      if (message.mentions?.includes(this.client.myId)) chat.mentions += 1;
    }
    chat.typing.delete(message.user_id);
    void this.client.report(chat.timeline.receive(message));
  }

  /** One's own message is no longer waiting, by whatever way it came back. */
  confirm({ user_id, client_id, chat_id, created_at }: Message): void {
    if (user_id !== this.client.myId) return;
    if (client_id) this.client.outbox.remove(client_id);
    const chat = this.client.chats.get(chat_id);
    // The server's clock may be ahead of this one.
    const sentAt = Math.min(Date.parse(created_at), Date.now());
    if (chat) chat.sentAt = Math.max(chat.sentAt ?? 0, sentAt);
  }

  private receiveChange(message: Message): void {
    const chat = this.client.chats.get(message.chat_id);
    if (!chat) return;
    if (chat.last_message?.id === message.id) chat.last_message = message;
    void this.client.report(chat.timeline.receiveChange(message));
  }

  private welcome(news: ChatNews): void {
    const chat = this.client.chats.remember(news);
    if (chat.direct) void this.client.report(this.client.people.watch(chat.users ?? []));
  }

  /** Takes in a change that says nothing of the messages: these have an order of their own. */
  private amend(news: ChatNews): void {
    const chat = this.client.chats.get(news.id);
    if (!chat) return;
    const { id, name, description, private: isPrivate, users } = news;
    const rules = rulesOf(news);
    this.client.chats.remember({ id, name, description, private: isPrivate, users, ...rules });
    // Of a large chat not everybody is named: the list decides who is in it.
    if (!users?.includes(this.client.myId)) void this.client.report(this.client.listChats());
    else if (chat.memberList) void this.client.report(this.client.loadMembers(chat));
  }
}
