// Waiting by a clock that goes slower while processes wait for a processor, as in
// tests/it/support/patience.rs, so that a test does not mistake a busy machine for a server that
// hangs.

import { readFileSync } from 'node:fs';

const TICK_MS = 100;
/** How fast the clock goes at least: one second by this clock takes at most five. */
const SLOWEST = 0.2;

/** The waits that are under way: how many milliseconds each has left, and what ends it then. */
const waits = new Set();
let ticking, at, waited;

/** Waits for a promise; after so many seconds, rejects with an error that names `what`. */
export async function within(seconds, promise, what) {
  const wait = { left: seconds * 1_000 };
  const tooLate = new Promise((_, reject) => {
    const describe = () => (typeof what === 'function' ? what() : what);
    wait.giveUp = () => reject(new Error(`${describe()} took more than ${seconds} s`));
  });
  if (waits.size === 0) {
    [at, waited] = [performance.now(), waitedForProcessors()];
    ticking = setInterval(tick, TICK_MS);
  }
  waits.add(wait);
  return Promise.race([promise, tooLate]).finally(() => {
    waits.delete(wait);
    if (waits.size === 0) clearInterval(ticking);
  });
}

function tick() {
  const [now, more] = [performance.now(), waitedForProcessors()];
  const part = (more - waited) / (now - at);
  [at, waited] = [now, more];
  for (const wait of waits) {
    wait.left -= TICK_MS * Math.min(1, Math.max(SLOWEST, 1 - part));
    if (wait.left <= 0) wait.giveUp();
  }
}

/**
 * The milliseconds so far in which some process has waited for a processor; 0 where Linux counts
 * none.
 */
function waitedForProcessors() {
  try {
    const [, total] = readFileSync('/proc/pressure/cpu', 'utf8').match(/some .* total=(\d+)/);
    return Number(total) / 1_000;
  } catch {
    return 0;
  }
}
