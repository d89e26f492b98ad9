/** The dialogs that create a chat, a direct chat or a team, or edit the profile. */
import type { Team } from 'chinwag-client';

import { button, element } from './elements';
import { field, formDialog, openDialog, select } from './dialogs';
import { choosePerson, peopleField } from './picker';
import { released } from './release';
import { attempt, client, goTo } from './state';
import { showNotice } from './toast';

export function newChat(): void {
  void client.report(client.act.listTeams());
  const people = peopleField('Add people');
  const teams = [...client.teams.values()];
  const content = [
    field({ name: 'name', label: 'Name', required: true }),
    field({ name: 'description', label: 'What it is about (optional)', lines: 2 }),
    select({
      name: 'visibility',
      label: 'Who may join',
      options: [
        ['public', 'Public: anyone may find and join it'],
        ['private', 'Private: by invitation'],
      ],
    }),
    ...(teams.length ? [teamField(teams)] : []),
    people.part,
  ];
  formDialog(
    'New chat',
    'Create',
    content,
    async ({ name = '', description, visibility, team }) => {
      const chat = {
        name,
        description: description || undefined,
        private: visibility === 'private',
        team_id: team || undefined,
        users: [...people.picked.keys()],
      };
      goTo(await client.act.createChat(chat));
    },
  );
}

function teamField(teams: Team[]): HTMLElement {
  const options = teams.map(({ id, name }): [string, string] => [id, name]);
  return select({ name: 'team', label: 'Team', options: [['', 'No team'], ...options] });
}

export function newMessage(): void {
  choosePerson('Write to', ({ id }) => writeTo(id));
}

export function writeTo(user_id: string): void {
  void attempt(async () => goTo(await client.act.openDirect(user_id)));
}

export function invite(chat_id: string): void {
  const chat = client.chats.get(chat_id);
  if (!chat) return;
  const isNew = ({ id }: { id: string }) => !chat.users.includes(id);
  choosePerson(
    `Invite to ${chat.name}`,
    (person) =>
      attempt(async () => {
        await client.act.invite(chat.id, person.id);
        showNotice(`${person.name} is invited to “${chat.name}”.`);
      }),
    isNew,
  );
}

/** `saved` is called with the new name. */
export function editProfile(saved: (name: string) => void): void {
  const me = client.people.get(client.myId);
  const content = [
    field({ name: 'name', label: 'Name', value: me?.name, required: true }),
    field({
      name: 'handle',
      label: 'Handle',
      value: me?.handle ?? '',
      hint: 'By which others find and mention you: letters, digits and underscores',
    }),
  ];
  formDialog('Your profile', 'Save', content, async ({ name, handle }) => {
    await client.act.updateMe({ name, handle: handle === (me?.handle ?? '') ? undefined : handle });
    saved(name!);
  });
}

export function showTeams(): void {
  const { dialog, close } = openDialog('Teams');
  const list = element('ul', 'people');
  const hint = element('p', 'hint', 'A chat of a team is for the team alone.');
  const draw = () =>
    list.replaceChildren(
      ...[...client.teams.values()].map((team) => {
        const add = button('small', () => addTo(team.id, team.name, team.users), 'Add person');
        add.ariaLabel = `Add person to ${team.name}`;
        const count = `${team.name} (${team.users.length})`;
        return element('li', 'item', element('span', 'lines', element('span', 'name', count)), add);
      }),
    );
  const addTo = (id: string, name: string, users: string[]) => {
    close();
    choosePerson(
      `Add to ${name}`,
      (person) =>
        attempt(async () => {
          await client.act.addToTeam(id, person.id);
          showNotice(`${person.name} is in ${name} now.`);
        }),
      (person) => !users.includes(person.id),
    );
  };
  const form = element(
    'form',
    'row',
    field({ name: 'team', label: 'New team', required: true }),
    element('button', 'primary', 'Make'),
  );
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    const name = String(new FormData(form).get('team')).trim();
    void attempt(async () => {
      await client.act.createTeam(name);
      form.reset();
      draw();
    });
  });
  dialog.append(
    hint,
    list,
    form,
    element(
      'div',
      'dialog-actions',
      button('quiet', () => close(), 'Close'),
    ),
  );
  draw();
  void attempt(async () => {
    await client.act.listTeams();
    await released();
    draw();
  });
}
