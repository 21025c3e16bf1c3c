//! The desktop's session bus, on which tray, notifications and the settings portal are.

use std::time::Duration;

use zbus::connection::Builder;

/// A connection to be built: to the session bus, or to the bus at an address. `patience` is how long its other programs may take for
/// an answer.
///
/// # Errors
/// There is no session bus, or the address is none.
pub fn connect(address: Option<&str>, patience: Duration) -> zbus::Result<Builder<'_>> {
    let builder = match address {
        Some(address) => Builder::address(address)?,
        None => Builder::session()?,
    };
    Ok(builder.method_timeout(patience))
}

/// Longest activation token, in bytes.
const MAX_TOKEN_BYTES: usize = 512;

/// A token with which the desktop lets a window come to the front, if it is one that can stand in an environment.
pub fn activation_token(text: &str) -> Option<String> {
    let fits = !text.is_empty() && text.len() <= MAX_TOKEN_BYTES;
    (fits && text.bytes().all(|byte| byte.is_ascii_graphic())).then(|| text.to_owned())
}

/// Whether the program runs in a sandbox, where no name of its own may be taken on the bus and the desktop's files are others.
pub fn is_sandboxed() -> bool {
    std::path::Path::new("/.flatpak-info").exists()
}
