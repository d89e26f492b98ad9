// A person in front of the demo page.

import assert from 'node:assert/strict';

const PATIENCE_MS = 60_000;
const PASSWORD = 'a long enough secret';
const WINDOW = { locale: 'en-GB', viewport: { width: 800, height: 600 } };

/** A phone number for each username. */
const phoneOf = (username) => `+${Buffer.from(username).join('')}`.slice(0, 32);

/** A window of the demo page, and the person who uses it. */
export class Person {
  /** The errors that the page has reported, except for lost connections. */
  complaints = [];

  constructor(page) {
    this.page = page;
    page.on('pageerror', (error) => this.complaints.push(String(error)));
    page.on('console', (line) => {
      const { url } = line.location();
      const isLostConnection = /net::ERR_|^WebSocket connection to /.test(line.text());
      // The browser reports this for each form and file that the server refuses, and for a poll
      // after the end of its connection.
      const isRefusal = /^Failed to load .* (4\d\d|503) /.test(line.text());
      const isExpected = isLostConnection || (isRefusal && /\/(api|socket\.io)\//.test(url));
      if (line.type() === 'error' && !isExpected) this.complaints.push(`${line.text()} ${url}`);
    });
  }

  /** Opens the page in a browser profile of its own. */
  static async arrive(browser, address, options) {
    const context = await browser.newContext({ ...WINDOW, ...options });
    context.setDefaultTimeout(PATIENCE_MS);
    const person = new Person(await context.newPage());
    await person.page.goto(address);
    return person;
  }

  async comeIn(name) {
    await this.page.getByLabel('Your name').fill(name);
    await this.page.getByRole('button', { name: 'Start' }).click();
  }

  /** Signs up as `First Last`, with a username made of the first name; `details` replace these. */
  async signUp(name, details = {}) {
    const [first, last] = name.split(' ');
    const username = first.toLowerCase();
    const form = this.page.getByRole('form', { name: 'Sign up' });
    const control = this.page.getByRole('button', { name: 'Make an account' });
    await control.or(form).waitFor();
    if (!(await form.isVisible())) await control.click();
    const optional = form.getByText('More about you');
    if (!(await form.getByLabel('Email').isVisible())) await optional.click();
    const all = {
      Username: username,
      Password: PASSWORD,
      'First name': first,
      'Last name': last,
      Email: `${username}@example.com`,
      Phone: phoneOf(username),
      ...details,
    };
    for (const [label, text] of Object.entries(all)) await form.getByLabel(label).fill(text);
    await form.getByRole('button', { name: 'Sign up' }).click();
  }

  async signIn(username, password = PASSWORD) {
    const form = this.page.getByRole('form', { name: 'Sign in' });
    await form.getByLabel('Username').fill(username);
    await form.getByLabel('Password').fill(password);
    await form.getByRole('button', { name: 'Sign in' }).click();
  }

  async signOut() {
    await this.fromMenu('Menu', 'Sign out');
  }

  /** Waits until this person has entered, and the server has confirmed it. */
  async isIn(name) {
    await this.page.locator('#person', { hasText: name }).waitFor();
    await this.is('Connected');
  }

  /** Waits until the form with this title shows an error with this text. */
  isRefused(title, text) {
    const form = this.page.getByRole('form', { name: title });
    return form.getByRole('alert').filter({ hasText: text }).waitFor();
  }

  /** Opens a menu by its control and chooses an item. */
  async fromMenu(control, item) {
    await this.page.getByRole('button', { name: control, exact: true }).click();
    await this.choose(item);
  }

  /** Chooses an item in the menu that is open. */
  async choose(item) {
    await this.page.getByRole('menuitem', { name: item, exact: true }).click();
  }

  /** Answers the question that the page asks. */
  async confirm(verb) {
    await this.page.getByRole('dialog').getByRole('button', { name: verb, exact: true }).click();
  }

  async makeChat(name, visibility = 'Public', team = undefined) {
    await this.is('Connected');
    await this.fromMenu('New', 'New chat');
    const form = this.page.getByRole('dialog');
    const chosen = form.locator('option', { hasText: visibility });
    await form.getByLabel('Who may join').selectOption(await chosen.getAttribute('value'));
    if (team) await form.getByLabel('Team', { exact: true }).selectOption(team);
    await form.getByLabel('Name', { exact: true }).fill(name);
    await form.getByRole('button', { name: 'Create' }).click();
  }

  /** The id of a guest, which the page does not show. */
  async id() {
    const { external_id } = await this.page.evaluate(() =>
      JSON.parse(sessionStorage.getItem('person')),
    );
    const { users } = await this.ask('list-users', { users: [{ external_id }] });
    return users[0].id;
  }

  /** Sends a request for which the page has no control, as a guest over HTTP. */
  async ask(event, body) {
    const { origin } = new URL(this.page.url());
    const headers = { 'Content-Type': 'application/json' };
    const request = { method: 'POST', headers, body: JSON.stringify(body) };
    const answer = await (await fetch(`${origin}/api/events/${event}`, request)).json();
    assert.equal(answer.error, undefined);
    return answer;
  }

  /** The id of the open chat. */
  chatId() {
    return new URL(this.page.url()).hash.slice(1);
  }

  /** Searches for a user in the dialog that is open, and picks one by name. */
  async find(text, name = text) {
    const dialog = this.page.getByRole('dialog');
    await dialog.getByRole('searchbox').fill(text);
    await dialog.getByRole('button', { name: new RegExp(`^${name}`) }).click();
  }

  async invite(name) {
    await this.page.getByRole('button', { name: 'Invite', exact: true }).click();
    await this.find(name);
  }

  /** Opens the pane of details. */
  async showDetails() {
    const pane = this.page.getByRole('region', { name: 'Details' });
    if (!(await pane.isVisible()))
      await this.page.getByRole('button', { name: 'Details', exact: true }).click();
    await pane.waitFor();
    return pane;
  }

  async hideDetails() {
    await this.page.getByRole('button', { name: 'Close details' }).click();
    await this.page.locator('#details').waitFor({ state: 'hidden' });
  }

  async leaveChat() {
    const pane = await this.showDetails();
    await pane.getByRole('button', { name: 'Leave chat' }).click();
    await this.confirm('Leave');
  }

  /** Opens the direct chat with a member of the open one. */
  async writeTo(name) {
    const pane = await this.showDetails();
    await pane.getByRole('button', { name: `Actions for ${name}` }).click();
    await this.choose('Write to them');
    await this.heading(name).waitFor();
    await this.hideDetails();
  }

  /** The card of an invitation to the chat `name`. */
  invitation(name) {
    const cards = this.page.getByRole('region', { name: 'Invitations' }).getByRole('article');
    return cards.filter({ hasText: name });
  }

  async discover() {
    await this.page
      .getByRole('group', { name: 'What to list' })
      .getByRole('button', { name: 'Discover' })
      .click();
  }

  async showChats() {
    await this.page
      .getByRole('group', { name: 'What to list' })
      .getByRole('button', { name: 'Chats' })
      .click();
  }

  /** The control for joining a public chat, in the list of these. */
  discovered(name) {
    const region = this.page.getByRole('region', { name: 'Discover' });
    return region.getByRole('button', { name: name instanceof RegExp ? name : `Join ${name}` });
  }

  listed(name) {
    return this.page.locator('#chats').getByRole('link', { name });
  }

  /** Waits until the open chat shows that so many users are in its room. */
  async isWith(count) {
    await this.page.locator('#subtitle', { hasText: `${count} here now` }).waitFor();
  }

  async say(...texts) {
    for (const text of texts) {
      await this.page.getByLabel('Message', { exact: true }).fill(text);
      await this.page.keyboard.press('Enter');
    }
  }

  /** The last message with this text. */
  message(text) {
    return this.page.locator('.message', { hasText: text }).last();
  }

  /** Chooses an action for a message. */
  async act(text, item) {
    const message = this.message(text);
    await message.hover();
    // New messages move the others away from the pointer, but do not change the focus.
    await message.focus();
    await message.getByRole('button', { name: 'More actions' }).click();
    await this.choose(item);
  }

  /** Waits until `act` has led to the message with this text, which is marked for a moment. */
  async isLedTo(text, act) {
    const isMarked = (text) =>
      document.querySelector('.message.marked')?.textContent.includes(text);
    // The page itself looks at each frame, so that the moment is not missed.
    await Promise.all([this.page.waitForFunction(isMarked, text), act()]);
  }

  /** Waits until the page shows this message. */
  sees(text) {
    return this.page.locator('.text', { hasText: text }).last().waitFor();
  }

  /** Waits until the page shows this state of the connection. */
  is(state) {
    return this.page.getByRole('status').filter({ hasText: state }).waitFor();
  }

  /** Waits until the server has confirmed everything that this person wrote. */
  async isHeard() {
    // What was just written is stored already, but perhaps not drawn yet.
    const isSent = () => !Object.keys(localStorage).some((key) => key.startsWith('chinwag outbox'));
    await this.page.waitForFunction(isSent);
    await this.page.locator('.pending').first().waitFor({ state: 'detached' });
  }

  async isTold(text) {
    await this.page.getByRole('alert').filter({ hasText: text }).waitFor();
  }

  heading(name) {
    return this.page.getByRole('heading', { name, exact: true }).first();
  }

  texts() {
    return this.page.locator('.text').allTextContents();
  }
}
