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

/// Whether the program runs in a sandbox, where no name of its own may be taken on the bus and the desktop's files are others.
pub fn is_sandboxed() -> bool {
    std::path::Path::new("/.flatpak-info").exists()
}
