//! Compares Chinwag with the same chat written otherwise. See README.md in the directory above.

mod crowd;
mod floor;
mod ledger;
mod oxide;
mod plot;
#[path = "../processes.rs"]
mod processes;
mod scenes;
mod servers;
mod stages;
mod table;

use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, ValueEnum};
use rustix::process::{Resource, getrlimit, setrlimit};

use plot::Plots;
use servers::Kind;
use stages::{Kept, Stage};

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Scene {
    /// Messages in batches to Chinwag's ledger alone, without a server
    Ledger,
    /// Messages in chats of two; each sender waits for its answer
    Ingest,
    /// Messages in chats of two at a fixed rate
    Open,
    /// As ingest, and each message is marked as read by the other member
    Mixed,
    /// Reactions in chats of two; each socket waits for its answer
    Reactions,
    /// Joining public chats and leaving them
    Joins,
    /// Messages to one room; the next is sent when all members have the one before
    FanOut,
    /// The latest page of a chat, and one in its middle
    ListMessages,
    ListChats,
    /// Users with chats who have been there before, 16 at a time
    Connects,
    /// The same users, who come back all at once after the server was killed
    Storm,
    /// The memory of connections that do nothing
    Idle,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Peer {
    Node,
    Socketioxide,
    /// Bare rows and bare writes, for messages only
    Floor,
}

#[derive(Parser)]
#[command(args_override_self = true)]
struct Args {
    /// What is done; everything if it is not said
    #[arg(long, value_enum, value_delimiter = ',')]
    scene: Vec<Scene>,
    /// How many messages are appended at a time to the ledger alone
    #[arg(long, value_delimiter = ',', default_value = "1,16,64,256")]
    batches: Vec<usize>,
    /// How many send in ingest and mixed, or react
    #[arg(long, value_delimiter = ',', default_value = "2,16,64,256,1000")]
    senders: Vec<usize>,
    /// Messages a second in the open loop
    #[arg(long, value_delimiter = ',', default_value = "2000,8000")]
    rates: Vec<usize>,
    /// How many sockets join and leave
    #[arg(long, value_delimiter = ',', default_value = "100")]
    sockets: Vec<usize>,
    /// Members of the room in fan-out
    #[arg(long, value_delimiter = ',', default_value = "10,100,1000,5000")]
    members: Vec<usize>,
    /// How many messages are under way in fan-out, from different senders
    #[arg(long, value_delimiter = ',', default_value = "1,16")]
    in_flight: Vec<usize>,
    /// Messages that the listed chat has
    #[arg(long, value_delimiter = ',', default_value = "1000,100000,1000000")]
    stored: Vec<usize>,
    /// How many connections do nothing
    #[arg(long, value_delimiter = ',', default_value = "1000,10000")]
    connections: Vec<usize>,
    /// Each round measures all servers in turn
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    #[arg(long, default_value_t = 5.0)]
    seconds: f64,
    /// What Chinwag is compared with
    #[arg(long, value_enum, value_delimiter = ',', default_value = "node,socketioxide,floor")]
    peers: Vec<Peer>,
    /// Compares with this binary of Chinwag, too
    #[arg(long, value_name = "PATH")]
    server: Option<PathBuf>,
    /// Writes growth curves to this directory, too
    #[arg(long, value_name = "DIRECTORY")]
    plots: Option<PathBuf>,
    /// Be the peer on socketioxide with this database
    #[arg(long, hide = true)]
    serve: Option<PathBuf>,
    /// Be the floor with this database
    #[arg(long, hide = true)]
    serve_floor: Option<PathBuf>,
    /// Cargo says so
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() {
    let args = Args::parse();
    let mut files = getrlimit(Resource::Nofile);
    files.current = files.maximum;
    setrlimit(Resource::Nofile, files).unwrap();
    if let Some(database) = &args.serve {
        return oxide::serve(database);
    }
    if let Some(database) = &args.serve_floor {
        return floor::serve(database);
    }
    servers::install_node();
    servers::take_the_second_core();
    let time = Duration::from_secs_f64(args.seconds);
    if args.scenes().contains(&Scene::Ledger) {
        ledger::measure(&args.batches, args.rounds, time);
    }
    let (kinds, mut kept, mut plots) = (args.kinds(), Kept::new(), Plots::default());
    for stage in args.stages() {
        let kinds = Vec::from_iter(kinds.iter().filter(|kind| stage.is_known_to(kind)));
        let mut servers = Vec::from_iter(kinds.iter().map(|kind| (kind.name(), Vec::new())));
        for round in 0..args.rounds {
            // The servers take turns in being the first.
            for turn in 0..kinds.len() {
                let place = (round + turn) % kinds.len();
                servers[place].1.push(stage.round(kinds[place], time, &mut kept));
            }
        }
        let (title, unit) = stage.title();
        table::print(&title, unit, &servers);
        for (name, rounds) in &servers {
            if let Some((title, size)) = stage.curve() {
                let mut cpu = Vec::from_iter(rounds.iter().map(|figures| figures.cpu));
                plots.add(&title, name, size, table::median(&mut cpu));
            }
        }
    }
    if let Some(directory) = &args.plots {
        plots.write(directory);
    }
}

impl Args {
    fn kinds(&self) -> Vec<Kind> {
        let peers = self.peers.iter().map(|peer| match peer {
            Peer::Node => Kind::Node,
            Peer::Socketioxide => Kind::Socketioxide,
            Peer::Floor => Kind::Floor,
        });
        let other = self.server.clone().map(Kind::Other);
        [Kind::Chinwag].into_iter().chain(other).chain(peers).collect()
    }

    fn scenes(&self) -> &[Scene] {
        match &self.scene[..] {
            [] => Scene::value_variants(),
            scenes => scenes,
        }
    }

    fn stages(&self) -> Vec<Stage> {
        self.scenes().iter().flat_map(|scene| self.stages_of(*scene)).collect()
    }

    fn stages_of(&self, scene: Scene) -> Vec<Stage> {
        let of = |sizes: &[usize], stage: fn(usize) -> Stage| {
            sizes.iter().copied().map(stage).collect::<Vec<_>>()
        };
        match scene {
            // It needs no server.
            Scene::Ledger => Vec::new(),
            Scene::Ingest => of(&self.senders, Stage::Ingest),
            Scene::Open => of(&self.rates, Stage::Open),
            Scene::Mixed => of(&self.senders, Stage::Mixed),
            Scene::Reactions => of(&self.senders, Stage::Reactions),
            Scene::Joins => of(&self.sockets, Stage::Joins),
            Scene::FanOut => {
                let with = |at_once| self.members.iter().map(move |it| Stage::FanOut(*it, at_once));
                self.in_flight.iter().copied().flat_map(with).collect()
            }
            Scene::ListMessages => {
                [of(&self.stored, Stage::Latest), of(&self.stored, Stage::Middle)].concat()
            }
            Scene::ListChats => vec![Stage::Chats(1000)],
            Scene::Connects => vec![Stage::Connects(5000, 20)],
            Scene::Storm => vec![Stage::Storm(5000, 20)],
            Scene::Idle => of(&self.connections, |count| Stage::Connects(count, 0)),
        }
    }
}
