//! How people see and compare texts: what is a letter, what is visible, and which spellings are the
//! same.

use icu_casemap::CaseMapper;
use icu_normalizer::{ComposingNormalizerBorrowed, DecomposingNormalizerBorrowed};
use icu_properties::props::{
    CanonicalCombiningClass, DefaultIgnorableCodePoint, GeneralCategory as Category,
    GeneralCategoryGroup as Group,
};
use icu_properties::{CodePointMapData, CodePointSetData};

/// Zero width non-joiner and joiner: they say how the letters beside them are drawn, and make one
/// emoji of several.
const JOINERS: [char; 2] = ['\u{200c}', '\u{200d}'];
const BLACK_FLAG: char = '\u{1f3f4}';
/// The Braille pattern without dots, which is drawn as nothing.
const BLANK_BRAILLE: char = '\u{2800}';

/// The form that all spellings of a handle or an email address share: case-folded, in the normal
/// form NFC, without joiners. It does not depend on the database.
pub fn fold(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    let text = text.replace(JOINERS, "");
    // Some letters fold only once they are separate from their marks.
    let apart = DecomposingNormalizerBorrowed::new_nfd().normalize(&text);
    let folded = CaseMapper::new().fold_string(&apart);
    ComposingNormalizerBorrowed::new_nfc().normalize(&folded).into_owned()
}

/// Whether a text is a word: letters of any script with their marks, digits, and what `also`
/// accepts.
pub(super) fn is_word(text: &str, also: impl Fn(char) -> bool) -> bool {
    let mut before = None;
    text.chars().all(|c| {
        let follows = before.replace(c);
        match c {
            // Some scripts cannot be written without joiners.
            _ if JOINERS.contains(&c) => follows.is_some_and(is_virama),
            _ if is_ignorable(c) => false,
            _ if is_mark(c) => follows.is_some_and(|before| !also(before)),
            _ => c.is_alphanumeric() || also(c),
        }
    })
}

/// Whether a text has a visible character.
pub(super) fn is_visible(text: &str) -> bool {
    text.chars().any(|c| {
        let nothing = is_ignorable(c) || c == BLANK_BRAILLE || is_accent(c);
        !(nothing || is_space(c) || matches!(category(c), Category::Control | Category::Format))
    })
}

/// The first character that is invisible, or changes the direction of others, and has no use where
/// it stands. A joiner, for example, has a use only in words and emoji.
pub(super) fn find_invisible(text: &str) -> Option<char> {
    let (mut before, mut rest) = (None, text.chars().peekable());
    while let Some(c) = rest.next() {
        let follows = before.replace(c);
        let useful =
            match c {
                _ if JOINERS.contains(&c) => {
                    let ends_word = follows.is_some_and(is_virama);
                    let inside = follows.is_some_and(is_joined)
                        && rest.peek().is_some_and(|c| is_joined(*c));
                    ends_word || inside
                }
                // Variation selectors: they choose a form of the character before them.
                '\u{fe00}'..='\u{fe0f}'
                | '\u{e0100}'..='\u{e01ef}'
                | '\u{180b}'..='\u{180d}'
                | '\u{180f}' => follows
                    .is_some_and(|c| is_joined(c) && !is_ignorable(c) || c == '*' || c == '#'),
                // Tags: after a black flag, they spell the region whose flag it is.
                '\u{e0020}'..='\u{e007f}' => follows
                    .is_some_and(|c| c == BLACK_FLAG || ('\u{e0020}'..'\u{e007f}').contains(&c)),
                '\u{2028}' | '\u{2029}' | '\u{fff9}'..='\u{fffb}' => false,
                _ => !is_ignorable(c),
            };
        if !useful {
            return Some(c);
        }
    }
    None
}

/// The text without its invisible characters.
pub(super) fn without_invisible(text: &str) -> String {
    text.chars().filter(|c| !is_ignorable(*c) && !matches!(c, '\u{2028}' | '\u{2029}')).collect()
}

pub(super) fn category(c: char) -> Category {
    CodePointMapData::<Category>::new().get(c)
}

/// Whether it is drawn as nothing by itself, like the characters that change the direction of
/// others.
pub(super) fn is_ignorable(c: char) -> bool {
    CodePointSetData::new::<DefaultIgnorableCodePoint>().contains(c)
}

fn is_space(c: char) -> bool {
    c.is_whitespace() || category(c) == Category::SpaceSeparator
}

/// A mark that belongs to the letter before it.
fn is_mark(c: char) -> bool {
    matches!(category(c), Category::NonspacingMark | Category::SpacingMark)
}

/// A mark that is drawn on the letter before it.
fn is_accent(c: char) -> bool {
    matches!(category(c), Category::NonspacingMark | Category::EnclosingMark)
}

/// The mark that joins a letter to the next one, in the scripts of India.
fn is_virama(c: char) -> bool {
    CodePointMapData::<CanonicalCombiningClass>::new().get(c) == CanonicalCombiningClass::Virama
}

/// Whether a joiner may stand beside it: a letter, a mark, a digit or an emoji. Unassigned
/// characters count, as they may be newer emoji.
fn is_joined(c: char) -> bool {
    let category = category(c);
    let apart = Group::Punctuation.contains(category) || Group::Separator.contains(category);
    !(apart || c.is_whitespace() || matches!(category, Category::Control | Category::Format))
}
