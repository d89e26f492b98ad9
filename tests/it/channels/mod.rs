//! Channels on a plain WebSocket.

mod crossing;
mod frames;
mod login;
mod nicks;
mod traffic;
