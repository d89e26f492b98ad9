//! URLs of the services behind the server, which may hold a password.

use std::fmt;
use std::path;

/// The URL of a database or another service. Its password is never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Url(String);

impl Url {
    /// The whole of it, to connect by.
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl Url {
    /// Where a database is: the whole path of a file, or the URL of PostgreSQL.
    pub(crate) fn place(&self) -> String {
        let path = self.file().and_then(|(file, _)| path::absolute(file).ok());
        path.map_or_else(|| self.to_string(), |path| path.display().to_string())
    }

    /// Whether it is the database of one node, a file.
    pub(crate) fn is_file(&self) -> bool {
        self.file().is_some()
    }

    /// The file of SQLite, and the query after it.
    fn file(&self) -> Option<(&str, &str)> {
        let text = self.0.strip_prefix("sqlite:")?;
        let text = text.strip_prefix("//").unwrap_or(text);
        Some(text.split_once('?').unwrap_or((text, "")))
    }

    /// Whether it is a database of SQLite without a file that has a name.
    pub(crate) fn is_nameless(&self) -> bool {
        let Some((file, query)) = self.file() else {
            return false;
        };
        file.is_empty()
            || file.contains(":memory:")
            || query.split('&').any(|parameter| parameter == "mode=memory")
    }
}

impl<T: Into<String>> From<T> for Url {
    fn from(text: T) -> Url {
        Url(text.into())
    }
}

/// What may be said of a query: none of it is secret.
const SHOWN: [&str; 14] = [
    "application_name",
    "cache",
    "db",
    "dbname",
    "host",
    "hostaddr",
    "immutable",
    "mode",
    "port",
    "protocol",
    "ssl-mode",
    "sslmode",
    "sslrootcert",
    "user",
];

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_file() {
            return show(f, &self.0);
        }
        let (scheme, rest) = match self.0.split_once("://") {
            Some((scheme, rest)) => (format!("{scheme}://"), rest),
            None => (String::new(), self.0.as_str()),
        };
        f.write_str(&scheme)?;
        // Of a web service: whoever knows the path may call it.
        if ["http://", "https://"].contains(&&*scheme) {
            let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
            let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
            return write!(f, "{host}{}", if host.len() < rest.len() { "/…" } else { "" });
        }
        // A password has no unescaped @, but who writes one meant it to be part of it.
        let Some((user, host)) = rest.rsplit_once('@') else {
            return show(f, rest);
        };
        if let Some((place, _)) = user.split_once('?') {
            // The @ may be part of a password in the query, or the question mark of one before it.
            return write!(f, "{}?…", place.split(':').next().unwrap_or_default());
        }
        match user.split_once(':') {
            Some((user, _password)) => write!(f, "{user}:…@"),
            None => write!(f, "{user}@"),
        }?;
        show(f, host)
    }
}

/// Writes what has no user in it, with those parts of its query that may be seen.
fn show(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    let Some((place, query)) = text.split_once('?') else {
        return f.write_str(text);
    };
    let part = |part: &str| match part.split_once('=') {
        Some((name, _)) if SHOWN.contains(&name) => part.to_owned(),
        Some((name @ ("password" | "sslcert" | "sslkey"), _)) => format!("{name}=…"),
        // It may be the rest of a password with an unescaped &.
        _ => "…".to_owned(),
    };
    let parts: Vec<_> = query.split('&').map(part).collect();
    write!(f, "{place}?{}", parts.join("&"))
}

impl fmt::Debug for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}
