/** Marks the searched words in a text, by the same rules by which the server finds them. */
import { element } from './elements';

/** How much text, in characters, is shown before the first marked word. */
const BEFORE = 30;
const SHOWN = 240;
const WORD = /[\p{L}\p{N}\p{M}]+/gu;
/**
 * Scripts without spaces between words: there a searched word may be anywhere in a run of letters.
 */
const UNSPACED = /[\p{sc=Han}\p{sc=Hira}\p{sc=Kana}\p{sc=Thai}\p{sc=Laoo}\p{sc=Khmr}\p{sc=Mymr}]/u;

/** Makes texts comparable without regard to case and accents. */
const fold = (text: string) => text.normalize('NFKD').replace(/\p{M}/gu, '').toLowerCase();

export function marked(text: string, searched: string): (Node | string)[] {
  const line = text.replace(/```|\*\*|`/g, '').replace(/\s+/g, ' ').trim();
  const wanted = (searched.match(WORD) ?? []).map(fold);
  const hits = [...line.matchAll(WORD)].flatMap(({ 0: word, index }) => {
    const hit = placeIn(word, wanted);
    return hit ? { from: index + hit[0], to: index + hit[1] } : [];
  });
  const first = hits[0]?.from ?? 0;
  const start = first > BEFORE ? line.lastIndexOf(' ', first - BEFORE / 2) + 1 : 0;
  const parts: (Node | string)[] = start > 0 ? ['…'] : [];
  let end = start;
  for (const { from, to } of hits) {
    if (from < end || to > start + SHOWN) continue;
    parts.push(line.slice(end, from), element('mark', '', line.slice(from, to)));
    end = to;
  }
  parts.push(line.slice(end, Math.max(end, start + SHOWN)));
  return parts;
}

/** Where in `word` a wanted word is; the last wanted word may be only the beginning of `word`. */
function placeIn(word: string, wanted: string[]): [number, number] | undefined {
  const folded = fold(word);
  if (wanted.includes(folded)) return [0, word.length];
  const last = wanted.at(-1);
  if (last && folded.startsWith(last)) return [0, word.length];
  if (!UNSPACED.test(word)) return undefined;
  const found = wanted.find((one) => word.includes(one));
  return found ? [word.indexOf(found), word.indexOf(found) + found.length] : undefined;
}
