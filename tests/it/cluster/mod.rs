//! Several nodes on one PostgreSQL and one Redis.

mod access;
mod behind;
mod cuts;
mod doors;
mod joining;
mod kill;
mod once;
mod owed;
mod postgres;
mod redis;
mod requests;
mod rooms;
mod sharing;
