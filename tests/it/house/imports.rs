//! Rules for imports that the compiler does not check: in which direction they point.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

/// What each part of the source may import.
fn may_import() -> HashMap<&'static str, &'static [&'static str]> {
    const BASE: &[&str] = &["clock", "config", "defects", "error", "logs", "model"];
    HashMap::from([
        ("main", &[][..]),
        ("cli", &["config", "domain", "doors", "error", "server", "store"]),
        ("lib", &[]),
        ("server", &["config", "domain", "doors", "error"]),
        ("doors", &["clock", "config", "domain", "error", "logs", "model"]),
        (
            "domain",
            &[
                "audience",
                "clock",
                "cluster",
                "config",
                "defects",
                "error",
                "event_log",
                "logs",
                "model",
                "store",
            ],
        ),
        // It reads the outbox, which the store keeps.
        ("event_log", &["clock", "config", "error", "logs", "model", "store"]),
        ("store", BASE),
        // It makes this node follow the streams that its clients may hear of.
        ("audience", &["clock", "cluster", "config", "error", "logs", "model"]),
        ("cluster", BASE),
        ("model", BASE),
        ("error", BASE),
        ("clock", BASE),
        ("config", &[]),
        ("defects", &[]),
        ("logs", &[]),
    ])
}

#[test]
fn imports_point_one_way() {
    let rules = may_import();
    for (path, text) in sources() {
        let part = part(&path);
        let Some(allowed) = rules.get(part.as_str()) else {
            panic!("{} belongs to no part of the house", path.display());
        };
        for imported in imports(&text) {
            assert!(
                imported == part || allowed.contains(&imported.as_str()),
                "{} imports {imported}",
                path.display()
            );
        }
    }
}

#[test]
fn doors_do_not_import_each_other() {
    let doors = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/doors");
    let doors = fs::read_dir(doors).unwrap().map(|entry| entry.unwrap());
    let doors: Vec<_> = doors
        .filter(|entry| entry.path().is_dir())
        .map(|entry| entry.file_name().into_string().unwrap())
        // These two are no doors: several doors use the first, and the second describes all doors.
        .filter(|name| name != "requests" && name != "contract")
        .collect();
    assert!(doors.len() > 1);
    for (path, text) in sources() {
        let Some(own) = doors.iter().find(|door| path.starts_with(format!("doors/{door}"))) else {
            continue;
        };
        assert!(!text.contains("super::super"), "{} leaves its door", path.display());
        for door in doors.iter().filter(|door| *door != own) {
            let crossing = text.contains(&format!("doors::{door}"));
            assert!(!crossing, "{} imports the door {door}", path.display());
        }
    }
}

#[test]
fn json_and_sockets_stay_in_the_doors() {
    for (path, text) in sources() {
        let part = part(&path);
        for library in ["engineioxide::", "socketioxide_", "hyper::", "serde_json::Value"] {
            let used = text.contains(library);
            assert!(!used || part == "doors", "{} uses {library}", path.display());
        }
    }
}

/// The files of `src`, with their paths within it.
pub fn sources() -> Vec<(PathBuf, String)> {
    sources_in("src")
}

/// The Rust files in a folder, with their paths within it.
pub fn sources_in(folder: &str) -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let (mut folders, mut sources) = (vec![root.clone()], Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|end| end == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                sources.push((path.strip_prefix(&root).unwrap().to_owned(), text));
            }
        }
    }
    assert!(sources.len() > 20);
    sources
}

/// The first part of a path: `doors` for `doors/http/mod.rs`, `clock` for `clock.rs`.
fn part(path: &Path) -> String {
    let first = path.components().next().unwrap().as_os_str().to_string_lossy();
    first.trim_end_matches(".rs").to_owned()
}

/// The parts named after `crate::`, outside comments.
fn imports(text: &str) -> Vec<String> {
    let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
    let code: String = code.flat_map(|line| [line, "\n"]).collect();
    let named = |rest: &str| {
        let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
        rest[..end].to_owned()
    };
    code.split("crate::").skip(1).map(named).collect()
}
