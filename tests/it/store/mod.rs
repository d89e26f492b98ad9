//! The database: what is written, copied and kept, whatever fails.

pub mod backup;
mod beside;
pub mod copy;
mod copy_broken;
mod crosswise;
mod erasure;
mod export;
mod ledger;
mod log;
mod lost_file;
mod outage;
mod promises;
mod retention;
mod search;
mod statements;
mod texts;
mod two_writers;
