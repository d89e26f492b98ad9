/** Under the hood: what goes over the connection, and the code for the latest of it. */
import { isAccount, type Identity } from '../chat/identity';
import type { Watched } from '../chat/uploads';
import { clearDoors, showDoors, showTraffic } from './doors';
import { button, byId, element, iconButton, on } from './elements';
import { copyText } from './message-tools';
import { recipesFor } from './recipes';
import { released } from './release';
import { changed, client, view } from './state';

const KEPT = 300;
/** Requests that the page sends by itself, not because of what the user does. */
const QUIET = [
  'typing',
  'mark-read',
  'subscribe',
  'unsubscribe',
  'watch-users',
  'list-members',
  'list-messages',
  'list-changes',
  'list-chats',
  'list-teams',
  'list-users',
  'list-blocked',
];

const events: Watched[] = [];
let latest: Watched | undefined;
let selected: Watched | undefined;
let identity: Identity;
let hasDoors = false;
let timer = 0;

export function watchTraffic(who: Identity): void {
  identity = who;
  events.length = 0;
  latest = selected = undefined;
  client.watch = (traffic) => {
    if (!events.includes(traffic)) events.push(traffic);
    if (events.length > KEPT) events.shift();
    const isOut = traffic.direction === 'out';
    if (!isOut || !QUIET.includes(traffic.event)) showTraffic(traffic);
    if (isOut && !QUIET.includes(traffic.event)) latest = traffic;
    if (!byId('hood').hidden) timer ||= setTimeout(() => void released().then(draw), 50);
  };
}

export function prepareHood(): void {
  byId('hood-close').append(iconButton('close', 'Close', () => showHood(false)));
  on<HTMLInputElement>('cut', 'change', (box) => {
    view.isCut = box.checked;
    if (view.isCut) client.close();
    else void client.connect();
    changed();
  });
  on('hood-clear', 'click', () => {
    events.length = 0;
    selected = undefined;
    clearDoors();
    draw();
  });
  on('to-events', 'click', () => showView(false));
  on('to-doors', 'click', () => showView(true));
}

/** Shows all events of the connection, or the open chat through all doors. */
function showView(doors: boolean): void {
  hasDoors = doors;
  byId('to-events').ariaPressed = String(!doors);
  byId('to-doors').ariaPressed = String(doors);
  byId('hood-panes').hidden = doors;
  document.body.classList.toggle('with-doors', doors);
  showDoors(doors && !byId('hood').hidden);
}

export function showHood(isShown = Boolean(byId('hood').hidden)): void {
  byId('hood').hidden = !isShown;
  document.body.classList.toggle('with-hood', isShown);
  showView(hasDoors);
  if (!isShown) return;
  byId<HTMLInputElement>('cut').checked = view.isCut;
  draw();
  byId('hood').querySelector<HTMLElement>('input')?.focus();
}

function draw(): void {
  timer = 0;
  const list = byId('traffic');
  const wasAtEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 40;
  list.replaceChildren(...events.map(eventItem));
  if (wasAtEnd) list.scrollTop = list.scrollHeight;
  byId('no-traffic').hidden = events.length > 0;
  drawCode(selected ?? latest);
}

function eventItem(traffic: Watched): HTMLElement {
  const { direction, event, at, took_ms } = traffic;
  const isOut = direction === 'out';
  const arrow = element('span', `arrow ${direction}`, isOut ? '↑' : '↓');
  arrow.ariaLabel = isOut ? 'sent' : 'received';
  arrow.role = 'img';
  const time = new Date(at).toISOString().slice(11, 23);
  const took = !isOut ? '' : took_ms === undefined ? underWay(traffic) : `${took_ms.toFixed(1)} ms`;
  const facts = element('span', 'facts', numbersOf(traffic), took && ` ${took}`);
  const pick = button(
    'event',
    () => {
      selected = selected === traffic ? undefined : traffic;
      draw();
    },
    element('span', 'time', time),
    arrow,
    element('span', 'event-name', event),
    facts,
  );
  pick.ariaPressed = String(selected === traffic);
  return element('li', '', pick);
}

const underWay = ({ progress }: Watched) =>
  progress === undefined ? '…' : `${Math.floor(progress * 100)} %`;

/** The `seq` and `change` of a frame: by these a client notices that it has missed something. */
function numbersOf({ body, answer }: Watched): string {
  const { seq, change } = { ...(body as object), ...(answer as object) } as {
    seq?: number;
    change?: number;
  };
  return [seq !== undefined && `seq ${seq}`, change !== undefined && `change ${change}`]
    .filter(Boolean)
    .join(' ');
}

function drawCode(traffic?: Watched): void {
  const place = byId('code');
  if (!traffic) {
    place.replaceChildren(
      element('p', 'faint', 'Do something, such as sending a message: the code for it comes here.'),
    );
    return;
  }
  const { direction, event, body, answer } = traffic;
  const parts =
    direction === 'out'
      ? recipesFor(event, body, isAccount(identity) ? undefined : client.myId)
      : [];
  if (direction === 'in')
    parts.push({ title: 'Socket.IO', code: `socket.on("${event}", (body) => console.log(body));` });
  parts.push({
    title: direction === 'in' ? 'Body' : 'Answer',
    code: answer || direction === 'in' ? JSON.stringify(answer ?? body, null, 2) : '…',
  });
  place.replaceChildren(
    element('h3', '', selected ? event : `Latest action: ${event}`),
    ...parts.map(({ title, code }) => {
      const copy = button('small', () => copyText(code, 'The code is copied.'), 'Copy');
      copy.ariaLabel = `Copy ${title}`;
      const shown = element('pre', '', element('code', '', code));
      shown.tabIndex = 0;
      shown.role = 'region';
      shown.ariaLabel = title;
      return element(
        'div',
        'recipe',
        element('div', 'recipe-head', element('h4', '', title), copy),
        shown,
      );
    }),
  );
}
