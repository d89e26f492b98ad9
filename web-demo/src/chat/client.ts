/** What this page knows beside what every client does: teams, blocks and uploads. */
import { ChatClient, type Options, type Person, type Team } from 'chinwag-client';

import { Actions } from './actions';
import { isAccount, type Identity } from './identity';
import { Upload, type Watched } from './uploads';

type Listener = Required<Pick<Options, 'changed' | 'failed' | 'refused' | 'removed'>>;

export class PageClient extends ChatClient {
  readonly teams = new Map<string, Team>();
  /** Whom one has blocked, by their ids. */
  readonly blocked = new Map<string, Person>();
  readonly act = new Actions(this);
  /** Hears of every event and upload, and again of each that is answered or goes on. */
  watch: (traffic: Watched) => void = () => {};

  constructor(
    identity: Identity,
    readonly token: () => Promise<string | undefined>,
    listener: Listener,
  ) {
    const user = isAccount(identity) ? { id: identity.user_id } : identity;
    const connected = () => {
      void this.report(this.act.listTeams());
      void this.report(this.act.listBlocked());
    };
    super({ ...listener, user, token, storage: localStorage, connected });
    this.connection.watch = (traffic) => this.watch(traffic);
    // One is not told of being added to a team, but of its chats.
    this.on('create-chat', ({ chat }) => this.meetTeam(chat.team_id));
  }

  /** That it is refused, `failed` or `refused` hears. */
  override connect(): Promise<void> {
    return super.connect().catch(() => {});
  }

  /** Begins to upload a file, to be sent in a message; `changed` hears how far it is. */
  upload(file: File, changed: () => void): Upload {
    const watch = (traffic: Watched) => this.watch(traffic);
    return new Upload(file, this.myId, this.token, { changed, watch });
  }

  /** A team that is not known may be a new one. */
  meetTeam(id: string | null): void {
    if (id && !this.teams.has(id)) void this.report(this.act.listTeams());
  }
}
