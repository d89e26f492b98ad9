/** Accounts: signing up, in and out over the server's API, without drawing anything. */
import { ChatError } from 'chinwag-client';

import type { Account } from '../chat/identity';

const DAY_MS = 24 * 60 * 60_000;
/** A token is valid for 30 days; if renewing it fails, days are left to try again. */
const DUE_MS = 5 * DAY_MS;

/** The fields that this page uses of a token from the server. */
type Token = Omit<Account, 'name'>;

interface Envelope<Item> {
  data: Item[];
  error: { message: string; errors: Record<string, string> | null; retry_after_ms?: number };
}

/** An error that the API has answered. */
export class Refusal extends Error {
  constructor(
    readonly status: number,
    message: string,
    /** What is wrong with the fields of a form, by their names. */
    readonly fields: Record<string, string> = {},
  ) {
    super(message);
  }
}

export async function signUp(form: Record<string, string>): Promise<Account> {
  const given = Object.fromEntries(Object.entries(form).filter(([, value]) => value.trim()));
  // If one of the two is empty, the server's answer says which.
  const body = { username: '', password: '', ...given };
  const { username, token } = await call<{ username: string; token: Token }>('accounts', body);
  return { name: username, ...partsOf(token) };
}

export async function signIn(form: Record<string, string>): Promise<Account> {
  const token = await call<Token>('auth_token', form);
  return { name: form.username!.trim(), ...partsOf(token) };
}

/** Whether the token ends in a few days. */
export function isDue({ expires_at }: Account): boolean {
  return Date.parse(expires_at) - Date.now() < DUE_MS;
}

/** Replaces the account's token by a new one; the old one ends. */
export async function renew(account: Account): Promise<void> {
  const { refresh_token } = account;
  Object.assign(account, partsOf(await call<Token>('auth_token/refresh', { refresh_token })));
}

/** Ends the token for everybody who may have a copy of it. */
export async function signOut({ access_token }: Account): Promise<void> {
  const headers = { Authorization: `Bearer ${access_token}` };
  await ask('auth_token', { method: 'DELETE', headers, keepalive: true });
}

function partsOf({ user_id, access_token, refresh_token, expires_at }: Token): Token {
  return { user_id, access_token, refresh_token, expires_at };
}

async function call<Item>(path: string, body: object): Promise<Item> {
  const headers = { 'Content-Type': 'application/json' };
  const { data } = await ask<Item>(path, { method: 'POST', headers, body: JSON.stringify(body) });
  return data[0]!;
}

async function ask<Item>(path: string, request: RequestInit): Promise<Envelope<Item>> {
  const response = await fetch(`/api/${path}`, request).catch(() => {
    throw new Error('The server cannot be reached. Try again.');
  });
  const envelope = await response.json().catch(() => undefined);
  if (response.ok && envelope) return envelope;
  throw refusal(response, envelope?.error);
}

function refusal({ status }: Response, error?: Envelope<never>['error']): Refusal {
  const say = (message: string) => new Refusal(status, message);
  const errors = error?.errors ?? {};
  if (error?.message === 'Form error') {
    return new Refusal(status, 'Something in the form is not right yet.', errors);
  }
  if (error?.message === 'User error') return say(`${errors.error}.`);
  if (status === 401) return say('The username or the password is wrong.');
  if (status === 403) return say('Nobody can sign up here. Ask whoever runs the server.');
  if (status === 429) {
    const { message = '', retry_after_ms } = error ?? {};
    return say(new ChatError({ code: 'rate_limited', message, retry_after_ms }).message);
  }
  return say('The server cannot do this now. Try again later.');
}
