/**
 * What one can do. Each is one request. Where its effect is pushed to oneself too, as with all that
 * becomes of a message, the answer is not needed: the push is taken in.
 */
import type { Chat, Rules } from './chats';
import type { ChatClient } from './client';
import type { Pending } from './outbox';
import type { ChatNews, Found, Invitation, Message, Person, Role } from './shapes';

/** The server tells of a repeated `typing` once in two seconds, and ends it after six. */
const TYPING_EVERY_MS = 3_000;

/** What a moderator may do to a member. */
export type Treatment = 'mute-member' | 'unmute-member' | 'remove-member' | 'ban-member';

export interface NewChat {
  name: string;
  description?: string;
  private: boolean;
  team_id?: string;
  users: string[];
}

export class Actions {
  private typedAt = 0;

  constructor(private readonly client: ChatClient) {}

  /** Makes a chat and returns its id. One that is open to a team has all of the team in it. */
  async createChat({ users, ...chat }: NewChat): Promise<string> {
    if (chat.team_id) await this.listTeams();
    const team = chat.private ? undefined : this.client.teams.get(chat.team_id ?? '');
    const all = [...new Set([this.client.myId, ...users, ...(team?.users ?? [])])];
    const answer = await this.client.request('create-chat', {
      chat,
      users: all,
    });
    return this.client.chats.remember({ ...answer.chat, role: 'owner' }).id;
  }

  /** The direct chat with somebody, made at first use; returns its id. */
  async openDirect(user_id: string): Promise<string> {
    const body = { user: { id: user_id } };
    const { chat } = await this.client.request('open-direct', body);
    await this.client.people.watch([user_id]);
    // Of one that is known, pushes have told more.
    return this.client.chats.has(chat.id) ? chat.id : this.client.chats.remember(chat).id;
  }

  async join(id: string): Promise<void> {
    const { chat } = await this.client.request('join-chat', { chat: { id } });
    this.client.chats.remember({ role: 'member', ...chat });
  }

  async leave(id: string): Promise<void> {
    await this.client.request('leave-chat', { chat: { id } });
    this.client.forget(id);
  }

  async updateChat(
    id: string,
    news: { name?: string; description?: string } & Partial<Rules>,
  ): Promise<void> {
    await this.client.request('update-chat', { chat: { id, ...news } });
  }

  async deleteChat(id: string): Promise<void> {
    await this.client.request('delete-chat', { chat: { id } });
    this.client.forget(id);
  }

  /** Mutes, pins or archives a chat for oneself. */
  async updateMembership(
    id: string,
    news: { muted?: boolean; pinned?: boolean; archived?: boolean },
  ): Promise<void> {
    const body = { chat: { id }, ...news };
    const { chat } = await this.client.request('update-membership', body);
    this.client.chats.rememberOwn(chat);
  }

  async setRole(chat_id: string, user_id: string, role: Role): Promise<void> {
    await this.client.request('set-role', { chat: { id: chat_id }, user: { id: user_id }, role });
    // Who hands over is a moderator now.
    const chat = this.client.chats.get(chat_id);
    if (chat && role === 'owner') await this.client.loadMembers(chat);
  }

  async treatMember(request: Treatment, chat_id: string, user_id: string): Promise<void> {
    await this.client.request(request, { chat: { id: chat_id }, user: { id: user_id } });
  }

  async listPublicChats(text: string): Promise<ChatNews[]> {
    const body = { text: text || undefined, limit: 50 };
    const answer = await this.client.request('list-public-chats', body);
    return answer.chats;
  }

  /** Sends now, or as soon as there is a connection. */
  send(message: Omit<Pending, 'client_id' | 'written_at'>): void {
    this.typedAt = 0;
    this.client.outbox.add(message);
    void this.client.flush();
  }

  retry(pending: Pending): void {
    this.client.outbox.fail(pending, undefined);
    void this.client.flush();
  }

  async edit({ chat_id, id }: Message, value: string, mentions: string[]): Promise<void> {
    const body = { chat: { id: chat_id }, message: { id, value, mentions } };
    await this.client.request('edit-message', body);
  }

  async delete({ chat_id, id }: Message): Promise<void> {
    await this.client.request('delete-message', { chat: { id: chat_id }, message: { id } });
  }

  async react({ chat_id, id }: Message, reaction: string, on: boolean): Promise<void> {
    const body = { chat: { id: chat_id }, message: { id }, reaction, on };
    await this.client.request('react', body);
  }

  async pin({ chat_id, id }: Message, on: boolean): Promise<void> {
    await this.client.request('pin-message', { chat: { id: chat_id }, message: { id }, on });
  }

  /** Tells those who run the server of a message. */
  async reportMessage({ chat_id, id }: Message, reason: string): Promise<void> {
    const body = { chat: { id: chat_id }, message: { id }, reason };
    await this.client.request('report-message', body);
  }

  async listPinned(chat_id: string): Promise<Message[]> {
    const body = { chat: { id: chat_id }, query: { pinned: true } };
    const { messages } = await this.client.request('list-messages', body);
    return messages.reverse();
  }

  /** The messages in one's chats with all these words. `before` is where the page before ended. */
  search(text: string, before?: string): Promise<Found> {
    return this.client.request('search-messages', { query: { text, limit: 20, before } });
  }

  /** Says that one is writing; called at each key, it asks the server now and then. */
  typing(chat_id: string): void {
    if (this.client.state !== 'connected' || Date.now() - this.typedAt < TYPING_EVERY_MS) return;
    this.typedAt = Date.now();
    void this.client.report(this.client.request('typing', { chat: { id: chat_id } }));
  }

  /** All that is here has been read. */
  async markRead(chat: Chat): Promise<void> {
    const seq = chat.timeline.end;
    if (chat.unread === 0 || seq < chat.last_seq || this.client.state !== 'connected') return;
    chat.unread = chat.mentions = 0;
    const body = { chat: { id: chat.id }, seq };
    const answer = this.client.request('mark-read', body);
    await this.client.report(answer.then((read) => this.client.chats.remember(read.chat)));
  }

  /** This message and what follows are to be read again. */
  async markUnread({ chat_id, seq }: Message): Promise<void> {
    const body = { chat: { id: chat_id }, seq, unread: true };
    const { chat } = await this.client.request('mark-read', body);
    this.client.chats.remember(chat);
  }

  async updateMe(news: { name?: string; handle?: string }): Promise<void> {
    const { user } = await this.client.request('update-user', { user: news });
    this.client.people.meet(user);
  }

  /** Nobody is told of a block, not even one's own other windows. */
  async listBlocked(): Promise<void> {
    const blocked: Person[] = [];
    let after: string | undefined;
    do {
      const page = await this.client.request('list-blocked', { after });
      blocked.push(...page.users);
      after = page.next;
    } while (after);
    this.client.blocked.clear();
    for (const person of blocked) this.client.blocked.set(person.id, person);
    this.client.listener.changed();
  }

  async setBlocked(user_id: string, on: boolean): Promise<void> {
    const body = { user: { id: user_id } };
    const request = on ? 'block-user' : 'unblock-user';
    const { user } = await this.client.request(request, body);
    if (on) this.client.blocked.set(user.id, user);
    else this.client.blocked.delete(user.id);
    this.client.listener.changed();
  }

  async invite(chat_id: string, user_id: string): Promise<void> {
    await this.client.request('invite', { chat: { id: chat_id }, user: { id: user_id } });
  }

  async answer({ id }: Invitation, accepts: boolean): Promise<void> {
    // Gone whatever the answer is: an error says that it was not pending any more.
    this.client.invitations.delete(id);
    this.client.listener.changed();
    const request = accepts ? 'accept-invitation' : 'decline-invitation';
    await this.client.request(request, { invitation: { id } });
  }

  /** One is not told of being added to a team. */
  async listTeams(): Promise<void> {
    const { teams } = await this.client.request('list-teams', {});
    this.client.teams.clear();
    for (const team of teams) this.client.teams.set(team.id, team);
    this.client.listener.changed();
  }

  async createTeam(name: string): Promise<void> {
    await this.client.request('create-team', { team: { name } });
    await this.listTeams();
  }

  async addToTeam(id: string, user_id: string): Promise<void> {
    await this.client.request('add-to-team', { team: { id }, user: { id: user_id } });
    await this.listTeams();
  }
}
