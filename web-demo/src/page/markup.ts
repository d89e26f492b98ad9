/** A small safe subset of markup: links, `code`, **bold** and mentions, as nodes made one by one. */
import { element } from './elements';

const BLOCK = '\\n?```\\n?(?<block>[^]+?)\\n?```\\n?';
const CODE = '`(?<code>[^`\\n]+)`';
const BOLD = '\\*\\*(?<bold>[^*\\n]+)\\*\\*';
const LINK = '(?<link>https?://[^\\s<>"]*[^\\s<>"\'.,;:!?)\\]])';

/** `names` are those of the people who are mentioned. */
export function formatted(text: string, names: string[]): (Node | string)[] {
  const mention = `(?<mention>@(?:${names.map(escape).join('|')}))`;
  const kinds = [BLOCK, CODE, BOLD, LINK, ...(names.length ? [mention] : [])];
  const nodes: (Node | string)[] = [];
  let end = 0;
  for (const found of text.matchAll(new RegExp(kinds.join('|'), 'gu'))) {
    if (found.index > end) nodes.push(text.slice(end, found.index));
    nodes.push(nodeOf(found.groups!));
    end = found.index + found[0].length;
  }
  if (end < text.length) nodes.push(text.slice(end));
  return nodes;
}

function nodeOf({ block, code, bold, link, mention }: Record<string, string | undefined>): Node {
  if (block !== undefined) return element('pre', '', element('code', '', block));
  if (code !== undefined) return element('code', '', code);
  if (bold !== undefined) return element('strong', '', bold);
  if (link !== undefined) return linkTo(link);
  return element('span', 'mention', mention!);
}

export function linkTo(address: string): HTMLAnchorElement {
  const link = element('a', '', address);
  return Object.assign(link, { href: address, target: '_blank', rel: 'noopener noreferrer' });
}

/** One line without marks, for a list or a quotation. */
export function plain(text: string): string {
  return text
    .slice(0, 300)
    .replace(/```|\*\*|`/g, '')
    .replace(/\s+/g, ' ')
    .trim();
}

function escape(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&');
}
