//! The words of a text, by which messages are searched: the same for every database. This module
//! owns what a word is, and which spellings are the same; it does not know where words are stored.

use std::collections::HashSet;

use icu_casemap::CaseMapper;
use icu_normalizer::properties::CanonicalCombiningClassMapBorrowed;
use icu_normalizer::{ComposingNormalizerBorrowed, DecomposingNormalizerBorrowed};
use icu_properties::CodePointMapData;
use icu_properties::props::{GeneralCategoryGroup as Group, Script};

use super::bounds::{Problem, at_most_chars};
use super::letters::{category, is_ignorable};
use crate::config::Limits;

/// A longer word is cut to its first characters.
const MAX_CHARS: usize = 64;

/// Only the first words of a text are taken, as many as fit into so many bytes.
const MAX_BYTES: usize = 512 << 10;

/// About how many bytes a word takes besides its text.
const OF_WORD: usize = 12;

/// It only makes the drawing of a letter longer, and has no meaning.
const TATWEEL: char = '\u{640}';
/// It is used only in Japanese, though Unicode assigns it to no script.
const LONG_VOWEL: char = '\u{30fc}';

/// The text of a search: 1 to [`MAX_WORDS`](SearchText::MAX_WORDS) words.
#[derive(Debug)]
pub struct SearchText(pub Vec<Wanted>);

/// A word that is looked for.
#[derive(Debug, PartialEq, Eq)]
pub struct Wanted {
    pub word: String,
    /// Whether words that begin with it match, too.
    pub is_beginning: bool,
}

impl SearchText {
    /// How many words may be looked for at once.
    pub const MAX_WORDS: usize = 32;

    /// Reads a text of at most `Limits::max_name` characters.
    pub fn parse(text: &str, limits: &Limits) -> Result<SearchText, Problem> {
        at_most_chars(text, limits.max_name)?;
        let folded = fold(text);
        let mut words = Vec::new();
        for run in runs(&folded) {
            match run {
                Run::Spaced(word) => {
                    words.push(Wanted { word: cut(word).to_owned(), is_beginning: false });
                }
                Run::Dense(text) => words.extend(wanted_of_dense(text)),
            }
        }
        if let Some(last) = words.last_mut() {
            last.is_beginning = true;
        }
        match words.len() {
            0 => Err(Problem::Invalid("must have a letter or a digit")),
            1..=Self::MAX_WORDS => Ok(SearchText(words)),
            _ => Err(Problem::TooLarge { max: Self::MAX_WORDS, unit: "words" }),
        }
    }
}

/// The different words of a text, in the order in which they come. Scripts without spaces between
/// words have pairs of letters instead, and the last letter of each run, so that each letter begins
/// a word.
pub fn words_of(text: &str) -> Vec<String> {
    let folded = fold(text);
    let (mut words, mut seen, mut bytes) = (Vec::new(), HashSet::new(), 0);
    let found = runs(&folded).flat_map(|run| match run {
        Run::Spaced(word) => vec![cut(word)],
        Run::Dense(text) => pairs(text).chain(last_letter(text)).collect(),
    });
    for word in found.filter(|word| seen.insert(*word)) {
        bytes += word.len() + OF_WORD;
        if bytes > MAX_BYTES {
            break;
        }
        words.push(word.to_owned());
    }
    words
}

/// The form shared by all spellings that a search treats as the same: without case, accents, and
/// forms of letters such as full width.
fn fold(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    let apart = DecomposingNormalizerBorrowed::new_nfkd().normalize(text);
    let bare: String = apart.chars().filter(|c| !is_accent(*c) && !is_silent(*c)).collect();
    let folded = CaseMapper::new().fold_string(&bare);
    let mut plain = String::with_capacity(folded.len());
    for c in folded.chars() {
        match plain_letters(c) {
            Some(letters) => plain.push_str(letters),
            None => plain.push(c),
        }
    }
    ComposingNormalizerBorrowed::new_nfc().normalize(&plain).into_owned()
}

fn is_silent(c: char) -> bool {
    c == TATWEEL || is_ignorable(c)
}

/// Whether it is an accent or a vowel sign that may be left out in writing, by its combining class.
/// In the scripts of India and South-East Asia, and in kana, marks make other letters: they stay.
fn is_accent(c: char) -> bool {
    let class = CanonicalCombiningClassMapBorrowed::new().get_u8(c);
    // Overlays, the points of Hebrew, Arabic and Syriac, and marks above and below.
    matches!(class, 1 | 10..=36 | 200..)
}

/// How letters with a stroke, and letters that are two in one, are written by people without a key
/// for them.
fn plain_letters(c: char) -> Option<&'static str> {
    Some(match c {
        'ø' => "o",
        'ł' => "l",
        'đ' | 'ð' => "d",
        'ħ' => "h",
        'ŧ' => "t",
        'ı' => "i",
        'æ' => "ae",
        'œ' => "oe",
        'þ' => "th",
        _ => return None,
    })
}

/// A run of letters and digits.
enum Run<'a> {
    /// A word between spaces or punctuation.
    Spaced(&'a str),
    /// Text of a script that has no spaces between words.
    Dense(&'a str),
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Spaced,
    Dense,
    Between,
}

fn runs(text: &str) -> impl Iterator<Item = Run<'_>> {
    let mut rest = text;
    std::iter::from_fn(move || {
        loop {
            let first = kind(rest.chars().next()?);
            let end = rest.find(|c| kind(c) != first).unwrap_or(rest.len());
            let (run, after) = rest.split_at(end);
            rest = after;
            match first {
                Kind::Spaced => return Some(Run::Spaced(run)),
                Kind::Dense => return Some(Run::Dense(run)),
                Kind::Between => {}
            }
        }
    })
}

fn kind(c: char) -> Kind {
    if c.is_ascii() {
        return if c.is_ascii_alphanumeric() { Kind::Spaced } else { Kind::Between };
    }
    let is_mark = || Group::Mark.contains(category(c));
    if !(c.is_alphanumeric() || is_mark()) {
        return Kind::Between;
    }
    match CodePointMapData::<Script>::new().get(c) {
        Script::Han
        | Script::Hiragana
        | Script::Katakana
        | Script::Thai
        | Script::Lao
        | Script::Khmer
        | Script::Myanmar => Kind::Dense,
        _ if c == LONG_VOWEL => Kind::Dense,
        _ => Kind::Spaced,
    }
}

/// The first characters of a word, which stand for it.
fn cut(word: &str) -> &str {
    word.char_indices().nth(MAX_CHARS).map_or(word, |(end, _)| &word[..end])
}

/// Each two letters that are beside each other.
fn pairs(text: &str) -> impl Iterator<Item = &str> {
    let starts = text.char_indices().map(|(start, _)| start);
    let ends = text.char_indices().skip(1).map(|(start, c)| start + c.len_utf8());
    starts.zip(ends).map(|(start, end)| &text[start..end])
}

fn last_letter(text: &str) -> Option<&str> {
    text.char_indices().next_back().map(|(start, _)| &text[start..])
}

/// Pairs, which must all be found. A single letter instead matches any word that begins with it.
fn wanted_of_dense(text: &str) -> Vec<Wanted> {
    let pairs = pairs(text).map(|pair| Wanted { word: pair.to_owned(), is_beginning: false });
    let pairs = Vec::from_iter(pairs);
    match pairs.is_empty() {
        true => vec![Wanted { word: text.to_owned(), is_beginning: true }],
        false => pairs,
    }
}
