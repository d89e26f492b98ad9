//! The signals that end the program.

use std::fs;
use std::future;
use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// The signals that ask for the end: SIGTERM and SIGINT; of a command, too, SIGHUP when its
/// terminal is closed.
pub struct End {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Option<Signal>,
}

impl End {
    /// Of a command. From now on they do not kill.
    pub fn of_command() -> io::Result<End> {
        let hang_up = hangs_up().then(|| signal(SignalKind::hangup())).transpose()?;
        Ok(End { hang_up, ..End::of_server()? })
    }

    /// Of a server, which reads its files again at SIGHUP. From now on they do not kill.
    pub fn of_server() -> io::Result<End> {
        Ok(End {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hang_up: None,
        })
    }

    pub async fn told(&mut self) {
        let hang_up = async {
            match &mut self.hang_up {
                Some(signal) => signal.recv().await,
                None => future::pending().await,
            }
        };
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
            _ = hang_up => {}
        }
    }
}

/// Whether SIGHUP would end this process: under `nohup` it is ignored, and is to stay so.
fn hangs_up() -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    ignored.is_some_and(|mask| u64::from_str_radix(mask.trim(), 16).is_ok_and(|mask| mask & 1 == 0))
}
