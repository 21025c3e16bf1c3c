//! The whole program under a private display and a private session bus, with the real engine and the model that comes with it.
//! What happened is read from the database, from `onebit status` and from the bus, never from pixels.
//!
//! Needs Xvfb, openbox, xdotool, dbus-daemon, weston and a Vulkan or GL driver (software is enough). Where one is missing the tests say so
//! and pass, except with CI=true.
#![expect(clippy::unwrap_used, reason = "this binary is only compiled for tests")]

mod app;
mod disk;
mod keys;
mod keys_portal;
mod life;
mod loss;
mod measure;
mod notifications;
mod portal;
mod reader;
mod session;
mod start;
mod tray_host;
mod wayland;
