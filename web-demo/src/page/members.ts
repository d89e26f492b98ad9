/** The members of a chat with their roles, and the actions on them. */
import type { Acquaintance, Member, MyChat } from 'chinwag-client';

import type { Treatment } from '../chat/actions';
import { personAvatar } from './avatars';
import { block, unblock } from './blocks';
import { confirmed } from './dialogs';
import { element, iconButton } from './elements';
import { longList } from './lists';
import { writeTo } from './making';
import { openMenu, type Item } from './menu';
import { attempt, client, isMuted, mayModerate } from './state';

/** If there are more members, the rest is shown on request. */
const SHOWN = 50;
const RANK = { owner: 0, moderator: 1, member: 2 };

export function membersSection(chat: MyChat): HTMLElement {
  const members = chat.memberList ?? [];
  const heading = element(
    'h3',
    '',
    'Members ',
    element('span', 'faint', `${members.length}${chat.hasMoreMembers ? '+' : ''}`),
  );
  const list = longList(
    `${chat.id} members`,
    'members',
    SHOWN,
    [...members].sort(byRank),
    (member) => memberItem(chat, member),
  );
  return element('section', '', heading, ...list);
}

const personOf = ({ user }: Member): Acquaintance => client.people.get(user.id) ?? user;

function byRank(one: Member, other: Member): number {
  const rank = ({ role = 'member' }: Member) => RANK[role];
  const online = (member: Member) => Number(personOf(member).online ?? false);
  return (
    rank(one) - rank(other) ||
    online(other) - online(one) ||
    personOf(one).name.localeCompare(personOf(other).name)
  );
}

function memberItem(chat: MyChat, member: Member): HTMLLIElement {
  const person = personOf(member);
  const isMe = person.id === client.myId;
  const name = element('span', 'name', isMe ? `${person.name} (you)` : person.name);
  name.dir = 'auto';
  const state = [
    person.handle ? `@${person.handle}` : '',
    isMuted(member) ? 'muted' : '',
    client.blocked.has(person.id) ? 'blocked' : '',
    person.online ? 'online' : '',
  ];
  const lines = element(
    'span',
    'lines',
    name,
    element('span', 'preview', state.filter(Boolean).join(' · ')),
  );
  const item = element('li', 'item', personAvatar(person), lines);
  if (member.role && member.role !== 'member') item.append(element('span', 'role', member.role));
  if (!isMe) {
    const more = iconButton('menu', `Actions for ${person.name}`, () =>
      openMenu(more, actionsFor(chat, member, person)),
    );
    more.ariaHasPopup = 'true';
    item.append(more);
  }
  return item;
}

function actionsFor(chat: MyChat, member: Member, person: Acquaintance): Item[] {
  const write: Item = { icon: 'chat', text: 'Write to them', act: () => writeTo(person.id) };
  return [write, ...moderationOf(chat, member, person), blockItem(person)];
}

/** Ends a block, or asks whether to make one. */
export function blockItem(person: Acquaintance): Item {
  if (client.blocked.has(person.id))
    return { icon: 'block', text: 'Unblock', act: () => void unblock(person) };
  return { icon: 'block', text: 'Block', danger: true, act: () => void block(person) };
}

function moderationOf(chat: MyChat, member: Member, { id, name }: Acquaintance): Item[] {
  const { role } = member;
  const muted = isMuted(member);
  const items: Item[] = [];
  const set = (to: Member['role']) => void attempt(() => client.act.setRole(chat.id, id, to));
  const treat = (request: Treatment) =>
    void attempt(() => client.act.treatMember(request, chat.id, id));
  const ask = async (title: string, text: string, verb: string, act: () => void) => {
    if (await confirmed({ title, text, verb, danger: true })) act();
  };
  if (chat.role === 'owner') {
    const isModerator = role === 'moderator';
    items.push(
      {
        icon: 'person',
        text: isModerator ? 'Make a member' : 'Make a moderator',
        act: () => set(isModerator ? 'member' : 'moderator'),
      },
      {
        icon: 'flag',
        text: 'Hand the chat over',
        act: () =>
          void ask(`Make ${name} the owner?`, 'You stay as a moderator.', 'Hand over', () =>
            set('owner'),
          ),
      },
    );
  }
  const isAbove = chat.role === 'owner' || (mayModerate(chat) && role === 'member');
  if (!isAbove) return items;
  items.push({
    icon: muted ? 'bell' : 'mute',
    text: muted ? 'Let them write again' : 'Keep from writing',
    act: () => treat(muted ? 'unmute-member' : 'mute-member'),
  });
  if (chat.role === 'owner') {
    items.push({
      icon: 'door',
      text: 'Remove',
      danger: true,
      act: () =>
        void ask(
          `Remove ${name}?`,
          'They may come back, if they can find the chat.',
          'Remove',
          () => treat('remove-member'),
        ),
    });
  }
  items.push({
    icon: 'close',
    text: 'Ban',
    danger: true,
    act: () =>
      void ask(`Ban ${name}?`, 'They are removed, and may not come back.', 'Ban', () =>
        treat('ban-member'),
      ),
  });
  return items;
}
