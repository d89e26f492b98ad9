/** The user of the page. */

/** A user who has only given a name. */
export interface Guest {
  external_id: string;
  name: string;
  photo: string;
}

/** A user who has signed in with an account. */
export interface Account {
  name: string;
  user_id: string;
  access_token: string;
  refresh_token: string;
  expires_at: string;
}

export type Identity = Guest | Account;

export const isAccount = (identity?: Identity): identity is Account =>
  identity !== undefined && 'access_token' in identity;
