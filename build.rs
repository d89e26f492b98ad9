//! Makes the web pages and `chinwag-client` with npm, outside the source tree. Without npm, Chinwag
//! is built without them.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs, io};

const SOURCES: &str = "web-demo";
const FILES: [&str; 10] = [
    "index.html",
    "app.js",
    "app.css",
    "chinwag-client.tgz",
    "socket.io.js",
    "socket.io.js.map",
    "socket.io.min.js",
    "socket.io.min.js.map",
    "socket.io.esm.min.js",
    "socket.io.esm.min.js.map",
];
const FALLBACK: &str = r#"<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Chinwag</title>
<h1>Chinwag is running, without its demo page</h1>
<p>The page is made with Node.js, and it could not be made when this server was built.
Install Node.js 18 or later, then build again:</p>
<pre>touch build.rs
cargo build --release</pre>
<p>The chat itself needs none of this. With socket.io-client in your own page:</p>
<pre>const socket = io("http://localhost:3000");
socket.emit("create-user", { user: { external_id: "ada", name: "Ada", photo: "" } }, console.log);</pre>
"#;

fn main() -> io::Result<()> {
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    let (work, web) = (out.join("web-demo"), out.join("web"));
    fs::create_dir_all(&web)?;
    println!("cargo:rerun-if-changed=build.rs");

    for folder in ["src", "client"] {
        let _ = fs::remove_dir_all(work.join(folder));
    }
    copy_sources(Path::new(SOURCES), &work)?;
    let made = make(&work).and_then(|()| {
        let copy = |file| fs::copy(work.join("dist").join(file), web.join(file));
        FILES.iter().try_for_each(|file| copy(file).map(drop)).map_err(|error| error.to_string())
    });
    if let Err(why) = made {
        println!(
            "cargo:warning=Chinwag is built without its demo page; Node.js 18 or later makes it."
        );
        for line in why.lines().filter(|line| !line.trim().is_empty()).take(20) {
            println!("cargo:warning={line}");
        }
        for file in FILES {
            fs::write(web.join(file), if file == "index.html" { FALLBACK } else { "" })?;
        }
    }
    Ok(())
}

/// Copies what people wrote, and has cargo watch each file of it.
fn copy_sources(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let path = entry?.path();
        let target = to.join(path.file_name().unwrap_or_default());
        if path.ends_with("node_modules") || path.ends_with("dist") {
            continue;
        } else if path.is_dir() {
            copy_sources(&path, &target)?;
        } else {
            println!("cargo:rerun-if-changed={}", path.display());
            fs::copy(&path, &target)?;
        }
    }
    Ok(())
}

fn make(work: &Path) -> Result<(), String> {
    let lock = fs::read(work.join("package-lock.json")).map_err(|error| error.to_string())?;
    // Inside what `npm ci` starts by removing: it is there only after a complete install.
    let installed = work.join("node_modules/installed-lock.json");
    if fs::read(&installed).ok().as_ref() != Some(&lock) {
        // Whatever NODE_ENV says, what builds the page is among the development dependencies.
        npm(work, &["ci", "--include=dev", "--no-audit", "--no-fund"])?;
        fs::write(&installed, lock).map_err(|error| error.to_string())?;
    }
    npm(work, &["run", "build"])
}

fn npm(work: &Path, args: &[&str]) -> Result<(), String> {
    let run = Command::new("npm").args(args).current_dir(work).output();
    let output = run.map_err(|error| format!("npm cannot be run: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let said = [output.stdout, output.stderr].concat();
    Err(format!("npm {} failed:\n{}", args.join(" "), String::from_utf8_lossy(&said)))
}
