/** Who is in. */

/** Somebody who has said no more than a name. */
export interface Guest {
  external_id: string;
  name: string;
  photo: string;
}

/** Somebody who has signed in. */
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
