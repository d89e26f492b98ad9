//! The server from outside: each test starts one on a free port with a database of its own and
//! talks to it as clients do.

mod access;
mod chats;
mod direct;
mod forgeries;
mod gates;
mod house;
mod invitations;
mod messages;
mod order;
mod owners;
mod presence;
mod program;
mod protection;
mod rates;
mod reading;
mod refusals;
mod requests;
mod rooms;
mod secrets;
mod service;
mod signing;
mod socket;
mod stage;
mod starting;
mod steps;
mod suites;
mod support;
mod teams;
mod tokens;
mod transports;
mod users;
