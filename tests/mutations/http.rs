//! An HTTP client that sends bytes as they are.

use std::net::SocketAddr;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

pub struct Http {
    address: SocketAddr,
    stream: Option<BufReader<TcpStream>>,
}

pub struct Answer {
    pub status: u16,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

impl Http {
    pub fn new(address: SocketAddr) -> Http {
        Http { address, stream: None }
    }

    pub async fn get(&mut self, path: &str) -> Result<Answer, String> {
        self.send("GET", path, "", b"").await
    }

    /// Sends a request with further header lines, each ended by `\r\n`. Errors: it is not answered.
    pub async fn send(
        &mut self,
        method: &str,
        path: &str,
        headers: &str,
        body: &[u8],
    ) -> Result<Answer, String> {
        let request = self.request(method, path, headers, body);
        // The server may have closed the connection after the last answer.
        if let Some(stream) = self.stream.take()
            && let Ok(answer) = self.exchange(stream, &request).await
        {
            return Ok(answer);
        }
        let stream = connect(self.address).await?;
        self.exchange(BufReader::new(stream), &request).await
    }

    /// Sends a request up to the middle of its body, and closes the connection.
    pub async fn cut(
        &mut self,
        method: &str,
        path: &str,
        headers: &str,
        body: &[u8],
    ) -> Result<(), String> {
        let request = self.request(method, path, headers, body);
        let half = request.len() - body.len() / 2 - 1;
        let mut stream = connect(self.address).await?;
        let _ = stream.write_all(&request[..half]).await;
        Ok(())
    }

    fn request(&self, method: &str, path: &str, headers: &str, body: &[u8]) -> Vec<u8> {
        let (host, length) = (self.address, body.len());
        let line = format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\n");
        let head = format!("{line}Content-Length: {length}\r\n{headers}\r\n");
        [head.as_bytes(), body].concat()
    }

    async fn exchange(
        &mut self,
        mut stream: BufReader<TcpStream>,
        request: &[u8],
    ) -> Result<Answer, String> {
        // A server that refuses a body need not read it to its end, so that sending may fail.
        let sent = stream.get_mut().write_all(request).await;
        let answer = read(&mut stream).await.map_err(|error| format!("no answer: {error}"))?;
        if sent.is_ok() {
            self.stream = Some(stream);
        }
        Ok(answer)
    }
}

/// Sends these bytes and ends the sending side; returns all that the server answers.
pub async fn say(address: SocketAddr, bytes: &[u8]) -> Result<Vec<u8>, String> {
    let (mut stream, mut answer) = (connect(address).await?, Vec::new());
    // A server that refuses the request closes without reading it all, so that these may fail.
    let _ = stream.write_all(bytes).await;
    let _ = stream.shutdown().await;
    let _ = stream.read_to_end(&mut answer).await;
    Ok(answer)
}

pub async fn connect(address: SocketAddr) -> Result<TcpStream, String> {
    let stream = TcpStream::connect(address).await.map_err(|error| error.to_string())?;
    stream.set_nodelay(true).map_err(|error| error.to_string())?;
    Ok(stream)
}

/// The status and the header lines, in lower case.
pub async fn read_head(stream: &mut BufReader<TcpStream>) -> std::io::Result<(u16, Vec<String>)> {
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        match line.trim_end() {
            "" => break,
            line => lines.push(line.to_ascii_lowercase()),
        }
    }
    let status = lines.first().and_then(|line| line.split(' ').nth(1)?.parse().ok());
    Ok((status.ok_or(std::io::ErrorKind::InvalidData)?, lines))
}

async fn read(stream: &mut BufReader<TcpStream>) -> std::io::Result<Answer> {
    let (status, lines) = read_head(stream).await?;
    let value = |name: &str| lines.iter().find_map(|line| line.strip_prefix(name));
    let length = value("content-length: ").and_then(|length| length.parse().ok());
    let mut body = Vec::new();
    if value("transfer-encoding: ").is_some() {
        read_chunks(stream, &mut body).await?;
    } else {
        body.resize(length.unwrap_or(0), 0);
        stream.read_exact(&mut body).await?;
    }
    Ok(Answer { status, body })
}

async fn read_chunks(stream: &mut BufReader<TcpStream>, body: &mut Vec<u8>) -> std::io::Result<()> {
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).await?;
        let length = usize::from_str_radix(line.trim_end(), 16);
        let length = length.map_err(|_| std::io::ErrorKind::InvalidData)?;
        let mut chunk = vec![0; length + 2];
        stream.read_exact(&mut chunk).await?;
        if length == 0 {
            return Ok(());
        }
        body.extend(&chunk[..length]);
    }
}
