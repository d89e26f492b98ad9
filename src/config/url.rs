//! URLs of the services behind the server, which may hold a password.

use std::fmt;

/// The URL of a database or another service. Its password is never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Url(String);

impl Url {
    /// The whole of it, for whoever connects.
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl Url {
    /// Whether it is the database of one node, a file.
    pub(crate) fn is_file(&self) -> bool {
        self.0.starts_with("sqlite:")
    }
}

impl<T: Into<String>> From<T> for Url {
    fn from(text: T) -> Url {
        Url(text.into())
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A password has no unescaped @, but who writes one meant it to be part of it.
        let parts = self.0.split_once("://").and_then(|(scheme, rest)| {
            let (user, host) = rest.rsplit_once('@')?;
            let (user, _password) = user.split_once(':')?;
            Some((scheme, user, host))
        });
        match parts {
            Some((scheme, user, host)) => write!(f, "{scheme}://{user}:…@{host}"),
            None => f.write_str(&self.0),
        }
    }
}

impl fmt::Debug for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}
