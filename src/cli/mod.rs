//! What the program has beside the server: its commands, its logs, and the signals that end it.

pub mod commands;
pub mod logging;
pub mod signals;
