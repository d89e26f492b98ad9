//! Saves a write when a socket sends a message, which it is also shown itself. If the message is
//! pushed to it before its request is answered, what has been pushed by then leaves with the
//! answer, in one write.

#[derive(Default)]
pub(super) struct Own {
    request: Request,
    /// Whether the request gets an answer.
    has_answer: bool,
    /// How many messages were answered before they were shown.
    answered: u32,
}

/// How far the request has come that sends a message.
#[derive(Default, PartialEq)]
enum Request {
    #[default]
    None,
    Begun,
    /// Its message has been pushed.
    Shown,
    /// What was pushed by then has been left to the answer.
    Left,
}

impl Own {
    /// A request to send a message has begun.
    pub fn begin(&mut self, has_answer: bool) {
        (self.request, self.has_answer) = (Request::Begun, has_answer);
    }

    /// A message that this socket has sent has been pushed to it.
    pub fn show(&mut self) {
        if self.answered > 0 {
            self.answered -= 1;
        } else if self.request == Request::Begun {
            self.request = Request::Shown;
        }
    }

    /// Whether pushed packets leave with the answer, instead of being flushed now: once for each
    /// message, and only while its request is unanswered, as the answer then comes soon.
    pub fn leaves_to_answer(&mut self) -> bool {
        let leaves = self.has_answer && self.request == Request::Shown;
        if leaves {
            self.request = Request::Left;
        }
        leaves
    }

    /// The request has ended, and its answer is about to be flushed if it gets one; `fresh` says
    /// whether there is a new message.
    pub fn end(&mut self, fresh: bool) {
        if self.request == Request::Begun && fresh {
            self.answered += 1;
        }
        self.request = Request::None;
    }
}
