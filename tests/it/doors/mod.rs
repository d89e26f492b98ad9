//! What all doors have in common.

mod abuse;
mod acting;
mod budgets;
#[cfg(target_os = "linux")]
mod bystanders;
mod connections;
mod crossing;
mod files;
#[cfg(feature = "s3")]
mod files_in_s3;
mod gates;
mod over_http;
mod slow_readers;
mod standings;
mod stored_files;
mod upgrades;
mod uploads;
mod wires;
