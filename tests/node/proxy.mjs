// A proxy between a client and the server that cuts connections, and drops pieces when told to.

import { once } from 'node:events';
import net from 'node:net';
import { after } from 'node:test';

/** Starts a proxy for one test file. */
export async function proxyTo(server) {
  const proxy = new Proxy(new URL(server.url).port);
  await proxy.listen();
  after(() => proxy.close());
  return proxy;
}

class Proxy {
  url;
  /** Everything that the server has sent over WebSockets. */
  frames = '';
  /** Called with each such piece: `pass` it, `lose` it, or `cut` the connection instead. */
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

  /** Closes every connection; later ones work. */
  cut() {
    for (const socket of this.#sockets) socket.destroy();
  }

  /** Closes every connection, and refuses new ones until it is up again. */
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
