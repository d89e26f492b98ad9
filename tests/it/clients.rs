//! Clients in other languages, installed from their registries: each talks over every transport.
//! See `tests/clients`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tokio::task::spawn_blocking;

use crate::browser_and_node::skip;
use crate::support::TestServer;

#[tokio::test]
async fn python_socketio_talks() {
    let venv = Path::new(env!("CARGO_TARGET_TMPDIR")).join("python");
    let python = venv.join("bin/python");
    if !runs(Command::new("python3").args(["-c", "import venv, ensurepip"])) {
        skip("python-socketio", "Python 3 with venv is needed for it");
        return;
    }
    install("python/requirements.txt", &venv, |requirements| {
        run(Command::new("python3").args(["-m", "venv"]).arg(&venv));
        run(Command::new(&python).args(["-m", "pip", "install", "-q", "-r"]).arg(requirements));
    });
    let mut program = Command::new(&python);
    program.arg(folder("python/talk.py"));
    talk(program).await;
}

#[tokio::test]
async fn the_java_client_talks() {
    let jars = Path::new(env!("CARGO_TARGET_TMPDIR")).join("java");
    let has_all = ["javac", "mvn"].iter().all(|it| runs(Command::new(it).arg("-version")));
    if !has_all {
        skip("the Java client", "a JDK and Maven are needed for it");
        return;
    }
    install("java/pom.xml", &jars, |pom| {
        let copy = ["-q", "-B", "dependency:copy-dependencies", "-DincludeScope=runtime"];
        let to = format!("-DoutputDirectory={}", jars.display());
        run(Command::new("mvn").arg("-f").arg(pom).args(copy).arg(to));
    });
    let mut java = Command::new("java");
    java.arg("-cp").arg(jars.join("*")).arg(folder("java/Talk.java"));
    talk(java).await;
}

fn folder(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients").join(path)
}

/// Installs the packages that a file lists, unless that was done since it last changed.
fn install(list: &str, to: &Path, install: impl FnOnce(&Path)) {
    let (list, done) = (folder(list), to.join("installed"));
    let wanted = fs::read(&list).unwrap();
    if fs::read(&done).is_ok_and(|installed| installed == wanted) {
        return;
    }
    let _ = fs::remove_dir_all(to);
    install(&list);
    fs::write(done, wanted).unwrap();
}

/// Runs a program that is given a server's address and talks to that server.
async fn talk(mut program: Command) {
    let server = TestServer::start().await;
    program.arg(format!("http://{}", server.address()));
    spawn_blocking(move || run(&mut program)).await.unwrap();
}

fn run(program: &mut Command) {
    let done = program.stdin(Stdio::null()).output().unwrap();
    let said = [done.stdout, done.stderr].concat();
    assert!(done.status.success(), "{program:?}: {}", String::from_utf8_lossy(&said));
}

fn runs(program: &mut Command) -> bool {
    let silent = program.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    silent.status().is_ok_and(|done| done.success())
}
