//! A group of entries that are written together, and their answers.

use std::collections::VecDeque;
use std::iter::repeat_with;

use super::{Answer, Entry, Tx};
use crate::error::Error;
use crate::model::{ChatId, Mark, Marked, NewMessage, Sent};

/// The most entries of one group.
pub(super) const MAX_GROUP: usize = 512;

/// The most bytes of text in one group: while it is written, they are in memory several times.
const MAX_BYTES: usize = 8 << 20;

/// Messages, marks and jobs, each with its asker.
#[derive(Default)]
pub(super) struct Group {
    pub messages: Vec<NewMessage>,
    pub senders: Vec<Answer<Sent>>,
    bytes: usize,
    pub marks: Vec<Mark>,
    pub markers: Vec<Answer<Marked>>,
    pub jobs: VecDeque<Answer<Tx>>,
    /// The jobs that have run, and wait for the commit.
    pub done: Vec<Answer<()>>,
}

impl Group {
    /// Whether an entry may join the group.
    pub fn takes(&self, entry: &Entry) -> bool {
        match entry {
            Entry::Message(message, _) => {
                let fits = self.bytes + message.body.as_ref().len() <= MAX_BYTES;
                fits || self.messages.is_empty()
            }
            Entry::Mark(..) | Entry::Job(_) => true,
            Entry::Checkpoint(..) => false,
        }
    }

    pub fn has_batch(&self) -> bool {
        !self.messages.is_empty() || !self.marks.is_empty()
    }

    /// The chats of its messages and marks.
    pub fn chats(&self) -> impl Iterator<Item = ChatId> {
        let messages = self.messages.iter().map(|message| message.chat_id);
        messages.chain(self.marks.iter().map(|mark| mark.chat_id))
    }

    pub fn add(&mut self, entry: Entry) {
        match entry {
            Entry::Message(message, sender) => {
                self.bytes += message.body.as_ref().len();
                self.messages.push(message);
                self.senders.push(sender);
            }
            Entry::Mark(mark, marker) => {
                self.marks.push(mark);
                self.markers.push(marker);
            }
            Entry::Job(job) => self.jobs.push_back(job),
            Entry::Checkpoint(..) => {}
        }
    }

    pub fn refuse(self, error: &Error) {
        answer(self.senders, repeat_with(|| Err(error.clone())));
        answer(self.markers, repeat_with(|| Err(error.clone())));
        answer(self.jobs, repeat_with(|| Err(error.clone())));
        answer(self.done, repeat_with(|| Err(error.clone())));
    }
}

pub(super) fn answer<T>(
    askers: impl IntoIterator<Item = Answer<T>>,
    answers: impl IntoIterator<Item = Result<T, Error>>,
) {
    for (asker, answer) in askers.into_iter().zip(answers) {
        // An asker that is gone needs no answer.
        let _ = asker.send(answer);
    }
}
