//! Who has come to be connected, and who has gone, since that was last asked.

use std::collections::{HashMap, HashSet};
use std::mem;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use crate::model::UserId;

/// One who is back within this time has not gone: a page was reloaded, say.
const BACK_WITHIN: Duration = Duration::from_millis(500);

/// Users whose presence others have yet to be told of.
#[derive(Default)]
pub(super) struct Comings {
    came: HashSet<UserId>,
    went: HashMap<UserId, Went>,
    /// Notified when there are some.
    pub moved: Arc<Notify>,
}

struct Went {
    at: Instant,
    /// Whether others were told that the user is online.
    told: bool,
}

/// Who has moved.
#[derive(Default)]
pub struct Moves {
    pub came: Vec<UserId>,
    pub went: Vec<UserId>,
    /// Whether there are others who have gone, and may be back at once.
    pub more: bool,
}

impl Comings {
    /// A connection acts as a user of whom others are not told yet.
    pub fn comes(&mut self, user_id: &UserId) {
        if self.came.insert(user_id.clone()) {
            self.moved.notify_one();
        }
    }

    /// A user's last connection has gone; others were told, or not, that the user was online.
    pub fn goes(&mut self, user_id: &UserId, told: bool) {
        // Those who have asked may have been answered so.
        if self.came.remove(user_id) || told {
            self.went.insert(user_id.clone(), Went { at: Instant::now(), told });
            self.moved.notify_one();
        }
    }

    /// A user's first connection is there; whether others take the user for online still.
    pub fn comes_back(&mut self, user_id: &UserId) -> bool {
        self.went.remove(user_id).is_some_and(|went| went.told)
    }

    /// Who has moved since this was last asked; with `all` also those who may be back at once. Of
    /// those who came, only those of whom others are to be told: `tell` says so, and that they are.
    pub fn take(&mut self, all: bool, mut tell: impl FnMut(&UserId) -> bool) -> Moves {
        let came = mem::take(&mut self.came).into_iter().filter(|user_id| tell(user_id)).collect();
        let gone = |_: &UserId, went: &mut Went| all || went.at.elapsed() >= BACK_WITHIN;
        let went = self.went.extract_if(gone).map(|(user_id, _)| user_id).collect();
        Moves { came, went, more: !self.went.is_empty() }
    }
}
