/** Updates the client's state by the pushes and answers of the server. */
import type { Chat, Invitation, Message } from './chinwag.js';
import type { ChatClient } from './client.js';
import type { AnswerTo, Asked } from './connection.js';
import type { Acquaintance } from './people.js';

export class Pushes {
  constructor(private readonly client: ChatClient) {
    client.on('new-message', (message) => this.receive(message));
    // The same push, as a subscribed socket gets it.
    client.on('chat-message', ({ channel: _, ...message }) => this.receive(message));
    client.on('message-changed', (news) => {
      // The user may not see messages from before they joined.
      if (!('msg' in news)) return;
      const { changed: _, ...message } = news;
      this.receiveChange(message);
    });
    client.on('create-chat', ({ chat }) => {
      client.chats.remember(chat);
      if (chat.direct) void client.report(client.people.watch(chat.users));
    });
    client.on('update-chat', ({ chat }) => this.amend(chat));
    client.on('remove-member', ({ chat }) => this.amend(chat));
    client.on('chat-deleted', ({ chat }) => client.lose(chat.id));
    client.on('member-changed', ({ chat: { id }, member }) => {
      const chat = client.chats.get(id);
      if (!chat || member.user.id !== client.myId) return;
      chat.me = member;
      chat.role = member.role;
    });
    client.on('invitation', ({ invitation }) => {
      client.invitations.set(invitation.id, invitation);
      client.people.meet(invitation.inviter);
    });
  }

  /**
   * Updates the state by an answer. Requests whose effect is also pushed to this user, such as
   * changes of messages, need no case here.
   */
  answered<Event extends Asked>(event: Event, answer: AnswerTo<Event>): void {
    const { chats, people, invitations } = this.client;
    const { chat, user, invitation } = answer as {
      chat?: Chat;
      user?: Acquaintance;
      invitation?: Invitation;
    };
    switch (event) {
      case 'create-chat':
      case 'join-chat':
      case 'update-membership':
        return void chats.rememberOwn(chat!);
      case 'open-direct':
        // For a known chat, pushes have brought newer data.
        if (!chats.has(chat!.id)) chats.rememberOwn(chat!);
        return void this.client.report(people.watch(chat!.users));
      case 'leave-chat':
      case 'delete-chat':
        return void this.client.forget(chat!.id);
      case 'mark-read':
        return chats.amend(chat!);
      case 'update-user':
        return people.meet(user!);
      case 'accept-invitation':
      case 'decline-invitation':
        invitations.delete(invitation!.id);
        return this.client.changed();
      case 'new-message':
        return this.receive(answer as unknown as Message);
    }
  }

  /** If a room has users who are not in the list of members, the list is loaded again. */
  meetAll(chat_id: string, users: Acquaintance[]): void {
    users.forEach((user) => this.client.people.meet(user));
    const chat = this.client.chats.get(chat_id);
    const isNew = ({ id }: Acquaintance) => !chat?.memberList?.some(({ user }) => user.id === id);
    if (chat?.memberList && !chat.hasMoreMembers && users.some(isNew))
      void this.client.report(this.client.loadMembers(chat));
  }

  /**
   * Removes the user's own message from the outbox, whether it came back as an answer or a push.
   */
  confirm({ user_id, client_id, chat_id, created_at }: Message): void {
    if (user_id !== this.client.myId) return;
    if (client_id) this.client.outbox.remove(client_id);
    const chat = this.client.chats.get(chat_id);
    // The server's clock may be ahead of this one.
    const sentAt = Math.min(Date.parse(created_at), Date.now());
    if (chat) chat.sentAt = Math.max(chat.sentAt ?? 0, sentAt);
  }

  /** Adds a message that came as a push, or as the answer to the user's own. */
  private receive(message: Message): void {
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

  private receiveChange(message: Message): void {
    const chat = this.client.chats.get(message.chat_id);
    if (!chat) return;
    if (chat.last_message?.id === message.id) chat.last_message = message;
    void this.client.report(chat.timeline.receiveChange(message));
  }

  /**
   * Stores a changed chat, except the numbers of its messages, which come in an order of their own.
   */
  private amend(news: Chat): void {
    const chat = this.client.chats.get(news.id);
    if (!chat) return;
    const { last_seq, last_change } = chat;
    this.client.chats.remember({ ...news, last_seq, last_change });
    // A large chat does not list all members, so the list of chats decides whether the user is in
    // it.
    if (!news.users.includes(this.client.myId)) void this.client.report(this.client.listChats());
    else if (chat.memberList) void this.client.report(this.client.loadMembers(chat));
  }
}
