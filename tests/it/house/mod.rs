//! What the sources and the pages must be, read from them.

mod contract;
pub mod imports;
mod pages;
