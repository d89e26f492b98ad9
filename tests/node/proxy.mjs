// A proxy between a client and the server that cuts connections, and loses what it is told to.

import { once } from 'node:events';
import net from 'node:net';
import { after } from 'node:test';

/** For one test file. */
export async function proxyTo(server) {
  const proxy = new Proxy(new URL(server.url).port);
  await proxy.listen();
  after(() => proxy.close());
  return proxy;
}

class Proxy {
  url;
  /** What has come from the server over WebSockets. */
  frames = '';
  /** Asked of each piece that comes so: `pass`, `lose` it, or `cut` in its place. */
  judge = () => 'pass';
  #port;
  #isDown = false;
  #sockets = new Set();
  #listener = net.createServer((near) => this.#join(near));

  constructor(port) {
    this.#port = port;
  }

  async listen() {
    this.#listener.listen(0, '127.0.0.1');
    await once(this.#listener, 'listening');
    this.url = `http://127.0.0.1:${this.#listener.address().port}`;
  }

  /** Ends every connection; the next one is let through. */
  cut() {
    for (const socket of this.#sockets) socket.destroy();
  }

  /** Ends every connection, and those that come until it is up again. */
  setDown(isDown) {
    this.#isDown = isDown;
    if (isDown) this.cut();
  }

  close() {
    this.setDown(true);
    this.#listener.close();
  }

  #join(near) {
    if (this.#isDown) return near.destroy();
    const far = net.connect(this.#port, '127.0.0.1');
    let isWebSocket = false;
    for (const [one, other] of [[near, far], [far, near]]) {
      this.#sockets.add(one);
      one.on('error', () => {});
      one.on('close', () => {
        this.#sockets.delete(one);
        other.destroy();
      });
    }
    near.on('data', (piece) => far.write(piece));
    far.on('data', (piece) => {
      const text = piece.toString();
      const verdict = isWebSocket ? this.judge(text) : 'pass';
      if (isWebSocket) this.frames += text;
      isWebSocket ||= text.startsWith('HTTP/1.1 101 ');
      if (verdict === 'cut') this.cut();
      else if (verdict === 'pass') near.write(piece);
    });
  }
}
