//! What is done when, and to whom: the same for the same seed.

use std::fmt;
use std::time::Duration;

use crate::random::Random;

/// What a fault is done to.
#[derive(Clone, Copy, Debug)]
pub enum Target {
    Node(usize),
    /// The database file of the only node.
    File,
    /// What is between a node and a service.
    Network(usize, Service),
    Service(Service),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Service {
    Postgres,
    Redis,
    Kafka,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// A node or a service is killed, and started again later.
    Killed,
    /// A node or a service is told to end, and started again later.
    Ended,
    /// A node or a service is stopped, and goes on later.
    Frozen,
    /// The database file is moved away, and back once the server has ended.
    Taken,
    /// The clock is another, up to an hour before or behind.
    ClockJump,
    /// No file may grow.
    Full,
    /// Another program writes to the database file.
    Locked,
    /// Nothing can be written to the database file and what is beside it.
    ReadOnly,
    /// Nothing that is written there is known to be kept: `fsync` fails.
    Unsynced,
    /// Nothing comes through, and nobody is told.
    Cut,
    /// The connections that there are bring nothing any more.
    CutOff,
    /// All comes later.
    Slow,
    /// Nothing comes through from any node.
    CutForAll,
}

/// A fault after a pause, and for how long.
pub struct Step {
    pub pause: Duration,
    pub fault: Fault,
    pub lasts: Duration,
}

/// What is done to one target, step by step; all lanes are gone through at the same time.
pub struct Lane {
    pub target: Target,
    pub steps: Vec<Step>,
    /// For what the steps leave open.
    pub seed: u64,
}

/// The lanes for so many nodes: one has a file, several share these services.
pub fn plan(seed: u64, nodes: usize, services: &[Service], lasting: Duration) -> Vec<Lane> {
    let mut targets = Vec::from_iter((0..nodes).map(Target::Node));
    if nodes == 1 {
        targets.push(Target::File);
    }
    for service in services.iter().copied() {
        if service != Service::Kafka {
            targets.extend((0..nodes).map(|node| Target::Network(node, service)));
        }
        targets.push(Target::Service(service));
    }
    // The more lanes there are, the longer a pause: else nothing would ever work.
    let longest_pause = Duration::from_millis(1500) * targets.len() as u32;
    let lane = |(at, target)| {
        let mut random = Random::new(seed, at as u64);
        let steps = steps(&mut random, faults(target, nodes), lasting, longest_pause);
        Lane { target, steps, seed: random.next() }
    };
    targets.into_iter().enumerate().map(lane).collect()
}

fn faults(target: Target, nodes: usize) -> &'static [Fault] {
    match target {
        Target::Node(_) if nodes == 1 => {
            &[Fault::Killed, Fault::Ended, Fault::Frozen, Fault::Taken, Fault::ClockJump]
        }
        Target::Node(_) => &[Fault::Killed, Fault::Ended, Fault::Frozen, Fault::ClockJump],
        Target::File => &[Fault::Full, Fault::Locked, Fault::ReadOnly, Fault::Unsynced],
        Target::Network(..) => &[Fault::Cut, Fault::CutOff, Fault::Slow],
        // Kafka tells clients where to connect: nothing can be put between.
        Target::Service(Service::Kafka) => &[Fault::Killed, Fault::Ended, Fault::Frozen],
        Target::Service(_) => &[Fault::Killed, Fault::Ended, Fault::Frozen, Fault::CutForAll],
    }
}

fn steps(
    random: &mut Random,
    faults: &[Fault],
    lasting: Duration,
    longest_pause: Duration,
) -> Vec<Step> {
    let (mut steps, mut left, mut kinds) = (Vec::new(), lasting, Vec::new());
    loop {
        let pause = between(random, Duration::from_millis(500), longest_pause);
        let lasts = between(random, Duration::from_millis(100), Duration::from_secs(4));
        // None comes again before all have come.
        if kinds.is_empty() {
            kinds.extend_from_slice(faults);
        }
        let fault = kinds.swap_remove(random.below(kinds.len()));
        let Some(rest) = left.checked_sub(pause + lasts) else { return steps };
        left = rest;
        steps.push(Step { pause, fault, lasts });
    }
}

/// A duration in milliseconds.
pub fn between(random: &mut Random, least: Duration, most: Duration) -> Duration {
    let span = most.saturating_sub(least).as_millis() as usize;
    least + Duration::from_millis(random.below(span) as u64)
}

impl fmt::Display for Lane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}:", self.target)?;
        for Step { pause, fault, lasts } in &self.steps {
            let (pause, lasts) = (pause.as_secs_f32(), lasts.as_secs_f32());
            write!(f, " {pause:.1} s, {fault:?} for {lasts:.1} s;")?;
        }
        Ok(())
    }
}
