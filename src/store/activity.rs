//! What a user's list of chats is ordered by: `members.active_at`, a copy of the chat's.
//!
//! With a copy in each row of `members` the list would be one run of an index, and each message
//! would write as many rows as its chat has members. Without any, a list would look at all chats of
//! its user. So the first [`SORTED`] chats of a user have no copy and are sorted for each list; the
//! others have one, which each message moves on, but for the members of a chat beyond the first
//! [`KEPT`] who have that many. Most users have fewer, and most messages move nothing.

/// How many chats of a user have no copy before one has. The migration that adds the column goes by
/// the same.
pub(super) const SORTED: i64 = 200;

/// How many copies of one chat's activity there are at most.
pub(super) const KEPT: i64 = 64;
