//! Chinwag's ledger in this process, without sockets: what storing a message costs by itself.

use std::process;
use std::time::{Duration, Instant};

use chinwag::LedgerAlone;
use tempfile::TempDir;
use tokio::runtime::Builder;

use crate::floor::Rows;
use crate::processes::{cpu_of, memory_of};
use crate::scenes::Figures;
use crate::table;

const WARM_UP: Duration = Duration::from_secs(1);
/// Chats of two; their members send in turn.
const CHATS: usize = 500;

/// Appends batches of these sizes, each once the one before is durable. The process has one core,
/// so that a whole batch is queued before the ledger takes it.
pub fn measure(batches: &[usize], rounds: usize, time: Duration) {
    for batch in batches {
        let ours = Vec::from_iter((0..rounds).map(|_| round(*batch, time)));
        let floor = Vec::from_iter((0..rounds).map(|_| floor_round(*batch, time)));
        let title = format!("ledger alone, batches of {batch}");
        table::print(&title, "message", &[("chinwag", ours), ("floor", floor)]);
    }
}

fn round(batch: usize, time: Duration) -> Figures {
    let directory = TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let url = format!("sqlite:{}", directory.path().join("bench.db").display());
    let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    runtime.block_on(async {
        let mut ledger = LedgerAlone::open(&url.into(), CHATS).await;
        append(&mut ledger, batch, WARM_UP).await;
        let (from, before) = (Instant::now(), cpu_of(process::id()));
        let took = append(&mut ledger, batch, time).await;
        let cpu = cpu_of(process::id()) - before;
        let memory = memory_of(process::id()) / f64::from(1 << 20);
        Figures { memory, ..Figures::of(took, cpu, from.elapsed().as_secs_f64()) }
    })
}

/// The same messages as bare rows of one table.
fn floor_round(batch: usize, time: Duration) -> Figures {
    let directory = TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let mut rows = Rows::open(&directory.path().join("bench.db"));
    let text = format!("{:100}", "a message");
    let mut seq = 0;
    let mut append = |time| {
        let (from, mut took) = (Instant::now(), Vec::new());
        while from.elapsed() < time {
            let since = Instant::now();
            rows.append(
                (seq..seq + batch as u64).map(|seq| (seq as usize % CHATS, seq, 1, &*text)),
            );
            seq += batch as u64;
            took.extend((0..batch).map(|_| since.elapsed().as_micros() as u32));
        }
        took
    };
    append(WARM_UP);
    let (from, before) = (Instant::now(), cpu_of(process::id()));
    let took = append(time);
    Figures::of(took, cpu_of(process::id()) - before, from.elapsed().as_secs_f64())
}

/// Appends for this time; returns how many microseconds each message took.
async fn append(ledger: &mut LedgerAlone, batch: usize, time: Duration) -> Vec<u32> {
    let (from, mut took) = (Instant::now(), Vec::new());
    while from.elapsed() < time {
        let since = Instant::now();
        ledger.append(batch).await;
        let micros = since.elapsed().as_micros().try_into().unwrap_or(u32::MAX);
        took.extend((0..batch).map(|_| micros));
    }
    took
}
