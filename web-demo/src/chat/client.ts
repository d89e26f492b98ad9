/** The page's own client: it adds teams, blocks and uploads to the general client. */
import { ChatClient, type Options, type Person, type Team } from 'chinwag-client';

import { Actions } from './actions';
import { isAccount, type Identity } from './identity';
import { Upload, type Watched } from './uploads';

type Listener = Required<Pick<Options, 'changed' | 'failed' | 'refused' | 'removed'>>;

export class PageClient extends ChatClient {
  readonly teams = new Map<string, Team>();
  /** The users that this user has blocked, by their ids. */
  readonly blocked = new Map<string, Person>();
  readonly act = new Actions(this);
  /** Called for every event and upload, and again when one is answered or makes progress. */
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
    // The server does not push that a user was added to a team, but it pushes the team's chats.
    this.on('create-chat', ({ chat }) => this.meetTeam(chat.team_id));
  }

  /** Ignores the error, as `failed` or `refused` is called with it. */
  override connect(): Promise<void> {
    return super.connect().catch(() => {});
  }

  /** Begins to upload a file, to be sent in a message; `changed` is called at each progress. */
  upload(file: File, changed: () => void): Upload {
    const watch = (traffic: Watched) => this.watch(traffic);
    return new Upload(file, this.myId, this.token, { changed, watch });
  }

  /** Loads the teams if this one is not known, as the user may have been added to it. */
  meetTeam(id: string | null): void {
    if (id && !this.teams.has(id)) void this.report(this.act.listTeams());
  }
}
