//! How a user's list of chats is ordered: by `members.active_at`, a copy of the chat's column.
//!
//! With a copy in each row of `members`, a list would be one run of an index, but each message
//! would write as many rows as its chat has members. Without any copy, each list would look at all
//! chats of its user. So a user's first [`SORTED`] chats have no copy, and are sorted for each
//! list. A later chat of the user has a copy, which each message moves on, unless [`KEPT`] other
//! members of that chat have one already. Most users have fewer chats, so most messages move no
//! copy.

/// How many chats a user has without a copy before one gets a copy. The migration that adds the
/// column uses the same number.
pub(super) const SORTED: i64 = 200;

/// How many members of one chat have a copy at most.
pub(super) const KEPT: i64 = 64;
