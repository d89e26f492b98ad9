// A person in front of the demo page.

const PATIENCE_MS = 20_000;
const PASSWORD = 'a long enough secret';
const WINDOW = { locale: 'en-GB', viewport: { width: 800, height: 600 } };

/** A number of one's own for each username. */
const phoneOf = (username) => `+${Buffer.from(username).join('')}`.slice(0, 32);

/** A window of the demo page, and who looks at it. */
export class Person {
  /** What the page complained of, lost connections aside. */
  complaints = [];

  constructor(page) {
    this.page = page;
    page.on('pageerror', (error) => this.complaints.push(String(error)));
    page.on('console', (line) => {
      const { url } = line.location();
      const isLostConnection = /net::ERR_|^WebSocket connection to /.test(line.text());
      // The browser says so of every form that the server refuses, and of a poll that comes after
      // its connection has ended.
      const isRefusal = /^Failed to load .* 4\d\d /.test(line.text());
      const isExpected = isLostConnection || (isRefusal && /\/(api|socket\.io)\//.test(url));
      if (line.type() === 'error' && !isExpected) this.complaints.push(`${line.text()} ${url}`);
    });
  }

  /** Comes with a browser profile of their own. */
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

  /** Signs up as `First Last`, with that as the username too; `details` come in place of theirs. */
  async signUp(name, details = {}) {
    const [first, last] = name.split(' ');
    const username = first.toLowerCase();
    const form = this.page.getByRole('form', { name: 'Sign up' });
    const control = this.page.getByRole('button', { name: 'Make an account' });
    await control.or(form).waitFor();
    if (!(await form.isVisible())) await control.click();
    const all = {
      'First name': first,
      'Last name': last,
      Username: username,
      Password: PASSWORD,
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
    await this.page.getByRole('button', { name: 'Sign out' }).click();
  }

  /** Waits until somebody is in, and the server has said so. */
  async isIn(name) {
    await this.page.locator('#person', { hasText: name }).waitFor();
    await this.is('Connected');
  }

  /** Waits until the form with this title says so. */
  isRefused(title, text) {
    const form = this.page.getByRole('form', { name: title });
    return form.getByRole('alert').filter({ hasText: text }).waitFor();
  }

  direct(name) {
    return this.page.getByRole('region', { name: 'Direct messages' }).getByRole('link', { name });
  }

  async writeTo(name) {
    await this.page.getByRole('button', { name: `Message ${name}` }).click();
    await this.heading(name).waitFor();
  }

  async makeChat(name, visibility = 'Public', team = undefined) {
    await this.page.getByLabel('Who may join').selectOption(visibility);
    if (team) await this.page.getByLabel('Team', { exact: true }).selectOption(team);
    await this.page.getByLabel('New chat').fill(name);
    await this.page.getByRole('button', { name: 'Create' }).click();
  }

  /** What others need to invite this person. */
  id() {
    return this.page.locator('#my-id').textContent();
  }

  /** Opens the chooser by `control` and chooses there: a known person by name, or anybody by id. */
  async choose(control, { name, id }) {
    await this.page.getByRole('button', { name: control, exact: true }).click();
    const chooser = this.page.getByRole('dialog');
    if (id) await chooser.getByLabel('User id').fill(id);
    const button = { name: id ? /^(Invite|Add|Write)$/ : new RegExp(`^${name} \\w{4}$`) };
    await chooser.getByRole('button', button).click();
  }

  /** The card of an invitation to the chat `name`. */
  invitation(name) {
    const cards = this.page.getByRole('region', { name: 'Invitations' }).getByRole('article');
    return cards.filter({ hasText: name });
  }

  discovered(name) {
    return this.page.getByRole('region', { name: 'Discover' }).getByRole('link', { name });
  }

  listed(name) {
    return this.page.locator('#chats').getByRole('link', { name });
  }

  /** Waits until the open chat shows exactly these people as being in it now. */
  async isWith(...names) {
    const wanted = ['You', ...names].join(',');
    const shown = (wanted) =>
      [...document.querySelectorAll('#present li')].map((one) => one.textContent).join() === wanted;
    await this.page.waitForFunction(shown, wanted);
    await this.page.getByText(`${names.length + 1} here`).waitFor();
  }

  async say(...texts) {
    for (const text of texts) {
      await this.page.getByLabel('Message', { exact: true }).fill(text);
      await this.page.keyboard.press('Enter');
    }
  }

  /** Waits until the page shows this message. */
  sees(text) {
    return this.page.locator('.text', { hasText: text }).last().waitFor();
  }

  /** Waits until the page says so of the connection. */
  is(state) {
    return this.page.getByRole('status').filter({ hasText: state }).waitFor();
  }

  /** Waits until the server has confirmed everything this person wrote. */
  async isHeard() {
    await this.page.locator('.pending').first().waitFor({ state: 'detached' });
  }

  async isTold(text) {
    await this.page.getByRole('alert').filter({ hasText: text }).waitFor();
  }

  heading(name) {
    return this.page.getByRole('heading', { name, exact: true });
  }

  texts() {
    return this.page.locator('.text').allTextContents();
  }
}
