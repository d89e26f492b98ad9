//! Which fault strikes which target, and when: the same for the same seed.

use std::fmt;
use std::time::Duration;

use crate::random::Random;

/// What a fault strikes.
#[derive(Clone, Copy, Debug)]
pub enum Target {
    Node(usize),
    /// The database file of the only node.
    File,
    /// The network between a node and a service.
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
    /// A node or a service is paused, and continues later.
    Frozen,
    /// The database file is moved away, and back once the server has ended.
    Taken,
    /// The node's clock is up to an hour ahead or behind.
    ClockJump,
    /// The disk is full: no file of the server may grow.
    Full,
    /// Another program holds the write lock of the database file.
    Locked,
    /// Neither the database file nor the files beside it can be written.
    ReadOnly,
    /// `fsync` of these files fails: nobody knows whether what was written is on the disk.
    Unsynced,
    /// No bytes pass until it is mended; the connections stay open.
    Cut,
    /// The same, but only for the connections that are open now: new ones work.
    CutOff,
    /// All bytes come later.
    Slow,
    /// The networks from all nodes to the service are cut.
    CutForAll,
}

/// A pause, and then a fault that lasts for some time.
pub struct Step {
    pub pause: Duration,
    pub fault: Fault,
    pub lasts: Duration,
}

/// The faults of one target, one after the other. All lanes are played at the same time.
pub struct Lane {
    pub target: Target,
    pub steps: Vec<Step>,
    /// The seed of what is random within a step, such as how far a clock jumps.
    pub seed: u64,
}

/// The lanes for this many nodes. A single node has a database file; several nodes share services.
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
    // With more lanes the pauses are longer: otherwise nothing would ever work.
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
        // Kafka tells its clients which address to connect to, so that no proxy can stand between.
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
        // A fault comes again only after all the others have come.
        if kinds.is_empty() {
            kinds.extend_from_slice(faults);
        }
        let fault = kinds.swap_remove(random.below(kinds.len()));
        let Some(rest) = left.checked_sub(pause + lasts) else { return steps };
        left = rest;
        steps.push(Step { pause, fault, lasts });
    }
}

/// A random duration between the two, in whole milliseconds.
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
