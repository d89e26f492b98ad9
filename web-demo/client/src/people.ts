/** The users that the client knows: their names and handles, and whether they are online. */
import type { Person } from './chinwag.js';
import type { Connection } from './connection.js';

/** How many users one socket may watch. */
const WATCHED_AT_MOST = 500;

/** A user of whom at least the name is known. */
export type Acquaintance = Pick<Person, 'id' | 'name'> & Partial<Person>;

export class People {
  private readonly known = new Map<string, Acquaintance>();
  private readonly watched = new Set<string>();

  constructor(
    private readonly connection: Connection,
    private readonly changed: () => void,
  ) {
    connection.on('user-updated', ({ user }) => this.meet(user));
    connection.on('presence', ({ user, ...news }) => {
      const person = this.known.get(user.id);
      if (person) this.meet({ ...person, ...news });
    });
  }

  get(id = ''): Acquaintance | undefined {
    return this.known.get(id);
  }

  nameOf(id: string, otherwise = 'Somebody'): string {
    return this.known.get(id)?.name ?? otherwise;
  }

  /** All known users, by name. */
  all(): Acquaintance[] {
    return [...this.known.values()].sort((one, other) => one.name.localeCompare(other.name));
  }

  meet(person: Acquaintance): void {
    this.known.set(person.id, { ...this.known.get(person.id), ...person });
    this.changed();
  }

  /** Searches the users whose name or handle begins with this text. */
  async find(text: string): Promise<Person[]> {
    const body = { text, limit: 20 };
    const { users } = await this.connection.request('list-users', body);
    users.forEach((user) => this.known.set(user.id, user));
    return users;
  }

  /** Loads these users, and from now on gets pushes about whether they are online. */
  async watch(ids: string[]): Promise<void> {
    const free = WATCHED_AT_MOST - this.watched.size;
    const wanted = [...new Set(ids)].filter((id) => !this.watched.has(id)).slice(0, free);
    if (wanted.length === 0) return;
    wanted.forEach((id) => this.watched.add(id));
    const body = { users: wanted.map((id) => ({ id })) };
    const { users } = await this.connection.request('watch-users', body);
    users.forEach((user) => this.meet(user));
  }

  /** The watching ends with the connection. */
  forgetWatched(): void {
    this.watched.clear();
  }
}
