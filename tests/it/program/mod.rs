//! The program: its settings, its log, its start and its end.

mod clock;
mod commands;
pub mod housekeeping;
mod install;
mod kills;
mod listening;
pub mod logs;
mod readiness;
mod restart;
mod running;
mod secrets;
mod starting;
mod stopping;
mod tls;
