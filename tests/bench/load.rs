//! Measures what acts cost each node, Redis and PostgreSQL. See README.md beside this.

mod client;
mod crowd;
mod processes;
mod stage;
mod usage;

use std::time::{Duration, Instant};

use clap::Parser;

use crowd::{Act, Load, Pace, Person, Plan, Seen};
use processes::memory_of;
use stage::Stage;
use usage::{Counts, Usage};

/// Lists have a number for each node, such as 4,4,0 on three nodes.
#[derive(Parser)]
#[command(args_override_self = true)]
struct Args {
    /// What is done again and again
    #[arg(long, value_enum, default_value_t = Act::Message)]
    act: Act,
    /// How many members each chat has on each node: as many nodes as there are numbers
    #[arg(long, value_delimiter = ',', default_value = "8")]
    members: Vec<usize>,
    /// How many of these act, on each node; one on the first if it is not said
    #[arg(long, value_delimiter = ',')]
    senders: Vec<usize>,
    #[arg(long, default_value_t = 50)]
    chats: usize,
    /// How many users are connected to each node; as many as the chats need if it is not said
    #[arg(long, value_delimiter = ',')]
    users: Vec<usize>,
    /// How many acts each who acts has under way at the same time
    #[arg(long, default_value_t = 1)]
    at_once: usize,
    /// Acts in a second, by all together, whatever the answers
    #[arg(long)]
    rate: Option<f64>,
    #[arg(long, default_value_t = 5.0)]
    seconds: f64,
    /// How often it is measured, after a warm-up of the same length
    #[arg(long, default_value_t = 3)]
    repeats: usize,
    /// Bytes of a message
    #[arg(long, default_value_t = 100)]
    bytes: usize,
    /// One node without Redis
    #[arg(long)]
    alone: bool,
    /// Print each statement and each command
    #[arg(long)]
    details: bool,
    /// Cargo says so
    #[arg(long, hide = true)]
    bench: bool,
}

#[tokio::main]
async fn main() {
    let mut args = Args::parse();
    args.fill_in();
    let stage = Stage::start(args.members.len(), args.alone).await;
    let plan = Plan {
        chats: args.chats,
        members: args.members.clone(),
        senders: args.senders.clone(),
        users: args.users.clone(),
    };
    let mut people = args.build(&stage, &plan).await;
    let acting = people.iter().filter(|person| person.acts()).count();
    let pace = match args.rate {
        Some(rate) => Pace::Every(Duration::from_secs_f64(acting as f64 / rate)),
        None => Pace::AtOnce(args.at_once),
    };
    println!("{acting} of {} users act", people.len());
    for turn in 0..=args.repeats {
        let before = Usage::look(&stage).await;
        let time = Duration::from_secs_f64(args.seconds);
        let (act, text) = (args.act, "x".repeat(args.bytes.saturating_sub(21)));
        let load = Load { act, pace, text, until: Instant::now() + time };
        let seen;
        (people, seen) = crowd::run(people, args.members.len(), &load).await;
        let used = Usage::look(&stage).await - before;
        if turn > 0 {
            args.print(&used, &seen);
        }
    }
}

impl Args {
    fn fill_in(&mut self) {
        let nodes = self.members.len();
        if self.senders.is_empty() {
            self.senders.push(1);
        }
        self.senders.resize(nodes, 0);
        if self.users.is_empty() {
            self.users = self.members.iter().map(|members| members * self.chats).collect();
        }
        assert_eq!(self.users.len(), nodes, "--users has a number for each node");
        for (node, members) in self.members.iter().enumerate() {
            assert!(self.users[node] >= *members, "a chat has a user once");
            assert!(self.senders[node] <= *members, "who acts is a member");
        }
    }

    /// Connects the users and makes the chats; prints what that has cost.
    async fn build(&self, stage: &Stage, plan: &Plan) -> Vec<Person> {
        let memory = || Vec::from_iter(stage.node_pids().into_iter().map(memory_of));
        let (empty, before) = (memory(), Usage::look(stage).await);
        let mut people = plan.connect(&stage.addresses).await;
        let (connected, after) = (memory(), Usage::look(stage).await);
        self.print_step("user", people.len(), &after, &before, [&empty, &connected]);
        plan.make_chats(&mut people).await;
        let (made, end) = (memory(), Usage::look(stage).await);
        self.print_step("chat", plan.chats, &end, &after, [&connected, &made]);
        people
    }

    fn print_step(
        &self,
        what: &str,
        count: usize,
        now: &Usage,
        before: &Usage,
        [then, memory]: [&[f64]; 2],
    ) {
        let (used, count) = (now.clone() - before.clone(), count.max(1) as f64);
        let grown = memory.iter().zip(then).map(|(now, then)| (now - then) / 1024.0).sum::<f64>();
        println!(
            "per {what}: CPU µs nodes {:.0} redis {:.0} postgres {:.0}; {:.1} statements, {:.0} WAL bytes; {:.1} KiB of memory on the nodes",
            used.nodes.iter().sum::<f64>() / count,
            used.redis / count,
            used.postgres / count,
            used.statements.values().sum::<f64>() / count,
            used.wal_bytes / count,
            grown / count,
        );
        self.print_details(&used, count);
    }

    fn print(&self, used: &Usage, seen: &Seen) {
        let acts = seen.answers.len().max(1) as f64;
        let of = |number: f64| number / acts;
        let nodes = used.nodes.iter().map(|cpu| format!("{:.1}", of(*cpu)));
        let events = seen.events.iter().map(|count| format!("{:.2}", of(*count as f64)));
        let batch = used.messages / used.batches.max(1.0);
        println!(
            "{:.0}/s | per act: CPU µs nodes [{}] redis {:.1} postgres {:.1} | redis {:.2} commands {:.0} B in {:.0} B out | postgres {:.3} statements {:.2} rows {:.0} B WAL | events [{}] | batch {batch:.1}",
            acts / self.seconds,
            Vec::from_iter(nodes).join(", "),
            of(used.redis),
            of(used.postgres),
            of(used.redis_commands.values().sum()),
            of(used.redis_in),
            of(used.redis_out),
            of(used.statements.values().sum()),
            of(used.rows),
            of(used.wal_bytes),
            Vec::from_iter(events).join(", "),
        );
        let deliveries = seen.deliveries.iter().map(|of_node| percentiles(of_node));
        println!(
            "    ms p50/p99: answer {}, delivery by node [{}]",
            percentiles(&seen.answers),
            Vec::from_iter(deliveries).join(", ")
        );
        self.print_details(used, acts);
    }

    fn print_details(&self, used: &Usage, count: f64) {
        if self.details {
            print_counts(&used.redis_commands, count);
            print_counts(&used.statements, count);
        }
    }
}

fn print_counts(counts: &Counts, per: f64) {
    let mut counts = Vec::from_iter(counts.iter().filter(|(_, count)| **count > 0.0));
    counts.sort_by(|one, other| other.1.total_cmp(one.1));
    for (name, count) in counts.into_iter().take(24) {
        println!("    {:8.4}  {}", count / per, name.chars().take(110).collect::<String>());
    }
}

fn percentiles(micros: &[u32]) -> String {
    let mut sorted = micros.to_vec();
    sorted.sort_unstable();
    let at = |part: f64| {
        let index = (sorted.len() as f64 * part) as usize;
        f64::from(sorted.get(index).or(sorted.last()).copied().unwrap_or_default()) / 1000.0
    };
    format!("{:.1}/{:.1}", at(0.5), at(0.99))
}
