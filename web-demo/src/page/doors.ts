/** Under the hood: the open chat through four doors side by side, live. */
import type { Failure, MyChat } from 'chinwag-client';

import {
  openHttp,
  openRpc,
  openWebSocket,
  type Door,
  type Listener,
  type Visit,
} from '../chat/doors';
import type { Watched } from '../chat/uploads';
import { button, byId, element, iconButton } from './elements';
import { editProfile } from './making';
import { attempt, client, currentChat, goTo, view } from './state';

const KEPT = 100;
/** Finds the text of a message in the frames of any door. */
const SAID = /("(?:msg|value|message|content|Text)":"(?:[^"\\]|\\.)*")/;

let isShown = false;
let opened = '';
let doors: Door[] = [];
/** The column of the page's own connection. */
let own: Column | undefined;
let renamed: (name: string) => void;

export function prepareDoors(rename: (name: string) => void): void {
  renamed = rename;
  addEventListener('pagehide', shut);
}

export function showDoors(shown: boolean): void {
  isShown = shown;
  byId('doors').hidden = !shown;
  drawDoors();
}

export function clearDoors(): void {
  for (const frames of byId('doors').querySelectorAll('.frames > ol')) frames.replaceChildren();
}

/** Shows a frame of the page's own connection, if it belongs to the open chat. */
export function showTraffic({ direction, event, body, answer }: Watched): void {
  const text = JSON.stringify(body) ?? '';
  if (!own || !text.includes(client.current ?? '')) return;
  if (answer === undefined) own.frame(direction, `${event}\n${text}`);
  else {
    own.frame('in', `answer to ${event}\n${JSON.stringify(answer)}`);
    const { error } = answer as { error?: Failure };
    if (error) own.refused(error.message);
  }
}

/** Opens the doors anew for another chat or handle, and closes them when they are not shown. */
export function drawDoors(): void {
  const chat = isShown ? currentChat() : undefined;
  const handle = client.people.get(client.myId)?.handle ?? '';
  const wanted = chat ? [client.myId, chat.id, handle].join(' ') : '';
  if (wanted !== opened || !wanted) {
    shut();
    opened = wanted;
    if (chat) open(chat, handle);
    else byId('doors').replaceChildren(element('p', 'empty', 'Open a chat to see it here.'));
  }
  const isUp = client.state === 'connected';
  own?.state(true, isUp ? 'Connected' : view.isCut ? 'Cut off: it is sent later' : 'Connecting…');
}

function shut(): void {
  for (const door of doors.splice(0)) door.close();
  own = undefined;
  opened = '';
}

function open(chat: MyChat, handle: string): void {
  const { id: chat_id, last_seq: seq } = chat;
  const visit = { chat_id, seq, user_id: client.myId, handle, token: client.token };
  own = new Column('Socket.IO', 'The page’s own connection');
  const http = new Column('HTTP', 'POST to /api/events/; empty answers are left out');
  const plain = new Column('WebSocket', 'Nicks and channels at /chat/login/');
  const rpc = new Column('JSON-RPC', 'The rooms API at /rpc; empty answers are left out');
  byId('doors').replaceChildren(...[own, http, plain, rpc].map(({ root }) => root));
  own.open(() => ({ send: (text) => client.send({ chat_id, text }), close: () => {} }));
  http.open((listener) => openHttp(visit, listener));
  if (!handle) {
    for (const column of [plain, rpc]) {
      const why = 'Here people go by their handles, and you have none yet.';
      column.offer(why, 'Take a handle', () => editProfile(renamed));
    }
    return;
  }
  rpc.open((listener) => openRpc(visit, listener));
  if (chat.channel_name) openChannel(plain, visit, chat.channel_name);
  else {
    const name = `${handle}-doors`;
    const why = 'This door leads to channels alone, and this chat is none. All four lead into one:';
    plain.offer(why, `Open #${name}`, () => openChannel(plain, visit, name, () => find(name)));
  }
}

function openChannel(column: Column, visit: Visit, name: string, joined = () => {}): void {
  column.open((listener) => {
    const state: Listener['state'] = (isOpen, text) => {
      listener.state(isOpen, text);
      if (isOpen) joined();
    };
    return openWebSocket(visit, name, { ...listener, state });
  });
}

/** Opens the chat of a channel, of which the page knows only the name. */
function find(name: string): void {
  void attempt(async () => {
    const { chats } = await client.request('list-public-chats', { text: `#${name}` });
    const chat = chats.find(({ channel_name }) => channel_name === name);
    if (chat) goTo(chat.id);
  });
}

class Column {
  readonly root: HTMLElement;
  private readonly standing = element('span', 'door-state faint');
  private readonly why = element('p', 'refusal');
  private readonly way = element('p', 'door-way');
  private readonly frames = element('ol', '');
  private readonly text = element('input', '');
  private readonly button: HTMLButtonElement;
  private door?: Door;

  constructor(name: string, about: string) {
    const heading = element('h3', '', name);
    heading.id = `door-${name}`;
    this.standing.role = 'status';
    this.why.role = 'alert';
    this.way.hidden = true;
    // Its style keeps the list scrolled to the end.
    const pane = element('div', 'frames', this.frames);
    Object.assign(pane, { tabIndex: 0, role: 'region', ariaLabel: `Frames of ${name}` });
    Object.assign(this.text, { ariaLabel: `Message through ${name}`, autocomplete: 'off' });
    Object.assign(this.text, { placeholder: 'Message', dir: 'auto', required: true });
    this.button = iconButton('send', `Send through ${name}`, () => {});
    Object.assign(this.button, { type: 'submit', disabled: true });
    const form = element('form', 'door-form', this.text, this.button);
    form.addEventListener('submit', (event) => {
      event.preventDefault();
      this.why.textContent = '';
      this.door?.send(this.text.value);
      this.text.value = '';
    });
    const head = element('header', '', heading, this.standing);
    const parts = [head, element('p', 'hint', about), this.way, pane, this.why, form];
    this.root = element('section', 'door', ...parts);
    this.root.setAttribute('aria-labelledby', heading.id);
  }

  /** Opens a door, which is closed together with the others. */
  open(make: (listener: Listener) => Door): void {
    this.way.hidden = true;
    this.state(false, 'Opening…');
    this.door = make({
      frame: (direction, text) => this.frame(direction, text),
      state: (isOpen, text) => this.state(isOpen, text),
      refused: (why) => this.refused(why),
      shut: (why) => this.offer(why, 'Try again', () => this.open(make)),
    });
    doors.push(this.door);
  }

  state(isOpen: boolean, text: string): void {
    // An unchanged text is not set again, so that screen readers do not repeat it.
    if (this.standing.textContent !== text) this.standing.textContent = text;
    this.button.disabled = !isOpen;
  }

  refused(why: string): void {
    this.why.textContent = `Refused: ${why}`;
  }

  /** Says why the door is shut, and what opens it. */
  offer(why: string, verb: string, act: () => void): void {
    this.state(false, 'Shut');
    this.way.replaceChildren(why, ' ', button('link', act, verb));
    this.way.hidden = false;
  }

  frame(direction: 'in' | 'out', text: string): void {
    const arrow = element('span', `arrow ${direction}`, direction === 'out' ? '↑' : '↓');
    arrow.ariaLabel = direction === 'out' ? 'sent' : 'received';
    arrow.role = 'img';
    const parts = text.split(SAID).map((part, at) => (at % 2 ? element('strong', '', part) : part));
    this.frames.append(element('li', 'frame', arrow, element('code', '', ...parts)));
    if (this.frames.children.length > KEPT) this.frames.firstElementChild?.remove();
  }
}
