/** The wiring: which control does what, and when the page is drawn. */
import { prepareAttachments } from './page/attachments';
import { showBlocked } from './page/blocks';
import { drawComposer, finish, prepareComposer } from './page/composer';
import { drawConversation } from './page/conversation';
import { drawDetails } from './page/details';
import { discover, discoverSoon, drawDiscover } from './page/discover';
import { drawDoors, prepareDoors } from './page/doors';
import { byId, on } from './page/elements';
import { placeIcons } from './page/icons';
import { prepareHood, showHood } from './page/hood';
import { editProfile, invite, newChat, newMessage, showTeams } from './page/making';
import { openMenu, type Item } from './page/menu';
import { prepareRelease, released } from './page/release';
import { isAtEnd, prepareMessages, showMessage } from './page/messages';
import { begin, enter, failed, identity, rename, signOut, toAccount } from './page/session';
import { clearSearch, drawSearch, search, searchSoon } from './page/search';
import { drawSidebar } from './page/sidebar';
import { attempt, changed, client, currentChat, setFail, setRedraw, view } from './page/state';
import { prepareWelcome } from './page/welcome';
import { isAccount } from './chat/identity';

const FRAME_MS = 16;
/** Whether there is room for the details beside the conversation. */
const isWide = matchMedia('(min-width: 75.01rem)');

let timer = 0;
// A timeout, not an animation frame, as the title counts unread messages while the window is
// hidden.
setRedraw(() => (timer ||= setTimeout(() => void released().then(draw), FRAME_MS)));
setFail(failed);

function draw(): void {
  timer = 0;
  if (!identity) return;
  drawSidebar(identity.name);
  drawDiscover();
  drawSearch();
  drawConversation();
  drawComposer();
  drawDetails();
  drawDoors();
  const chat = currentChat();
  if (chat && !document.hidden && isAtEnd()) void client.markRead(chat);
}

function showTab(tab: 'chats' | 'discover'): void {
  view.tab = tab;
  byId<HTMLInputElement>('filter').placeholder =
    tab === 'chats' ? 'Search chats and messages' : 'Search public chats';
  changed();
  void discover();
}

function clearFilter(): void {
  byId<HTMLInputElement>('filter').value = view.filter = '';
  changed();
  discoverSoon();
  clearSearch();
}

function openMyMenu(at: HTMLElement): void {
  const ways: Item[] = isAccount(identity)
    ? [{ icon: 'door', text: 'Sign out', act: signOut }]
    : [
        { icon: 'person', text: 'Sign in', act: toAccount },
        { icon: 'door', text: 'Leave', act: signOut },
      ];
  openMenu(at, [
    { icon: 'edit', text: 'Edit profile', act: () => editProfile(rename) },
    { icon: 'people', text: 'Teams', act: showTeams },
    { icon: 'block', text: 'Blocked people', act: showBlocked },
    { icon: 'code', text: 'Under the hood', act: () => showHood() },
    {
      icon: 'info',
      text: 'API documentation',
      act: () => void open('/docs', '_blank', 'noopener'),
    },
    ...ways,
  ]);
}

function showDetails(isShown: boolean): void {
  view.details = isShown;
  changed();
}

placeIcons();
prepareRelease();
prepareWelcome(enter);
prepareMessages();
prepareComposer();
prepareAttachments();
prepareHood();
prepareDoors(rename);
view.details = isWide.matches;
isWide.addEventListener('change', ({ matches }) => identity && showDetails(matches));

on('my-menu', 'click', openMyMenu);
on('new', 'click', (at) =>
  openMenu(at, [
    { icon: 'people', text: 'New chat', act: newChat },
    { icon: 'chat', text: 'New message', act: newMessage },
  ]),
);
on('to-chats', 'click', () => showTab('chats'));
on('to-discover', 'click', () => showTab('discover'));
on<HTMLInputElement>('filter', 'input', (input) => {
  view.filter = input.value.trim();
  changed();
  discoverSoon();
  searchSoon();
});
byId('filter').addEventListener('keydown', (event) => {
  if (event.key !== 'Escape' || !view.filter) return;
  event.preventDefault();
  clearFilter();
});
byId('more-found').addEventListener('click', () => void search(true));
for (const chip of byId('chips').querySelectorAll('button')) {
  chip.addEventListener('click', () => {
    view.shown = chip.dataset.shown as typeof view.shown;
    changed();
  });
}
const starts = {
  chat: newChat,
  message: newMessage,
  discover: () => {
    showTab('discover');
    byId('filter').focus();
  },
};
for (const control of document.querySelectorAll<HTMLElement>('[data-start]')) {
  control.addEventListener('click', starts[control.dataset.start as keyof typeof starts]);
}
on('invite', 'click', () => invite(client.current ?? ''));
on('show-details', 'click', () => showDetails(!view.details));
on('hide-details', 'click', () => {
  showDetails(false);
  byId('show-details').focus();
});
on('show-hood', 'click', () => showHood());

document.addEventListener('visibilitychange', changed);
document.addEventListener('keydown', (event) => {
  if (event.key !== 'Escape' || event.defaultPrevented || !identity) return;
  // Menus and dialogs handle Esc by themselves.
  if (document.querySelector('dialog[open], :popover-open')) return;
  if (finish()) return;
  if (!byId('hood').hidden) showHood(false);
  else if (view.details && !isWide.matches) showDetails(false);
});

window.addEventListener('hashchange', () => {
  if (!identity) return;
  const before = document.activeElement;
  void attempt(async () => {
    await client.open(location.hash.slice(1) || undefined);
    const [chat, goal] = [currentChat(), view.goal];
    if (chat && goal?.chat_id === chat.id) {
      view.goal = undefined;
      return showMessage(chat, goal.seq);
    }
    // Not on a phone, where the keyboard would cover the messages, and not if the user has gone on
    // to another field while the chat was loading.
    const isHere = [before, document.body].includes(document.activeElement);
    if (chat && isHere && matchMedia('(pointer: fine)').matches) byId('text').focus();
  });
});

begin();
