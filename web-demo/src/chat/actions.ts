/** The user's actions. Each belongs to one control of the page, and mostly sends one request. */
import type { ChatToUpdate, Invitation, Member, Message, Person } from 'chinwag-client';

import type { PageClient } from './client';

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
  constructor(private readonly client: PageClient) {}

  /**
   * Creates a chat and returns its id. A chat that is open to a team gets all members of the team.
   */
  async createChat({ users, ...chat }: NewChat): Promise<string> {
    if (chat.team_id) await this.listTeams();
    const team = chat.private ? undefined : this.client.teams.get(chat.team_id ?? '');
    const all = [...new Set([this.client.myId, ...users, ...(team?.users ?? [])])];
    const made = await this.client.request('create-chat', { chat, users: all });
    return made.chat.id;
  }

  /** Opens the direct chat with a user, which is created at first use; returns its id. */
  async openDirect(user_id: string): Promise<string> {
    const { chat } = await this.client.request('open-direct', { user: { id: user_id } });
    return chat.id;
  }

  async join(id: string): Promise<void> {
    const { chat } = await this.client.request('join-chat', { chat: { id } });
    this.client.meetTeam(chat.team_id);
  }

  async leave(id: string): Promise<void> {
    await this.client.request('leave-chat', { chat: { id } });
  }

  async updateChat(id: string, news: Omit<ChatToUpdate, 'id'>): Promise<void> {
    await this.client.request('update-chat', { chat: { id, ...news } });
  }

  async deleteChat(id: string): Promise<void> {
    await this.client.request('delete-chat', { chat: { id } });
  }

  /** Mutes, pins or archives a chat for this user only. */
  async updateMembership(
    id: string,
    news: { muted?: boolean; pinned?: boolean; archived?: boolean },
  ): Promise<void> {
    await this.client.request('update-membership', { chat: { id }, ...news });
  }

  async setRole(chat_id: string, user_id: string, role: Member['role']): Promise<void> {
    await this.client.request('set-role', { chat: { id: chat_id }, user: { id: user_id }, role });
    // After handing over the chat this user is a moderator, so the roles must be loaded again.
    const chat = this.client.chats.get(chat_id);
    if (chat && role === 'owner') await this.client.loadMembers(chat);
  }

  async treatMember(request: Treatment, chat_id: string, user_id: string): Promise<void> {
    await this.client.request(request, { chat: { id: chat_id }, user: { id: user_id } });
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

  /** Reports a message to the operators of the server. */
  async reportMessage({ chat_id, id }: Message, reason: string): Promise<void> {
    const body = { chat: { id: chat_id }, message: { id }, reason };
    await this.client.request('report-message', body);
  }

  async listPinned(chat_id: string): Promise<Message[]> {
    const body = { chat: { id: chat_id }, query: { pinned: true } };
    const { messages } = await this.client.request('list-messages', body);
    return messages.reverse();
  }

  /** Marks this message and all later ones as unread. */
  async markUnread({ chat_id, seq }: Message): Promise<void> {
    await this.client.request('mark-read', { chat: { id: chat_id }, seq, unread: true });
  }

  async updateMe(news: { name?: string; handle?: string }): Promise<void> {
    await this.client.request('update-user', { user: news });
  }

  /** Loads the blocked users: a block is pushed to nobody, not even to the user's other windows. */
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
    this.client.changed();
  }

  async setBlocked(user_id: string, on: boolean): Promise<void> {
    const body = { user: { id: user_id } };
    const request = on ? 'block-user' : 'unblock-user';
    const { user } = await this.client.request(request, body);
    if (on) this.client.blocked.set(user.id, user);
    else this.client.blocked.delete(user.id);
    this.client.changed();
  }

  async invite(chat_id: string, user_id: string): Promise<void> {
    await this.client.request('invite', { chat: { id: chat_id }, user: { id: user_id } });
  }

  async answer({ id }: Invitation, accepts: boolean): Promise<void> {
    // Removed whatever the answer is: an error means that the invitation was no longer pending.
    this.client.invitations.delete(id);
    this.client.changed();
    const request = accepts ? 'accept-invitation' : 'decline-invitation';
    await this.client.request(request, { invitation: { id } });
  }

  /** Loads the teams: the server does not push that a user was added to one. */
  async listTeams(): Promise<void> {
    const { teams } = await this.client.request('list-teams', {});
    this.client.teams.clear();
    for (const team of teams) this.client.teams.set(team.id, team);
    this.client.changed();
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
