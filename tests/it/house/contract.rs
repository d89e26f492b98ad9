//! The contract files that are kept in the repository and served are those that the types make.

use std::path::Path;
use std::{env, fs};

/// If this variable is set, the test writes the files anew.
const WRITE: &str = "CHINWAG_WRITE_CONTRACT";

#[test]
fn the_typescript_file_is_up_to_date() {
    is_kept("chinwag.d.ts", &chinwag::contract::types());
}

#[test]
fn the_openapi_file_is_up_to_date() {
    is_kept("openapi.json", &chinwag::contract::openapi());
}

#[test]
fn the_asyncapi_file_is_up_to_date() {
    is_kept("asyncapi.json", &chinwag::contract::asyncapi());
}

fn is_kept(file: &str, made: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("web-demo/contract").join(file);
    if env::var_os(WRITE).is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, made).unwrap();
    }
    let kept = fs::read_to_string(&path).unwrap_or_default();
    let is_same = kept == made;
    assert!(is_same, "web-demo/contract/{file} is stale: set {WRITE}=1 and run this test again");
}
