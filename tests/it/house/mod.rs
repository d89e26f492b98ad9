//! Rules for the sources and the pages, checked by reading them, and checks of the tests' services.

mod circles;
mod contract;
pub mod imports;
pub mod pages;
mod services;
