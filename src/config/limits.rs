//! Limits: what clients may send, how much and how often.

use std::num::NonZeroU32;
use std::time::Duration;

use clap::Args;

/// The most that a limit on a number of things can be.
const MAX_COUNT: usize = u32::MAX as usize;

/// The bounds of everything a client can send or make the server hold.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Limits")]
pub struct Limits {
    /// Bytes of one message
    #[arg(long, env = "CHINWAG_MAX_MESSAGE", default_value_t = Limits::default().max_message)]
    pub max_message: usize,

    /// Bytes of the `data` of a signal, a message, a user or a chat
    #[arg(long, env = "CHINWAG_MAX_DATA", default_value_t = Limits::default().max_data)]
    pub max_data: usize,

    /// Characters of a name or an id
    #[arg(long, env = "CHINWAG_MAX_NAME", default_value_t = Limits::default().max_name)]
    pub max_name: usize,

    /// Characters of a description
    #[arg(long, env = "CHINWAG_MAX_DESCRIPTION", default_value_t = Limits::default().max_description)]
    pub max_description: usize,

    /// Bytes of a user's photo, a URL or a data URL
    #[arg(long, env = "CHINWAG_MAX_PHOTO", default_value_t = Limits::default().max_photo)]
    pub max_photo: usize,

    /// Bytes of one frame or HTTP body
    #[arg(long, env = "CHINWAG_MAX_FRAME", default_value_t = Limits::default().max_frame)]
    pub max_frame: usize,

    /// Bytes of one file
    #[arg(long, env = "CHINWAG_MAX_FILE", default_value_t = Limits::default().max_file,
        value_parser = positive)]
    pub max_file: usize,

    /// Bytes of all files together; then no more are taken; 0 for any number
    #[arg(long, env = "CHINWAG_MAX_FILES_TOTAL", default_value_t = Limits::default().max_files_total)]
    pub max_files_total: u64,

    /// Files that are uploaded to this node at the same time
    #[arg(long, env = "CHINWAG_MAX_UPLOADS", default_value_t = Limits::default().max_uploads,
        value_parser = positive)]
    pub max_uploads: usize,

    /// Calls in one JSON-RPC batch
    #[arg(long, env = "CHINWAG_MAX_BATCH", default_value_t = Limits::default().max_batch,
        value_parser = positive)]
    pub max_batch: usize,

    /// Users named in one create-chat or create-team
    #[arg(long, env = "CHINWAG_MAX_CHAT_USERS", default_value_t = Limits::default().max_chat_users)]
    pub max_chat_users: usize,

    /// Chats that one user may have made (while they have members) or joined. Those that others
    /// have made with the user in them do not count
    #[arg(long, env = "CHINWAG_MAX_CHATS_PER_USER", default_value_t = Limits::default().max_chats_per_user,
        value_parser = positive)]
    pub max_chats_per_user: usize,

    /// Invitations by one user that may wait for answers
    #[arg(long, env = "CHINWAG_MAX_INVITATIONS_PER_INVITER", default_value_t = Limits::default().max_invitations_per_inviter,
        value_parser = positive)]
    pub max_invitations_per_inviter: usize,

    /// Invitations that may wait for the answers of one user
    #[arg(long, env = "CHINWAG_MAX_INVITATIONS_PER_INVITEE", default_value_t = Limits::default().max_invitations_per_invitee,
        value_parser = positive)]
    pub max_invitations_per_invitee: usize,

    /// Users logged in to the rooms API from one address (of IPv6: one /64)
    #[arg(long, env = "CHINWAG_MAX_SEATS_PER_ADDRESS", default_value_t = Limits::default().max_seats_per_address,
        value_parser = positive)]
    pub max_seats_per_address: usize,

    /// Items on one page of a list
    #[arg(long, env = "CHINWAG_MAX_PAGE", default_value_t = Limits::default().max_page,
        value_parser = positive)]
    pub max_page: usize,

    /// Bytes of text on one page of a list
    #[arg(long, env = "CHINWAG_MAX_PAGE_BYTES", default_value_t = Limits::default().max_page_bytes)]
    pub max_page_bytes: usize,

    /// Messages that one call of the rooms API gives
    #[arg(long, env = "CHINWAG_MAX_HISTORY", default_value_t = Limits::default().max_history,
        value_parser = positive)]
    pub max_history: usize,

    /// Bytes of text that one call of the rooms API gives; after as many, the rest of a batch is
    /// refused
    #[arg(long, env = "CHINWAG_MAX_HISTORY_BYTES", default_value_t = Limits::default().max_history_bytes)]
    pub max_history_bytes: usize,

    /// Connections open at the same time, where further ones wait to be accepted; sockets, where
    /// further ones are closed; and users logged in to the rooms API, where further ones are
    /// answered `unavailable`
    #[arg(long, env = "CHINWAG_MAX_CONNECTIONS", default_value_t = Limits::default().max_connections,
        value_parser = positive)]
    pub max_connections: usize,

    /// Connections that one address (of IPv6: one /64) may have open; further ones are answered
    /// 429. Behind --trusted-proxies its WebSockets and unanswered requests count instead. Counted
    /// apart, it may have as many Socket.IO sockets, polling included; further ones are closed.
    /// Without it: half of --max-connections
    #[arg(long, env = "CHINWAG_MAX_CONNECTIONS_PER_ADDRESS", value_parser = positive)]
    pub max_connections_per_address: Option<usize>,

    /// Requests that one socket may have waiting, and may have refused in a row as too many; one
    /// more and it is disconnected
    #[arg(long, env = "CHINWAG_MAX_PENDING", default_value_t = Limits::default().max_pending,
        value_parser = positive)]
    pub max_pending: usize,

    /// Bytes of requests that may wait over all sockets; if more come, sockets of the user or the
    /// address with the most are disconnected, the largest first
    #[arg(long, env = "CHINWAG_MAX_PENDING_BYTES", default_value_t = Limits::default().max_pending_bytes)]
    pub max_pending_bytes: usize,

    /// Rooms that one socket may be subscribed to, and channels that it may be in
    #[arg(long, env = "CHINWAG_MAX_SOCKET_ROOMS", default_value_t = Limits::default().max_socket_rooms)]
    pub max_socket_rooms: usize,

    /// Users that one socket may act as
    #[arg(long, env = "CHINWAG_MAX_SOCKET_USERS", default_value_t = Limits::default().max_socket_users)]
    pub max_socket_users: usize,

    /// Packets that one socket may leave unread; one more and it is disconnected
    #[arg(long, env = "CHINWAG_MAX_UNSENT", default_value_t = Limits::default().max_unsent,
        value_parser = positive)]
    pub max_unsent: usize,

    /// Bytes of packets that one socket may leave unread; more and it is disconnected
    #[arg(long, env = "CHINWAG_MAX_UNSENT_BYTES", default_value_t = Limits::default().max_unsent_bytes)]
    pub max_unsent_bytes: usize,

    /// Bytes that all sockets together may leave unread, or have sent of messages that they do not
    /// end; if there are more, those with the most are disconnected, the largest first
    #[arg(long, env = "CHINWAG_MAX_UNSENT_TOTAL", default_value_t = Limits::default().max_unsent_total)]
    pub max_unsent_total: usize,

    /// Messages waiting to be written; one more is answered `unavailable`
    #[arg(long, env = "CHINWAG_MAX_UNWRITTEN", default_value_t = Limits::default().max_unwritten,
        value_parser = positive)]
    pub max_unwritten: usize,

    /// Connections that one address (of IPv6: one /64) may open in a minute; 0 for any number
    #[arg(long, env = "CHINWAG_CONNECTS_PER_ADDRESS", default_value_t = Limits::default().connects_per_address)]
    pub connects_per_address: u32,

    /// Requests that one address may make in a minute; 0 for any number
    #[arg(long, env = "CHINWAG_REQUESTS_PER_ADDRESS", default_value_t = Limits::default().requests_per_address)]
    pub requests_per_address: u32,

    /// Requests that one user may make in a minute, to all nodes together; 0 for any number
    #[arg(long, env = "CHINWAG_REQUESTS_PER_USER", default_value_t = Limits::default().requests_per_user)]
    pub requests_per_user: u32,

    /// Messages that one user may send in a minute, through all nodes; 0 for any number
    #[arg(long, env = "CHINWAG_MESSAGES_PER_USER", default_value_t = Limits::default().messages_per_user)]
    pub messages_per_user: u32,

    /// Requests `typing` and `signal` of one user in a minute, on each node; 0 for any number
    #[arg(long, env = "CHINWAG_SIGNALS_PER_USER", default_value_t = Limits::default().signals_per_user)]
    pub signals_per_user: u32,

    /// Times in a minute that one user's name, photo, handle and data may change; 0 for any number
    #[arg(long, env = "CHINWAG_UPDATES_PER_USER", default_value_t = Limits::default().updates_per_user)]
    pub updates_per_user: u32,

    /// Users that one socket may watch
    #[arg(long, env = "CHINWAG_MAX_WATCHED", default_value_t = Limits::default().max_watched)]
    pub max_watched: usize,

    /// Acts of one user in a minute of which everybody hears, and ten times as many from one
    /// address: new public chats, rooms and channels, and changes of a nick; 0 for any number
    #[arg(long, env = "CHINWAG_ANNOUNCEMENTS_PER_USER", default_value_t = Limits::default().announcements_per_user)]
    pub announcements_per_user: u32,

    /// Such acts of all users of a node in a minute; 0 for any number
    #[arg(long, env = "CHINWAG_ANNOUNCEMENTS_PER_NODE", default_value_t = Limits::default().announcements_per_node)]
    pub announcements_per_node: u32,

    /// New public chats that a node announces in a second; the others are left out
    #[arg(long, env = "CHINWAG_ANNOUNCED_PER_SECOND", default_value_t = Limits::default().announced_per_second)]
    pub announced_per_second: NonZeroU32,

    /// Bytes of messages and photos that one user may send in a minute, through all nodes; 0 for
    /// any number
    #[arg(long, env = "CHINWAG_WRITTEN_BYTES_PER_USER", default_value_t = Limits::default().written_bytes_per_user)]
    pub written_bytes_per_user: u32,

    /// Bytes of messages and photos that may come from one address in a minute; 0 for any number
    #[arg(long, env = "CHINWAG_WRITTEN_BYTES_PER_ADDRESS", default_value_t = Limits::default().written_bytes_per_address)]
    pub written_bytes_per_address: u32,

    /// Bytes of history that one user may read in a minute, from all nodes; 0 for any number
    #[arg(long, env = "CHINWAG_READ_BYTES_PER_USER", default_value_t = Limits::default().read_bytes_per_user)]
    pub read_bytes_per_user: u32,

    /// Bytes of history and files that may go to one address in a minute; 0 for any number
    #[arg(long, env = "CHINWAG_READ_BYTES_PER_ADDRESS", default_value_t = Limits::default().read_bytes_per_address)]
    pub read_bytes_per_address: u32,

    /// Bytes of files that one user may upload in a day, through all nodes; 0 for any number
    #[arg(long, env = "CHINWAG_UPLOADED_BYTES_PER_USER", default_value_t = Limits::default().uploaded_bytes_per_user)]
    pub uploaded_bytes_per_user: u32,

    /// Bytes of files that may come from one address in a day; 0 for any number
    #[arg(long, env = "CHINWAG_UPLOADED_BYTES_PER_ADDRESS", default_value_t = Limits::default().uploaded_bytes_per_address)]
    pub uploaded_bytes_per_address: u32,

    /// Sign-ups from one address in a minute, with those refused because another user has the
    /// username, email or phone; 0 for any number
    #[arg(long, env = "CHINWAG_SIGN_UPS_PER_ADDRESS", default_value_t = Limits::default().sign_ups_per_address)]
    pub sign_ups_per_address: u32,

    /// Wrong passwords for one account from one address in a minute, and ten times as many from
    /// everywhere; then no password is taken for a while; 0 for any number
    #[arg(long, env = "CHINWAG_FAILED_LOGINS_PER_ACCOUNT", default_value_t = Limits::default().failed_logins_per_account)]
    pub failed_logins_per_account: u32,

    /// Wrong passwords from one address in a minute; 0 for any number
    #[arg(long, env = "CHINWAG_FAILED_LOGINS_PER_ADDRESS", default_value_t = Limits::default().failed_logins_per_address)]
    pub failed_logins_per_address: u32,

    /// Seconds a client may take for its request head, for opening Socket.IO, and for the password
    /// of a nick
    #[arg(long, env = "CHINWAG_HANDSHAKE_TIMEOUT", default_value = "10", value_parser = seconds)]
    pub handshake_timeout: Duration,

    /// Seconds that the body of a request may take, and one more for each 16 KiB of it
    #[arg(long, env = "CHINWAG_BODY_TIMEOUT", default_value = "15", value_parser = seconds)]
    pub body_timeout: Duration,

    /// Seconds that a file is kept which no message holds
    #[arg(long, env = "CHINWAG_UNUSED_FILE_TIMEOUT", default_value = "86400", value_parser = seconds)]
    pub unused_file_timeout: Duration,

    /// Seconds between two pings of a socket
    #[arg(long, env = "CHINWAG_PING_INTERVAL", default_value = "25", value_parser = seconds)]
    pub ping_interval: Duration,

    /// Seconds that a socket may take to answer a ping; then it counts as gone
    #[arg(long, env = "CHINWAG_PING_TIMEOUT", default_value = "20", value_parser = seconds)]
    pub ping_timeout: Duration,

    /// Seconds after which an old client (Socket.IO protocol 3 or 4) is disconnected that has sent
    /// nothing since it connected
    #[arg(long, env = "CHINWAG_SILENCE_TIMEOUT", default_value = "60", value_parser = seconds)]
    pub silence_timeout: Duration,

    /// Seconds a request may take in all; long polls end before it
    #[arg(long, env = "CHINWAG_REQUEST_TIMEOUT", default_value = "60", value_parser = seconds)]
    pub request_timeout: Duration,

    /// Seconds after which a user of the rooms API who has not called is logged out
    #[arg(long, env = "CHINWAG_LOBBY_TIMEOUT", default_value = "3600", value_parser = seconds)]
    pub lobby_timeout: Duration,

    /// Seconds without a TCP acknowledgement of what was sent, after which a client counts as gone
    #[arg(long, env = "CHINWAG_UNACKED_TIMEOUT", default_value = "30", value_parser = seconds)]
    pub unacked_timeout: Duration,

    /// Seconds that the webhook may take to answer
    #[arg(long, env = "CHINWAG_WEBHOOK_TIMEOUT", default_value = "10", value_parser = seconds)]
    pub webhook_timeout: Duration,

    /// Calls of the webhook at the same time for new events, and as many for those that have
    /// failed; those that last for more than a second do not count, up to 8 times as many
    #[arg(long, env = "CHINWAG_WEBHOOK_CALLS", default_value_t = Limits::default().webhook_calls)]
    pub webhook_calls: usize,

    /// Seconds for which an event that the webhook does not take is tried again; then it is parked
    #[arg(long, env = "CHINWAG_WEBHOOK_RETRY_FOR", default_value = "86400", value_parser = seconds)]
    pub webhook_retry_for: Duration,

    /// Seconds after its commit at which an event is dropped that the webhook does not have, parked
    /// or not; an hour at least
    #[arg(long, env = "CHINWAG_WEBHOOK_KEEP_FOR", default_value = "2592000", value_parser = seconds)]
    pub webhook_keep_for: Duration,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            max_message: 512 << 10,
            max_data: 8 << 10,
            max_name: 255,
            max_description: 4096,
            max_photo: 8 << 10,
            max_frame: 1 << 20,
            max_file: 25 << 20,
            max_files_total: 10 << 30,
            max_uploads: 256,
            max_batch: 1000,
            max_chat_users: 1000,
            max_chats_per_user: 10_000,
            max_invitations_per_inviter: 1000,
            max_invitations_per_invitee: 10_000,
            max_seats_per_address: 10_000,
            max_page: 1000,
            max_page_bytes: 1 << 20,
            max_history: 10_000,
            max_history_bytes: 4 << 20,
            max_connections: 100_000,
            max_connections_per_address: None,
            max_pending: 1024,
            max_pending_bytes: 256 << 20,
            max_socket_rooms: 1000,
            max_socket_users: 1000,
            max_unsent: 4096,
            max_unsent_bytes: 16 << 20,
            max_unsent_total: 256 << 20,
            max_unwritten: 16_384,
            connects_per_address: 6000,
            requests_per_address: 60_000,
            requests_per_user: 6000,
            messages_per_user: 3000,
            signals_per_user: 1200,
            updates_per_user: 60,
            max_watched: 500,
            announcements_per_user: 60,
            announcements_per_node: 1200,
            announced_per_second: const { NonZeroU32::new(20).unwrap() },
            written_bytes_per_user: 64 << 20,
            written_bytes_per_address: 512 << 20,
            read_bytes_per_user: 256 << 20,
            read_bytes_per_address: 2048 << 20,
            uploaded_bytes_per_user: 1 << 30,
            uploaded_bytes_per_address: 1 << 30,
            sign_ups_per_address: 200,
            failed_logins_per_account: 10,
            failed_logins_per_address: 100,
            handshake_timeout: Duration::from_secs(10),
            body_timeout: Duration::from_secs(15),
            unused_file_timeout: Duration::from_secs(24 * 60 * 60),
            ping_interval: Duration::from_secs(25),
            ping_timeout: Duration::from_secs(20),
            silence_timeout: Duration::from_secs(60),
            request_timeout: Duration::from_secs(60),
            lobby_timeout: Duration::from_secs(3600),
            unacked_timeout: Duration::from_secs(30),
            webhook_timeout: Duration::from_secs(10),
            webhook_calls: 16,
            webhook_retry_for: Duration::from_secs(24 * 60 * 60),
            webhook_keep_for: Duration::from_secs(30 * 24 * 60 * 60),
        }
    }
}

impl Limits {
    /// How many connections one address may have open.
    pub(crate) fn max_connections_per_address(&self) -> usize {
        self.max_connections_per_address.unwrap_or(self.max_connections.div_ceil(2))
    }

    /// Refuses limits that leave room for nothing, or for more than can be counted; flags are
    /// checked as they are read, but a program sets what it likes. Errors: the name of such a
    /// limit.
    pub(crate) fn check(&self) -> Result<(), &'static str> {
        for (name, limit) in [
            ("max_file", self.max_file),
            ("max_uploads", self.max_uploads),
            ("max_batch", self.max_batch),
            ("max_chats_per_user", self.max_chats_per_user),
            ("max_invitations_per_inviter", self.max_invitations_per_inviter),
            ("max_invitations_per_invitee", self.max_invitations_per_invitee),
            ("max_seats_per_address", self.max_seats_per_address),
            ("max_page", self.max_page),
            ("max_history", self.max_history),
            ("max_connections", self.max_connections),
            ("max_connections_per_address", self.max_connections_per_address()),
            ("max_pending", self.max_pending),
            ("max_unsent", self.max_unsent),
            ("max_unwritten", self.max_unwritten),
            ("webhook_calls", self.webhook_calls),
        ] {
            if !(1..=MAX_COUNT).contains(&limit) {
                return Err(name);
            }
        }
        Ok(())
    }
}

fn seconds(text: &str) -> Result<Duration, String> {
    positive(text).map(|seconds| Duration::from_secs(seconds as u64))
}

fn positive(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(number) if (1..=MAX_COUNT).contains(&number) => Ok(number),
        _ => Err(format!("must be a whole number from 1 to {MAX_COUNT}")),
    }
}
