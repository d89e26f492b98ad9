//! Defects that a server has on purpose, so that `tests/faults/` can show that it finds them.

use std::env;
use std::sync::LazyLock;

/// Whether the server has this defect: true if it was built with the feature `broken` and
/// `CHINWAG_BROKEN` names the defect.
pub fn has(defect: &str) -> bool {
    static WANTED: LazyLock<Option<String>> = LazyLock::new(|| env::var("CHINWAG_BROKEN").ok());
    cfg!(feature = "broken") && WANTED.as_deref() == Some(defect)
}
