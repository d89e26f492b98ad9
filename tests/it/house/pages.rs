//! Checks what the pages and comments say of the sources: the files and functions that they name
//! exist, a feature has one name everywhere, links lead somewhere, lines are short, the protocol
//! names all that clients send and get, and promises have tests.

use std::fmt::Display;
use std::fs;
use std::path::{Path, PathBuf};

use crate::house::imports::{sources, sources_in};

/// The events whose tests are in another file than that of their feature.
const TESTED_ELSEWHERE: [(&str, &str); 2] =
    [("list-messages", "reading"), ("remove-member", "owners")];

/// How the names of files in comments end.
const ENDINGS: [&str; 7] = [".rs", ".md", ".sql", ".json", ".mjs", ".toml", ".yaml"];

#[test]
fn the_code_that_the_architecture_names_exists() {
    let (page, sources) = (read("docs/ARCHITECTURE.md"), sources());
    let names = code_in(&page);
    assert!(names.len() > 100);
    let gone: Vec<_> = names.into_iter().filter(|name| !is_there(name, &sources)).collect();
    assert!(gone.is_empty(), "docs/ARCHITECTURE.md names what is not there: {gone:?}");
}

#[test]
fn a_feature_has_one_name_everywhere() {
    let table = read("src/doors/requests/mod.rs");
    let rows = between(&table, "\nevents! {", "\n}").split("\n            => ").skip(1);
    let functions = rows.filter_map(|row| row.split(" as ").next()?.split_once("::"));
    let functions = Vec::from_iter(functions);
    let events = events();
    assert_eq!(functions.len(), events.len());
    let mut lost = Vec::new();
    for (event, (module, function)) in events.into_iter().zip(functions) {
        let domain = format!("src/domain/{module}.rs");
        let is_named_so = function.replace('_', "-") == event;
        if !is_named_so || !has_function(&read(&domain), function) {
            lost.push(format!("{event} is {function} here, and {domain} has none of its name"));
        }
        let elsewhere = TESTED_ELSEWHERE.iter().find(|(it, _)| **it == event);
        let file = elsewhere.map_or(module, |(_, file)| file);
        let tests = format!("tests/it/socketio/{file}.rs");
        if !read(&tests).contains(&format!("\"{event}\"")) {
            lost.push(format!("{tests} never sends {event}"));
        }
    }
    assert!(lost.is_empty(), "{lost:#?}");
}

#[test]
fn files_that_comments_name_exist() {
    let (root, mut gone) = (root(), Vec::new());
    for (path, text) in sources() {
        let of_source = root.join("src").join(&path);
        let places = [root, &root.join("src"), of_source.parent().unwrap()];
        let comments = text.lines().map(str::trim_start).filter(|line| line.starts_with("//"));
        let words = comments.flat_map(|line| line.split(|c: char| " `()[],;".contains(c)));
        for word in words.map(|word| word.trim_end_matches(['.', ':', '?'])) {
            let is_file = word.contains('/') && ENDINGS.iter().any(|end| word.ends_with(end));
            let is_elsewhere = word.starts_with('/') || word.contains("://");
            if is_file && !is_elsewhere && !places.iter().any(|place| place.join(word).exists()) {
                gone.push(format!("{} names {word}", path.display()));
            }
        }
    }
    assert!(gone.is_empty(), "{gone:#?}");
}

#[test]
fn lines_of_pages_are_short() {
    let mut long = Vec::new();
    for page in pages() {
        let (text, mut code) = (read(&page), false);
        for (at, line) in text.lines().enumerate() {
            code ^= line.trim_start().starts_with("```");
            let has_spaces = line.trim().contains(' ');
            if line.chars().count() > 100 && !code && !line.starts_with('|') && has_spaces {
                long.push(format!("{}:{}", page.display(), at + 1));
            }
        }
    }
    assert!(long.is_empty(), "longer than 100 characters: {long:#?}");
}

#[test]
fn lines_of_comments_are_short() {
    let mut long = Vec::new();
    for folder in ["src", "tests"] {
        for (path, text) in sources_in(folder) {
            for (at, line) in text.lines().enumerate() {
                if line.chars().count() > 100 && line.trim_start().starts_with("//") {
                    long.push(format!("{folder}/{}:{}", path.display(), at + 1));
                }
            }
        }
    }
    assert!(long.is_empty(), "longer than 100 characters: {long:#?}");
}

#[test]
fn links_between_pages_lead_somewhere() {
    for page in pages() {
        let text = read(&page);
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            if link.contains("://") {
                continue;
            }
            let (file, heading) = link.split_once('#').unwrap_or((link, ""));
            let target = match file {
                "" => page.clone(),
                file => page.parent().unwrap().join(file),
            };
            let from = page.display();
            assert!(root().join(&target).exists(), "{from} links to {link}");
            let has = heading.is_empty() || headings(&read(&target)).any(|it| it == heading);
            assert!(has, "{from} links to {link}");
        }
    }
}

#[test]
fn the_protocol_names_all_that_clients_send_and_get() {
    let page = read("docs/protocol.md");
    all_in(between(&page, "\n## Requests\n", "\n## "), events());
    let table = read("src/doors/socketio/show.rs");
    let pushes = quoted(between(&table, "\npushes! {", "\n}"), &["\n    \""]);
    assert!(pushes.len() > 10);
    all_in(between(&page, "\n## Pushes\n", "\n## "), pushes);
    let table = read("src/error/code.rs");
    let codes = quoted(between(&table, "\ncodes! {", "\n}"), &[" \""]);
    assert_eq!(codes.len(), 9);
    all_in(between(&page, "\n## Asking and being answered\n", "\n## "), codes);
}

#[test]
fn the_tests_that_the_pages_name_exist() {
    let pages = ["docs/guarantees.md", "docs/security.md", "docs/limits.md"].map(read);
    let names = pages.iter().flat_map(|page| code_in(page));
    let tests = Vec::from_iter(names.filter_map(|name| name.split_once(".rs::")));
    assert!(tests.len() > 250);
    let gone: Vec<_> = tests.into_iter().filter(|(file, test)| !has_test(file, test)).collect();
    assert!(gone.is_empty(), "the pages name tests that are not there: {gone:?}");
    // The first two lines of a table are its head.
    let tables = pages[1].split("\n\n").filter(|text| text.starts_with('|'));
    let rows = Vec::from_iter(tables.flat_map(|table| table.lines().skip(2)));
    assert!(rows.len() > 50);
    let bare = Vec::from_iter(rows.into_iter().filter(|row| !row.contains(".rs::")));
    assert!(bare.is_empty(), "docs/security.md has rows without a test: {bare:#?}");
    let settings = read("src/config/limits.rs");
    let limits = between(&settings, "pub struct Limits {", "\n}");
    let limits = quoted(limits, &["env = \"CHINWAG_"]);
    assert!(limits.len() > 40);
    for limit in limits {
        let flag = format!("`--{}`", limit.to_lowercase().replace('_', "-"));
        assert!(pages[2].contains(&flag), "docs/limits.md lacks {flag}");
    }
}

/// All events of the table of requests.
pub fn events() -> Vec<String> {
    let table = read("src/doors/requests/mod.rs");
    let events = quoted(between(&table, "\nevents! {", "\n}"), &["        \""]);
    assert!(events.len() > 20);
    events.into_iter().map(str::to_owned).collect()
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: impl AsRef<Path>) -> String {
    let path = root().join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The texts between backticks, outside blocks of code.
fn code_in(page: &str) -> Vec<&str> {
    let blocks = page.split("```").step_by(2);
    blocks.flat_map(|text| text.split('`').skip(1).step_by(2)).collect()
}

/// Whether the path, or the function or variant after `::`, that a name seems to mean exists. Other
/// words mean nothing that this could look for.
fn is_there(name: &str, sources: &[(PathBuf, String)]) -> bool {
    if name.contains('/') && !name.starts_with('/') {
        return root().join(name).exists();
    }
    match name.split_once("::") {
        Some((owner, item)) if owner.starts_with(char::is_uppercase) => {
            sources.iter().any(|(_, text)| has_item(text, owner, item))
        }
        Some((module, item)) => {
            let of_module = |path: &Path| {
                path.ends_with(format!("{module}.rs")) || path.ends_with(format!("{module}/mod.rs"))
            };
            sources.iter().any(|(path, text)| of_module(path) && has_function(text, item))
        }
        None => true,
    }
}

/// Whether a type or trait has a function or a variant in one of its blocks.
fn has_item(text: &str, owner: &str, item: &str) -> bool {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let mut within = false;
    text.lines().any(|line| {
        if !line.starts_with([' ', '}']) && !line.is_empty() {
            let opens = ["impl", "enum ", "trait "].iter().any(|kind| line.contains(kind));
            within = opens && line.split(|c| !is_word(c)).any(|word| word == owner);
        }
        let line = line.trim_start();
        let is_variant =
            line.strip_prefix(item).is_some_and(|rest| rest.starts_with([',', ' ', '(']));
        within && (is_variant || has_function(line, item))
    })
}

fn has_function(text: &str, name: &str) -> bool {
    text.contains(&format!("fn {name}(")) || text.contains(&format!("fn {name}<"))
}

/// Whether a file, named without its ending, has a test of this name.
fn has_test(file: &str, name: &str) -> bool {
    let text = fs::read_to_string(root().join(format!("{file}.rs"))).unwrap_or_default();
    let lines = Vec::from_iter(text.lines());
    let is_marked = lines.windows(2).any(|lines| {
        lines[0].starts_with("#[") && lines[0].contains("test") && has_function(lines[1], name)
    });
    // The macro `on_both` makes tests of the functions that it lists.
    is_marked || lines.iter().any(|line| line.trim() == name)
}

/// The headings of a page, in the form that links have.
fn headings(page: &str) -> impl Iterator<Item = String> {
    page.lines().filter(|line| line.starts_with('#')).map(|line| {
        let kept = line.trim_start_matches('#').trim().to_lowercase();
        let kept = kept.chars().filter(|c| c.is_alphanumeric() || "-_ ".contains(*c));
        kept.map(|c| if c == ' ' { '-' } else { c }).collect()
    })
}

fn between<'a>(text: &'a str, start: &str, end: &str) -> &'a str {
    let (_, rest) = text.split_once(start).unwrap_or_else(|| panic!("there is no {start:?}"));
    rest.split_once(end).map_or(rest, |(within, _)| within)
}

/// The texts in quotes that follow one of these openings.
fn quoted<'a>(text: &'a str, opened_by: &[&str]) -> Vec<&'a str> {
    let parts = opened_by.iter().flat_map(|opening| text.split(opening).skip(1));
    parts.filter_map(|rest| rest.split('"').next()).collect()
}

fn all_in(section: &str, names: impl IntoIterator<Item: Display>) {
    for name in names {
        assert!(section.contains(&format!("`{name}`")), "docs/protocol.md lacks {name}");
    }
}

fn pages() -> Vec<PathBuf> {
    let mut pages = Vec::new();
    let folders = [
        "",
        "docs",
        "examples",
        "tests/bench",
        "tests/faults",
        "tests/mutations",
        "tests/services",
        "web-demo/client",
    ];
    for folder in folders {
        let files = fs::read_dir(root().join(folder)).unwrap();
        let files = files.map(|file| Path::new(folder).join(file.unwrap().file_name()));
        pages.extend(files.filter(|path| path.extension().is_some_and(|end| end == "md")));
    }
    assert!(pages.len() > 5);
    pages
}
