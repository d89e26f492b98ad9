//! A network between two that can be cut: then nothing comes through, and nobody is told.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_util::task::AbortOnDropHandle;

pub struct Proxy {
    pub address: SocketAddr,
    open: Arc<watch::Sender<bool>>,
    /// Whether the connection that ends a transaction next breaks before the answer.
    breaks: Arc<AtomicBool>,
    /// Whether all is cut then.
    cuts: Arc<AtomicBool>,
    _task: AbortOnDropHandle<()>,
}

impl Proxy {
    /// To the host and port in a URL.
    pub async fn to(url: &str) -> Proxy {
        let to = authority(url).to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let open = Arc::new(watch::Sender::new(true));
        let (breaks, cuts) = (Arc::<AtomicBool>::default(), Arc::<AtomicBool>::default());
        let task = accept(listener, to, open.clone(), breaks.clone(), cuts.clone());
        Proxy { address, open, breaks, cuts, _task: AbortOnDropHandle::new(tokio::spawn(task)) }
    }

    /// The URL through it.
    pub fn url(&self, url: &str) -> String {
        url.replacen(authority(url), &self.address.to_string(), 1)
    }

    pub fn cut(&self) {
        self.open.send_replace(false);
    }

    /// The next commit comes through, and its answer does not: the connection breaks.
    pub fn break_at_commit(&self) {
        self.breaks.store(true, Ordering::Release);
    }

    /// The same, and nothing comes through after it.
    pub fn cut_at_commit(&self) {
        self.cuts.store(true, Ordering::Release);
        self.break_at_commit();
    }

    /// What was under way when it was cut comes through now.
    pub fn mend(&self) {
        self.cuts.store(false, Ordering::Release);
        self.open.send_replace(true);
    }
}

fn authority(url: &str) -> &str {
    let rest = url.split_once("://").unwrap().1;
    let rest = rest.split_once('@').map_or(rest, |(_, rest)| rest);
    rest.split('/').next().unwrap()
}

async fn accept(
    listener: TcpListener,
    to: String,
    open: Arc<watch::Sender<bool>>,
    breaks: Arc<AtomicBool>,
    cuts: Arc<AtomicBool>,
) {
    let mut connections = Vec::new();
    while let Ok((client, _)) = listener.accept().await {
        let (to, gate, breaks, cuts) = (to.clone(), open.clone(), breaks.clone(), cuts.clone());
        connections.push(AbortOnDropHandle::new(tokio::spawn(async move {
            let open = gate.subscribe();
            let mut opened = open.clone();
            let _ = opened.wait_for(|open| *open).await;
            let Ok(server) = TcpStream::connect(to).await else {
                return;
            };
            let (mut client_in, mut client_out) = client.into_split();
            let (mut server_in, mut server_out) = server.into_split();
            // Whichever way breaks takes the other one with it.
            let never = AtomicBool::new(false);
            tokio::select! {
                broken = forward(&mut client_in, &mut server_out, open.clone(), &breaks) => {
                    if broken && cuts.load(Ordering::Acquire) {
                        gate.send_replace(false);
                    }
                }
                _ = forward(&mut server_in, &mut client_out, open, &never) => {}
            }
        })));
    }
}

/// Until either end closes. True if it is broken at a commit.
async fn forward(
    from: &mut (impl AsyncReadExt + Unpin),
    to: &mut (impl AsyncWriteExt + Unpin),
    mut open: watch::Receiver<bool>,
    breaks: &AtomicBool,
) -> bool {
    let mut part = vec![0; 16 << 10];
    while let Ok(length @ 1..) = from.read(&mut part).await {
        let part = &part[..length];
        if open.wait_for(|open| *open).await.is_err() || to.write_all(part).await.is_err() {
            return false;
        }
        // A statement ends so; a column may begin so, too.
        let commits = part.windows(7).any(|word| word.eq_ignore_ascii_case(b"commit\0"));
        if commits && breaks.swap(false, Ordering::AcqRel) {
            return true;
        }
    }
    let _ = open.wait_for(|open| *open).await;
    let _ = to.shutdown().await;
    false
}
