//! What the sources and the pages must be, read from them.

pub mod imports;
mod pages;
