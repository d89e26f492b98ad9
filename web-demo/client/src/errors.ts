import type { Failure } from './chinwag.js';

/** A refusal of the server, with a message for people. */
export class ChatError extends Error {
  readonly code: Failure['code'];
  /** The dotted path of the wrong field in the request, if there is one. */
  readonly field?: string;
  /** After how long the same request may succeed, if the server says so. */
  readonly retry_after_ms?: number;

  constructor({ code, message, field, retry_after_ms }: Failure) {
    super(code === 'rate_limited' ? tooFast(retry_after_ms) : message);
    this.code = code;
    this.field = field;
    this.retry_after_ms = retry_after_ms;
  }

  /** Whether the same request may succeed later. */
  get isPassing(): boolean {
    return ['rate_limited', 'unavailable', 'internal'].includes(this.code);
  }
}

/**
 * Repeats `work` as long as the server is too busy, but throws if a wait would exceed
 * `patience_ms`.
 */
export async function untilTaken<Done>(
  work: () => Promise<Done>,
  patience_ms = Infinity,
): Promise<Done> {
  for (;;) {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof ChatError && error.isPassing)) throw error;
      const { retry_after_ms = 3_000 } = error;
      if (retry_after_ms > patience_ms) throw error;
      await new Promise((resolve) => setTimeout(resolve, retry_after_ms));
    }
  }
}

function tooFast(retry_after_ms = 1_000): string {
  const seconds = Math.ceil(retry_after_ms / 1_000);
  const [time, unit] = seconds > 90 ? [Math.ceil(seconds / 60), 'minute'] : [seconds, 'second'];
  const wait = new Intl.NumberFormat('en', { style: 'unit', unit, unitDisplay: 'long' });
  return `That was a lot at once. Try again in ${wait.format(time)}.`;
}
