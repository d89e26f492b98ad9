//! The `chinwag` program. Its code is in the library, so that it is compiled together with the
//! server.

use std::process::ExitCode;

#[cfg(target_env = "musl")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    chinwag::run()
}
