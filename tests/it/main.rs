//! Tests of the server from outside: each starts one on a free port with a database of its own, and
//! talks to it as clients do.

mod browser_and_node;
mod channels;
mod clients;
mod cluster;
mod conformance;
mod doors;
mod embed;
mod event_log;
mod examples;
mod house;
mod program;
mod rest;
mod rpc;
mod socketio;
mod store;

mod support;
