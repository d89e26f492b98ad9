/** What the server refuses, in words for people. */

/** An error that Socket.IO was answered with. */
export class ChatError extends Error {
  readonly code: string;

  constructor(error: { code: string; message: string; retry_after_ms?: number }) {
    super(error.code === 'rate_limited' ? tooFast(error.retry_after_ms) : error.message);
    this.code = error.code;
  }

  /** Whether the same may succeed later. */
  get isPassing(): boolean {
    return ['rate_limited', 'unavailable', 'internal'].includes(this.code);
  }
}

/** An error that the API was answered with. */
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

export function tooFast(retry_after_ms = 1_000): string {
  const seconds = Math.ceil(retry_after_ms / 1_000);
  const wait = seconds > 90 ? count(Math.ceil(seconds / 60), 'minute') : count(seconds, 'second');
  return `That was a lot at once. Try again in ${wait}.`;
}

/** `1 minute`, `2 minutes`. */
export function count(number: number, unit: string): string {
  return number === 1 ? `1 ${unit}` : `${number} ${unit}s`;
}

/** What the server says, with a capital letter and a full stop. */
export function sentence(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;
}
