//! Counts the bytes of a message that has not come completely. A WebSocket library keeps these
//! bytes until the rest comes, which may be never.

/// The longest head of a frame: two bytes, up to eight more for the length, and four for the mask.
const MAX_HEAD: usize = 14;
const FIN: u8 = 0x80;
/// Frames with this bit control the connection; they may come between the frames of a message.
const CONTROL: u8 = 0x08;
const MASKED: u8 = 0x80;

/// How far the frame and the message have come that a client is sending.
#[derive(Default)]
pub struct Arriving {
    head: [u8; MAX_HEAD],
    head_length: usize,
    /// Bytes of the current frame that have not come yet.
    rest: u64,
    /// Bytes of the current message that have come.
    message: usize,
}

impl Arriving {
    /// Takes bytes that have been read. Returns how many bytes of the current message have come,
    /// those of its earlier frames included; 0 after the end of a message.
    pub fn take(&mut self, mut bytes: &[u8]) -> usize {
        while !bytes.is_empty() {
            if self.rest > 0 {
                let here = usize::try_from(self.rest).unwrap_or(usize::MAX).min(bytes.len());
                bytes = &bytes[here..];
                self.rest -= here as u64;
                if !self.is_control() {
                    self.message = self.message.saturating_add(here);
                }
            } else {
                self.head[self.head_length] = bytes[0];
                self.head_length += 1;
                bytes = &bytes[1..];
                let Some(length) = self.length() else { continue };
                self.rest = length;
            }
            if self.rest == 0 {
                self.end_frame();
            }
        }
        self.message
    }

    /// The length of the frame as its head says; `None` until the head is complete.
    fn length(&self) -> Option<u64> {
        let head = &self.head[..self.head_length];
        let second = head.get(1)?;
        let bytes = match second & !MASKED {
            126 => 2..4,
            127 => 2..10,
            _ => 1..2,
        };
        let mask = if second & MASKED == 0 { 0 } else { 4 };
        if head.len() < bytes.end + mask {
            return None;
        }
        let length = head[bytes].iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte));
        Some(if second & !MASKED < 126 { length & 0x7f } else { length })
    }

    fn is_control(&self) -> bool {
        self.head[0] & CONTROL != 0
    }

    fn end_frame(&mut self) {
        self.head_length = 0;
        if self.head[0] & FIN != 0 && !self.is_control() {
            self.message = 0;
        }
    }
}
