/** Reports a message to the operators of the server. */
import type { Message } from 'chinwag-client';

import { checkbox, field, formDialog, select } from './dialogs';
import { element } from './elements';
import { said } from './files';
import { attempt, client } from './state';
import { showNotice } from './toast';

/** Sent as they are here, so that the report can be read without this page. */
const REASONS = ['Spam', 'Harassment or hate', 'Violence or threats', 'Sexual content', 'Other'];

export function report(message: Message): void {
  const name = client.people.nameOf(message.user_id, message.user.name);
  const words = element('span', 'said', said(message));
  const quote = element('div', 'quote', element('span', 'author', name), words);
  quote.dir = 'auto';
  const content = [
    quote,
    select({
      name: 'kind',
      label: 'What is wrong with it',
      options: [['', 'Choose what fits best'], ...REASONS.map((it): [string, string] => [it, it])],
      required: true,
    }),
    field({ name: 'more', label: 'More about it (optional)', lines: 3 }),
    element(
      'p',
      'hint',
      `It goes to those who run this server, with the message. ${name} is not told.`,
    ),
    ...(client.blocked.has(message.user_id) ? [] : [checkbox('block', `Block ${name}, too`)]),
  ];
  formDialog('Report message', 'Report', content, async ({ kind = '', more, block }) => {
    await client.act.reportMessage(message, more ? `${kind}: ${more}` : kind);
    showNotice('The report was sent. Thank you.');
    // The report was sent: if blocking fails, the form must not offer to send it again.
    if (block) await attempt(() => client.act.setBlocked(message.user_id, true));
  });
}
