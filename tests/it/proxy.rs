//! A way to PostgreSQL that can be cut so that whoever has come by it does not hear of it.

use std::future::pending;
use std::net::SocketAddr;

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

pub struct Proxy {
    /// The database's, by this way.
    pub url: String,
    silent: watch::Sender<bool>,
}

impl Proxy {
    pub async fn to(url: &str) -> Proxy {
        let (start, end) = url.split_once('@').unwrap();
        let (server, database) = end.split_once('/').unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let silent = watch::Sender::new(false);
        tokio::spawn(serve(listener, server.parse().unwrap(), silent.subscribe()));
        Proxy { url: format!("{start}@{address}/{database}"), silent }
    }

    /// What is on its way never comes, and connections that there are stay as they are.
    pub fn fall_silent(&self) {
        self.silent.send_replace(true);
    }

    /// New connections lead somewhere again.
    pub fn speak_again(&self) {
        self.silent.send_replace(false);
    }
}

async fn serve(listener: TcpListener, server: SocketAddr, silent: watch::Receiver<bool>) {
    while let Ok((mut client, _)) = listener.accept().await {
        let mut silent = silent.clone();
        tokio::spawn(async move {
            let carry = async {
                let mut server = TcpStream::connect(server).await?;
                copy_bidirectional(&mut client, &mut server).await
            };
            let silence = async { silent.wait_for(|silent| *silent).await.is_ok() };
            let cut = tokio::select! {
                biased;
                cut = silence => cut,
                _ = carry => false,
            };
            if cut {
                // The connection stays.
                pending::<()>().await;
            }
        });
    }
}
