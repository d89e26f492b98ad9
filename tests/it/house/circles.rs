//! Modules of one folder depend on each other in one direction: without circles.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use crate::house::imports::sources;

/// The folders in which some modules still depend on each other in circles, and these modules.
const CIRCLES: [(&str, &[&str]); 2] = [
    // The engine's socket and the session hold each other.
    ("doors/socketio", &["engine", "session"]),
    // The ledger calls the others to write, and lends them its open transaction; SQLite's
    // checkpoints go through the ledger.
    (
        "store",
        &[
            "batch",
            "calls",
            "chats",
            "direct",
            "exit",
            "known",
            "ledger",
            "members",
            "outgoing",
            "rows",
            "sqlite",
            "unindexed",
        ],
    ),
];

#[test]
fn modules_of_a_folder_import_in_one_direction() {
    let modules: BTreeMap<_, _> = sources().into_iter().map(module).collect();
    let folders = modules.keys().filter_map(|path| Some(path.rsplit_once('/')?.0));
    let folders = BTreeSet::from_iter(folders);
    assert!(folders.len() > 10);
    for folder in folders {
        let edges = edges(folder, &modules);
        let in_circles = edges.keys().filter(|name| reached(&edges, name).contains(*name));
        let in_circles = in_circles.copied();
        let known =
            CIRCLES.iter().find(|(it, _)| *it == folder).map_or(&[][..], |(_, names)| names);
        assert_eq!(Vec::from_iter(in_circles), known, "src/{folder} has these in circles");
    }
}

/// A module's path, such as `store/ledger` for the `mod.rs` there, and its code without comments.
fn module((path, text): (PathBuf, String)) -> (String, String) {
    let path = path.with_extension("").to_str().unwrap().trim_end_matches("/mod").to_owned();
    let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
    (path, code.flat_map(|line| [line, "\n"]).collect())
}

/// Which modules of a folder name which others, directly or by what the folder's own module
/// re-exports of them. A subfolder counts as one module.
fn edges<'a>(
    folder: &str,
    modules: &'a BTreeMap<String, String>,
) -> BTreeMap<&'a str, BTreeSet<&'a str>> {
    let inner = |path: &'a str| path.strip_prefix(folder)?.strip_prefix('/');
    let children = modules.keys().filter_map(|path| inner(path)).filter(|it| !it.contains('/'));
    let mut owners: BTreeMap<_, _> = children.map(|child| (child, child)).collect();
    for child in Vec::from_iter(owners.keys().copied()) {
        let own = modules.get(folder).map_or("", String::as_str);
        let passed_on = named_after(&format!("use {child}::"), own).into_iter();
        owners.extend(passed_on.map(|name| (name, child)));
    }
    let mut edges = BTreeMap::<_, BTreeSet<_>>::new();
    for (path, code) in modules {
        let Some(path) = inner(path) else { continue };
        let child = path.split('/').next().unwrap();
        let above = "super::".repeat(path.split('/').count());
        let here = format!("crate::{}::", folder.replace('/', "::"));
        let named = [named_after(&above, code), named_after(&here, code)].concat();
        let owners = named.into_iter().filter_map(|name| owners.get(name).copied());
        edges.entry(child).or_default().extend(owners.filter(|owner| *owner != child));
    }
    edges
}

/// The names that follow a path in code; of names in braces, each of them.
fn named_after<'a>(path: &str, code: &'a str) -> Vec<&'a str> {
    let word = |text: &'a str| {
        let text = text.trim_start();
        let end = text.find(|c: char| !c.is_alphanumeric() && c != '_');
        &text[..end.unwrap_or(text.len())]
    };
    let mut names = Vec::new();
    let places = code.match_indices(path).filter(|(at, _)| !code[..*at].ends_with("::"));
    for rest in places.map(|(at, path)| &code[at + path.len()..]) {
        match rest.strip_prefix('{').and_then(|list| list.split(';').next()) {
            Some(list) => names.extend(list.split([',', '{', '}']).map(word)),
            None => names.push(word(rest)),
        }
    }
    names.retain(|name| !name.is_empty());
    names
}

/// The modules that a module depends on, directly or through others.
fn reached<'a>(edges: &BTreeMap<&'a str, BTreeSet<&'a str>>, from: &str) -> BTreeSet<&'a str> {
    let (mut reached, mut next) = (BTreeSet::new(), vec![from]);
    while let Some(names) = next.pop().map(|name| edges.get(name)) {
        let new = names.into_iter().flatten().filter(|name| reached.insert(**name));
        next.extend(Vec::from_iter(new.copied()));
    }
    reached
}
