//! What all doors have in common.

mod acting;
mod budgets;
mod connections;
mod crossing;
mod gates;
mod over_http;
mod slow_readers;
mod upgrades;
mod wires;
