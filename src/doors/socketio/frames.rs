//! Finds where the frames end in the bytes that a WebSocket's client sends.

const TEXT: u8 = 1;
const FIRST_CONTROL: u8 = 8;
const CLOSE: u8 = 8;

/// How much of the current frame has come.
#[derive(Default)]
pub(super) struct Frames {
    /// The frame's first bytes: its kind, its length and its mask.
    head: [u8; 14],
    head_known: usize,
    /// How many bytes follow the head.
    length: u64,
    /// How many of these have not come yet.
    left: u64,
    /// Whether its text is an Engine.IO ping.
    ping: bool,
    /// Whether the next frame continues a message.
    within: bool,
}

impl Frames {
    /// How many bytes of the frame are still to come, at least.
    pub fn wanted(&self) -> usize {
        match self.left {
            0 => self.head_length() - self.head_known,
            left => usize::try_from(left).unwrap_or(usize::MAX),
        }
    }

    /// Takes the next bytes, no more than [`wanted`](Frames::wanted). If a frame ends with them and
    /// another message may begin after it, returns whether that frame was an Engine.IO ping;
    /// otherwise `None`.
    pub fn take(&mut self, bytes: &[u8]) -> Option<bool> {
        if self.left == 0 {
            self.head[self.head_known..][..bytes.len()].copy_from_slice(bytes);
            self.head_known += bytes.len();
            if self.head_known < self.head_length() {
                return None;
            }
            self.length = self.length();
            self.left = self.length;
        } else {
            self.ping = self.kind() == TEXT && self.length == 1 && bytes[0] ^ self.mask() == b'2';
            self.left -= bytes.len() as u64;
        }
        if self.left > 0 {
            return None;
        }
        self.head_known = 0;
        if self.kind() < FIRST_CONTROL {
            self.within = self.head[0] & 0x80 == 0;
        }
        let ping = std::mem::take(&mut self.ping);
        (self.kind() != CLOSE && !self.within).then_some(ping)
    }

    fn kind(&self) -> u8 {
        self.head[0] & 0x0f
    }

    fn is_masked(&self) -> bool {
        self.head[1] & 0x80 != 0
    }

    /// How long the head is, as far as its first bytes tell.
    fn head_length(&self) -> usize {
        if self.head_known < 2 {
            return 2;
        }
        let of_length = match self.head[1] & 0x7f {
            126 => 2,
            127 => 8,
            _ => 0,
        };
        2 + of_length + if self.is_masked() { 4 } else { 0 }
    }

    fn length(&self) -> u64 {
        let number = |bytes: &[u8]| bytes.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte));
        match self.head[1] & 0x7f {
            126 => number(&self.head[2..4]),
            127 => number(&self.head[2..10]),
            short => short.into(),
        }
    }

    /// The byte that the first byte of the text is masked with.
    fn mask(&self) -> u8 {
        match self.is_masked() {
            true => self.head[self.head_length() - 4],
            false => 0,
        }
    }
}
