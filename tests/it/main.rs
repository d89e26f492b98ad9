//! The server from outside: each test starts one on a free port with a database of its own and
//! talks to it as clients do.

mod chats;
mod gates;
mod house;
mod messages;
mod order;
mod program;
mod reading;
mod requests;
mod socket;
mod suites;
mod support;
mod users;
