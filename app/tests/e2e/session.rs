//! A desktop of its own for one test: display, window manager, session bus, home.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::fd::AsFd as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Waits until `condition` gives something.
#[track_caller]
pub fn until<T>(what: &str, patience: Duration, mut condition: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = condition() {
            return found;
        }
        assert!(begun.elapsed() < patience, "waited {patience:?} in vain until {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// See the module documentation.
pub struct Session {
    folder: tempfile::TempDir,
    display: String,
    bus: String,
    /// Whether the program sees a Wayland compositor, which has the whole display.
    wayland: bool,
    children: Vec<Child>,
}

/// Name of the compositor's socket.
const SOCKET: &str = "wayland-e2e";

impl Session {
    /// Opens a desktop, or says what is missing and gives nothing.
    pub fn open() -> Option<Self> {
        Self::open_with(&["Xvfb", "openbox", "xdotool", "dbus-daemon"])
    }

    /// Opens a desktop with Wayland, or says what is missing and gives nothing. Its compositor is a window of the display, so keys reach
    /// the program as elsewhere.
    pub fn open_wayland() -> Option<Self> {
        let mut session = Self::open_with(&["Xvfb", "openbox", "xdotool", "dbus-daemon", "weston"])?;
        // It focuses windows that appear while it is there.
        session.wait_answer("the window manager is there", "get_num_desktops");
        let compositor = session
            .command("weston")
            .args(["--backend=x11-backend.so", "--use-pixman", "--shell=kiosk-shell.so", "--idle-time=0"])
            .args(["--width=1280", "--height=800", "--socket", SOCKET])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        session.children.push(compositor);
        let socket = session.home().join("run").join(SOCKET);
        until("the compositor listens", Duration::from_secs(60), || socket.exists().then_some(()));
        session.wait_answer("the compositor has the keyboard", "getactivewindow");
        session.wayland = true;
        Some(session)
    }

    fn open_with(tools: &[&str]) -> Option<Self> {
        let missing: Vec<&str> = tools.iter().copied().filter(|tool| !is_installed(tool)).collect();
        if !missing.is_empty() {
            assert!(std::env::var_os("CI").is_none(), "missing: {missing:?}");
            let mut err = std::io::stderr();
            let _ = writeln!(err, "not run, because these are missing: {missing:?}");
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        let run = folder.path().join("run");
        std::fs::create_dir(&run).unwrap();
        // A compositor refuses a folder that others can read.
        std::fs::set_permissions(&run, std::fs::Permissions::from_mode(0o700)).unwrap();
        let (server, display) = display();
        let (daemon, bus) = bus();
        let mut session = Self { folder, display, bus, wayland: false, children: vec![server, daemon] };
        let manager = session.command("openbox").stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        session.children.push(manager);
        Some(session)
    }

    /// Address of the session bus.
    pub fn bus(&self) -> &str {
        &self.bus
    }

    /// The user's home.
    pub fn home(&self) -> &Path {
        self.folder.path()
    }

    /// Folder of the user's chats and models.
    pub fn data(&self) -> PathBuf {
        self.home().join(".local/share/onebit")
    }

    /// Puts a copy of the starter among the user's models under another name; gives its path.
    pub fn add_model(&self, id: &str) -> PathBuf {
        let starter = Path::new(env!("CARGO_MANIFEST_DIR")).join("../assets/models/starter.gguf");
        let folder = self.data().join("models");
        std::fs::create_dir_all(&folder).unwrap();
        let path = folder.join(format!("{id}.gguf"));
        std::fs::copy(starter, &path).unwrap();
        path
    }

    /// The program under test in this desktop.
    pub fn program(&self, path: &str) -> Command {
        let mut command = self.command(path);
        if self.wayland {
            command.env_remove("DISPLAY").env("WAYLAND_DISPLAY", SOCKET);
        }
        command
    }

    /// A tool in this desktop.
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command
            .env("DISPLAY", &self.display)
            .env("DBUS_SESSION_BUS_ADDRESS", &self.bus)
            .env("HOME", self.home())
            .env("XDG_RUNTIME_DIR", self.home().join("run"))
            .env("LIBGL_ALWAYS_SOFTWARE", "1")
            .stdin(Stdio::null());
        for name in
            ["WAYLAND_DISPLAY", "XDG_DATA_HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME"]
        {
            command.env_remove(name);
        }
        command
    }

    /// Types text into the window that has the keyboard.
    pub fn type_text(&self, text: &str) {
        self.xdotool(&["type", "--delay", "15", text]);
    }

    /// Presses a key, named as X names it.
    pub fn press(&self, key: &str) {
        self.xdotool(&["key", key]);
    }

    /// Waits until the window manager can answer a question.
    fn wait_answer(&self, what: &str, question: &str) {
        until(what, Duration::from_secs(60), || {
            let mut asked = self.command("xdotool");
            let asked = asked.arg(question).stdout(Stdio::null()).stderr(Stdio::null());
            asked.status().unwrap().success().then_some(())
        });
    }

    fn xdotool(&self, arguments: &[&str]) {
        let status = self.command("xdotool").args(arguments).status().unwrap();
        assert!(status.success(), "xdotool {arguments:?}");
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        for child in self.children.iter_mut().rev() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn is_installed(tool: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(tool).is_file())
}

/// A display without a screen, and its name.
fn display() -> (Child, String) {
    let (mut reader, writer) = std::io::pipe().unwrap();
    let number = writer.as_fd().try_clone_to_owned().unwrap();
    let mut server = Command::new("Xvfb")
        // It writes the number of the display it found to its standard output.
        .args(["-displayfd", "1", "-screen", "0", "1280x800x24", "-nolisten", "tcp"])
        .stdout(number)
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    drop(writer);
    let mut name = Vec::new();
    let mut byte = [0];
    while reader.read(&mut byte).unwrap() == 1 && byte[0] != b'\n' {
        name.push(byte[0]);
    }
    assert!(!name.is_empty(), "Xvfb ended: {:?}", server.try_wait());
    (server, format!(":{}", String::from_utf8(name).unwrap()))
}

/// A session bus, and its address.
fn bus() -> (Child, String) {
    let mut daemon = Command::new("dbus-daemon")
        .args(["--session", "--nofork", "--nopidfile", "--print-address=1"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut address = String::new();
    BufReader::new(daemon.stdout.take().unwrap()).read_line(&mut address).unwrap();
    (daemon, address.trim().to_owned())
}
