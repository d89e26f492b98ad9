//! A server under steady load does not grow: its memory, descriptors, threads and tasks are
//! measured while clients of all doors talk, and once they have gone. README.md says how to run it
//! longer.

use std::env;
use std::fmt;
use std::fs;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, interval, sleep};

use crate::http::Http;
use crate::load::World;
use crate::patience::PATIENCE;
use crate::site::Site;
use crate::support::patience::now;
use crate::{Load, judge};

/// What a server holds at one time.
#[derive(Clone, Copy, Debug)]
struct Held {
    kibibytes: usize,
    descriptors: usize,
    threads: usize,
    tasks: usize,
}

/// One of these figures, and how much it may grow from the beginning to the end: by `percent` of
/// what it was, and by `beside` on top of that.
struct Bound {
    what: &'static str,
    of: fn(&Held) -> usize,
    percent: usize,
    beside: usize,
}

/// SQLite's writer caches up to 16 MiB of pages, and gets them as the database grows: a minute is
/// too short to get all. Clients come and go, so that the tasks and descriptors vary.
const BOUNDS: [Bound; 4] = [
    Bound { what: "KiB of memory", of: |held| held.kibibytes, percent: 5, beside: 17 << 10 },
    Bound { what: "descriptors", of: |held| held.descriptors, percent: 30, beside: 8 },
    Bound { what: "threads", of: |held| held.threads, percent: 0, beside: 1 },
    Bound { what: "tasks", of: |held| held.tasks, percent: 30, beside: 8 },
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_under_load_does_not_grow() {
    let seconds = env::var("CHINWAG_SOAK").map_or(60, |text| text.parse().expect("seconds"));
    let world = Arc::new(World::make(Site::of_one(&[]).await).await);
    let before = Held::by(&world).await;
    let load = Load::start(&world, 1);
    // By then it has filled its caches and started its threads.
    sleep(Duration::from_secs(seconds / 6)).await;
    let mut samples = Vec::new();
    let mut ticks = interval(Duration::from_millis(500));
    let until = Instant::now() + Duration::from_secs(seconds - seconds / 6);
    while Instant::now() < until && !world.is_wrong() {
        ticks.tick().await;
        samples.push(Held::by(&world).await);
    }
    for bound in BOUNDS {
        if let Err(grown) = bound.keeps(&samples) {
            world.wrong(grown);
        }
    }
    load.end(&world).await;
    if let Err(left) = is_left_as(&world, before).await {
        world.wrong(left);
    }
    judge(&world, Vec::new()).await.must_be_right("soak", 1);
}

/// Waits until the server holds hardly more than before the clients. Errors: it keeps more.
async fn is_left_as(world: &World, before: Held) -> Result<(), String> {
    let until = now() + PATIENCE;
    loop {
        let after = Held::by(world).await;
        // The pool may have opened more connections, and the runtime more threads.
        let is_as_before = after.descriptors <= before.descriptors + 8
            && after.tasks <= before.tasks + 4
            && after.threads <= before.threads + 4;
        let told = format!("{before:?} before the clients, {after:?} after them");
        if is_as_before {
            println!("{told}");
            return Ok(());
        }
        if now() > until {
            return Err(told);
        }
        sleep(Duration::from_millis(200)).await;
    }
}

impl Held {
    /// What the only node holds, which must be running.
    async fn by(world: &World) -> Held {
        let node = &world.site.nodes[0];
        let process = format!("/proc/{}", node.id().await.expect("the server runs"));
        let status = fs::read_to_string(format!("{process}/status")).unwrap();
        let answer = Http::new(node.address().expect("a server")).get("/metrics").await.unwrap();
        Held {
            kibibytes: number_after(&status, "\nVmRSS:"),
            descriptors: fs::read_dir(format!("{process}/fd")).unwrap().count(),
            threads: number_after(&status, "\nThreads:"),
            tasks: number_after(&answer.text(), "\nchinwag_tasks "),
        }
    }
}

fn number_after(text: &str, name: &str) -> usize {
    let (_, rest) = text.split_once(name).unwrap_or_else(|| panic!("{name} is not in {text}"));
    rest.split_whitespace().next().and_then(|number| number.parse().ok()).expect("a number")
}

impl Bound {
    /// Compares the medians of the first and the last third. Errors: the figure has grown too much.
    fn keeps(&self, samples: &[Held]) -> Result<(), String> {
        let third = samples.len() / 3;
        let median = |part: &[Held]| {
            let mut figures = Vec::from_iter(part.iter().map(self.of));
            figures.sort_unstable();
            figures[figures.len() / 2]
        };
        let first = median(&samples[..third]);
        let last = median(&samples[samples.len() - third..]);
        println!("{self}: {first}, then {last}");
        let most = first + first * self.percent / 100 + self.beside;
        if last <= most { Ok(()) } else { Err(format!("{self} grew: {first} to {last}")) }
    }
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.what)
    }
}
