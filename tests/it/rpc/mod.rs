//! The rooms API over JSON-RPC.

mod access;
mod calls;
mod crossing;
mod rooms;
