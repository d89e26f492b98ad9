//! What the sources and the pages must be, read from them, and what the tests stand on.

mod circles;
mod contract;
pub mod imports;
pub mod pages;
mod services;
