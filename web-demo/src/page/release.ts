/** When the page may be drawn anew: not while the pointer is pressed. */

/** A press that lasts longer is no click: it drags, selects, or ended where the page is not told. */
const CLICK_MS = 2_000;

let pressed = Promise.resolve();

/**
 * Waits for the end of a click that has begun. The browser drops a click if its element is replaced
 * between the press and the release.
 */
export const released = () => pressed;

export function prepareRelease(): void {
  let release = () => {};
  addEventListener(
    'pointerdown',
    () => {
      pressed = new Promise((resolve) => (release = resolve));
      setTimeout(release, CLICK_MS);
    },
    true,
  );
  // The click follows these events at once, and what has waited comes after it.
  for (const end of ['pointerup', 'pointercancel'])
    addEventListener(end, () => setTimeout(release), true);
}
