/** Waits for a promise; after so many seconds, rejects with an error that names `what`. */
export async function within(seconds, promise, what) {
  let timer;
  const tooLate = new Promise((_, reject) => {
    const describe = () => (typeof what === 'function' ? what() : what);
    timer = setTimeout(
      () => reject(new Error(`${describe()} took more than ${seconds} s`)),
      seconds * 1000,
    );
  });
  return Promise.race([promise, tooLate]).finally(() => clearTimeout(timer));
}
