//! A proxy that stands for a network: when it is cut, no bytes pass, and the connections stay open.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_util::task::AbortOnDropHandle;

pub struct Proxy {
    pub address: SocketAddr,
    network: Arc<Network>,
    _task: AbortOnDropHandle<()>,
}

#[derive(Default)]
struct Network {
    /// How many connections have been accepted.
    accepted: AtomicUsize,
    /// Connections with this number or a higher one pass bytes; the others wait.
    open: watch::Sender<usize>,
    /// Whether the next connection that commits a transaction breaks before the answer.
    breaks: AtomicBool,
    /// Whether the whole network is cut at that moment.
    cuts: AtomicBool,
    /// Once a client sends these bytes, the connections that are open are cut off.
    cut_off_at: Mutex<Option<&'static [u8]>>,
    /// By how many milliseconds each part is delayed.
    delay: AtomicU64,
}

impl Proxy {
    /// A proxy to the host and port in a URL.
    pub async fn to(url: &str) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, network) = (listener.local_addr().unwrap(), Arc::<Network>::default());
        let task = tokio::spawn(accept(listener, authority(url).to_owned(), network.clone()));
        Proxy { address, network, _task: AbortOnDropHandle::new(task) }
    }

    /// The same URL, with the proxy's address.
    pub fn url(&self, url: &str) -> String {
        url.replacen(authority(url), &self.address.to_string(), 1)
    }

    /// Delays all bytes by this time from now on.
    pub fn slow(&self, delay: Duration) {
        self.network.delay.store(delay.as_millis() as u64, Ordering::Release);
    }

    pub fn cut(&self) {
        self.network.open.send_replace(usize::MAX);
    }

    /// Cuts the connections that are open now; new ones work.
    pub fn cut_off(&self) {
        self.network.cut_off();
    }

    /// The same once a client has sent these bytes, which still pass.
    pub fn cut_off_at(&self, bytes: &'static [u8]) {
        *self.network.cut_off_at.lock().unwrap() = Some(bytes);
    }

    /// Waits until connections are cut.
    pub async fn is_cut(&self) {
        let _ = self.network.open.subscribe().wait_for(|open| *open > 0).await;
    }

    /// Lets the next commit pass, and breaks that connection before the answer.
    pub fn break_at_commit(&self) {
        self.network.breaks.store(true, Ordering::Release);
    }

    /// The same, and cuts the network after it.
    pub fn cut_at_commit(&self) {
        self.network.cuts.store(true, Ordering::Release);
        self.break_at_commit();
    }

    /// Ends a cut: the bytes that wait pass now.
    pub fn mend(&self) {
        self.network.cuts.store(false, Ordering::Release);
        self.network.open.send_replace(0);
    }
}

fn authority(url: &str) -> &str {
    let rest = url.split_once("://").unwrap().1;
    let rest = rest.split_once('@').map_or(rest, |(_, rest)| rest);
    rest.split('/').next().unwrap()
}

async fn accept(listener: TcpListener, to: String, network: Arc<Network>) {
    let mut connections = Vec::new();
    while let Ok((client, _)) = listener.accept().await {
        let number = network.accepted.fetch_add(1, Ordering::AcqRel);
        let (to, network) = (to.clone(), network.clone());
        connections.push(AbortOnDropHandle::new(tokio::spawn(async move {
            network.opened(number).await;
            let Ok(server) = TcpStream::connect(to).await else {
                return;
            };
            let (mut client_in, mut client_out) = client.into_split();
            let (mut server_in, mut server_out) = server.into_split();
            // When either direction ends, the whole connection does.
            tokio::select! {
                () = network.forward(number, &mut client_in, &mut server_out, true) => {}
                () = network.forward(number, &mut server_in, &mut client_out, false) => {}
            }
        })));
    }
}

impl Network {
    fn cut_off(&self) {
        self.open.send_replace(self.accepted.load(Ordering::Acquire));
    }

    fn is_cut_off_at(&self, part: &[u8]) -> bool {
        let is_there = |bytes: &mut &[u8]| part.windows(bytes.len()).any(|it| it == *bytes);
        self.cut_off_at.lock().unwrap().take_if(|bytes| is_there(bytes)).is_some()
    }

    /// Waits until this connection may pass bytes.
    async fn opened(&self, number: usize) {
        let _ = self.open.subscribe().wait_for(|open| number >= *open).await;
    }

    /// Passes bytes on until either end closes, or the connection is to break.
    async fn forward(
        &self,
        number: usize,
        from: &mut (impl AsyncReadExt + Unpin),
        to: &mut (impl AsyncWriteExt + Unpin),
        may_commit: bool,
    ) {
        let mut part = vec![0; 16 << 10];
        while let Ok(length @ 1..) = from.read(&mut part).await {
            let part = &part[..length];
            match self.delay.load(Ordering::Acquire) {
                0 => {}
                delay => tokio::time::sleep(Duration::from_millis(delay)).await,
            }
            self.opened(number).await;
            if may_commit && self.is_cut_off_at(part) {
                self.cut_off();
            }
            if to.write_all(part).await.is_err() {
                return;
            }
            // A commit ends with these bytes. So may the name of a column: then it breaks there.
            let commits = part.windows(7).any(|word| word.eq_ignore_ascii_case(b"commit\0"));
            if may_commit && commits && self.breaks.swap(false, Ordering::AcqRel) {
                if self.cuts.load(Ordering::Acquire) {
                    self.open.send_replace(usize::MAX);
                }
                return;
            }
        }
        self.opened(number).await;
        let _ = to.shutdown().await;
    }
}
