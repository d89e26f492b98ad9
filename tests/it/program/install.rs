//! `install.sh`, which installs a released binary.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Output};
use std::thread;

use tempfile::TempDir;

/// A folder that is served over HTTP until the test ends, and its URL.
struct Releases {
    folder: TempDir,
    url: String,
}

impl Releases {
    /// One release, both the latest and v0.2.0, whose program prints its version.
    fn new() -> Releases {
        let folder = TempDir::new().unwrap();
        let root = folder.path().to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        thread::spawn(move || {
            for mut stream in listener.incoming().map_while(Result::ok) {
                let mut request = [0; 4096];
                let length = stream.read(&mut request).unwrap_or_default();
                let request = String::from_utf8_lossy(&request[..length]).into_owned();
                let path = request.split(' ').nth(1).unwrap_or_default();
                let (status, body) = match fs::read(root.join(path.trim_start_matches('/'))) {
                    Ok(body) => ("200 OK", body),
                    Err(_) => ("404 Not Found", Vec::new()),
                };
                let length = body.len();
                let head = format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\n");
                // A client that has disconnected needs no answer.
                let _ = stream.write_all(format!("{head}Connection: close\r\n\r\n").as_bytes());
                let _ = stream.write_all(&body);
            }
        });
        for path in ["latest/download", "download/v0.2.0"] {
            let release = folder.path().join(path);
            fs::create_dir_all(&release).unwrap();
            let script = "#!/bin/sh\necho chinwag 0.2.0\n";
            fs::write(release.join("chinwag"), script).unwrap();
            let pack = "for arch in x86_64 aarch64; do
                    tar -czf chinwag-$arch-unknown-linux-musl.tar.gz chinwag
                done
                sha256sum chinwag-*.tar.gz >SHA256SUMS";
            let packed = Command::new("sh").args(["-c", pack]).current_dir(&release).status();
            assert!(packed.unwrap().success());
        }
        Releases { folder, url }
    }

    fn install(&self, into: &Path, version: &str) -> (Output, String) {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("install.sh");
        let mut command = Command::new("sh");
        command.arg(script).env("CHINWAG_RELEASES", &self.url);
        command.env("CHINWAG_INSTALL_DIR", into).env("CHINWAG_VERSION", version);
        let output = command.output().unwrap();
        let said = [output.stdout.as_slice(), &output.stderr].concat();
        (output, String::from_utf8(said).unwrap())
    }
}

#[test]
fn a_release_is_installed_and_replaced() {
    let (releases, directory) = (Releases::new(), TempDir::new().unwrap());
    let into = directory.path().join("bin");
    for version in ["", "v0.2.0"] {
        let (output, said) = releases.install(&into, version);
        assert!(output.status.success(), "{said}");
        assert!(said.contains("installed chinwag 0.2.0") && said.contains("not in PATH"), "{said}");
        assert!(into.join("chinwag").exists());
    }
}

#[test]
fn an_archive_that_differs_from_the_release_is_not_installed() {
    let (releases, directory) = (Releases::new(), TempDir::new().unwrap());
    for arch in ["x86_64", "aarch64"] {
        let archive = format!("latest/download/chinwag-{arch}-unknown-linux-musl.tar.gz");
        fs::write(releases.folder.path().join(archive), "something else").unwrap();
    }
    for (version, why) in [
        ("", "is not what SHA256SUMS says"),
        ("v9.9.9", "cannot be fetched"),
        ("0.2.0", "must begin with v"),
    ] {
        let (output, said) = releases.install(directory.path(), version);
        assert!(!output.status.success() && said.contains(why), "{said}");
        assert!(!directory.path().join("chinwag").exists());
    }
}
