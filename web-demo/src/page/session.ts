/** The user of this window, and the part of their data that outlives a reload. */
import { ChatError, type MyChat } from 'chinwag-client';

import { PageClient } from '../chat/client';
import { isAccount, type Account, type Identity } from '../chat/identity';
import { isDue, renew, signOut as endToken } from './account';
import { clearComposer } from './composer';
import { closeDialogs } from './dialogs';
import { discoverSoon } from './discover';
import { showHood, watchTraffic } from './hood';
import { byId } from './elements';
import { clearSearch } from './search';
import { changed, client, currentChat, setClient, view } from './state';
import { showError, showNotice } from './toast';
import { hideWelcome, showWelcome } from './welcome';

const HOUR_MS = 60 * 60_000;

// Kept for this window only: two windows can be two people, and a reload keeps the person. This
// also means that nobody who opens the browser later finds an account's token here.
const kept = sessionStorage;
export let identity = load();
let renewal: Promise<void> | undefined;

export function begin(): void {
  if (identity) enter(identity);
  else void showWelcome();
  setInterval(() => isAccount(identity) && tokenOf(identity), HOUR_MS);
}

export function enter(newcomer: Identity): void {
  identity = newcomer;
  save();
  const token = async () => (isAccount(newcomer) ? tokenOf(newcomer) : undefined);
  setClient(new PageClient(newcomer, token, { changed, failed, refused, removed }));
  client.on('chatroom', discoverSoon);
  watchTraffic(newcomer);
  client.current = location.hash.slice(1) || undefined;
  void client.connect();
  showError('');
  hideWelcome();
  changed();
}

/** Keeps the new name, with which the user connects after a reload. */
export function rename(name: string): void {
  if (!identity) return;
  identity.name = name;
  save();
}

export function signOut(): void {
  const account = identity;
  const isSignedIn = isAccount(account);
  client.outbox.clear();
  leave();
  kept.clear();
  history.replaceState(null, '', location.pathname);
  void showWelcome(isSignedIn ? 'You are signed out.' : '', isSignedIn ? 'sign-in' : undefined);
  if (!isSignedIn) return;
  endToken(account).catch(() =>
    showError('The server could not be told: until it ends by itself, the token is good.'),
  );
}

/** The user is still stored, so that somebody who changes their mind can reload the page. */
export function toAccount(): void {
  leave();
  void showWelcome('', 'sign-in');
}

/**
 * Shows the error; if the server refuses the user before the first connection, asks for them again.
 */
export function failed(error: Error): void {
  showError(error.message);
  closeLink();
  if (client.myId || (error instanceof ChatError && error.isPassing)) return;
  leave();
  kept.clear();
  void showWelcome();
}

function refused(): void {
  const why = isAccount(identity)
    ? 'Your session has ended. Sign in again to go on.'
    : 'The server wants to know who you are.';
  leave();
  kept.clear();
  void showWelcome(why, 'sign-in');
}

function removed({ name }: MyChat): void {
  showNotice(`You are no longer in “${name}”.`);
  closeLink();
}

/**
 * Removes the user from the page. Messages that wait to be sent stay stored until the user comes
 * back.
 */
function leave(): void {
  client.close();
  identity = undefined;
  closeDialogs();
  clearComposer();
  showHood(false);
  clearSearch();
  Object.assign(view, {
    tab: 'chats',
    shown: 'all',
    filter: '',
    isCut: false,
    replyTo: undefined,
    editing: undefined,
  });
  byId<HTMLInputElement>('filter').value = '';
  for (const list of ['chats', 'messages', 'invitations', 'rooms']) byId(list).replaceChildren();
}

/** Removes the link from the address if its chat cannot be opened. */
function closeLink(): void {
  if (!currentChat() && client.state === 'connected' && location.hash) {
    history.replaceState(null, '', location.pathname);
  }
}

/**
 * An account's token, renewed in time. If that fails, the old one, which the server may still
 * accept.
 */
async function tokenOf(account: Account): Promise<string> {
  if (isDue(account)) {
    renewal ??= renew(account)
      .catch(() => {})
      .finally(() => (renewal = undefined));
    await renewal;
    if (identity === account) save();
  }
  return account.access_token;
}

function save(): void {
  kept.setItem('person', JSON.stringify(identity));
}

function load(): Identity | undefined {
  return JSON.parse(kept.getItem('person') ?? 'null') ?? undefined;
}
