//! Runs the program in a home of its own.
#![allow(dead_code, reason = "each test binary uses a part of this")]
#![expect(clippy::unwrap_used, reason = "this module is only compiled into tests")]

use std::path::PathBuf;
use std::process::{Command, Stdio};

/// How a run ended.
pub struct Ended {
    /// Exit status; -1 after a signal.
    pub code: i32,
    /// Must be UTF-8: the program promises whole characters.
    pub stdout: String,
    /// Messages.
    pub stderr: String,
}

/// A user with empty folders.
pub struct Home {
    folder: tempfile::TempDir,
    home: PathBuf,
}

impl Home {
    /// Empty and writable.
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let home = folder.path().to_owned();
        Self { folder, home }
    }

    /// A home below a file, which nobody can write, not even root.
    pub fn unwritable() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("file"), b"").unwrap();
        let home = folder.path().join("file/home");
        Self { folder, home }
    }

    /// Writes a file outside the program's folders and returns its path.
    pub fn file(&self, name: &str, bytes: &[u8]) -> String {
        let path = self.folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path.to_str().unwrap().to_owned()
    }

    /// The home folder.
    pub fn path(&self) -> &std::path::Path {
        &self.home
    }

    /// The program with arguments, ready to start.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_onebit"));
        command.args(arguments).env("HOME", &self.home).stdin(Stdio::null());
        for name in
            ["XDG_DATA_HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME", "XDG_RUNTIME_DIR"]
        {
            command.env_remove(name);
        }
        command
    }

    /// Runs the program to its end.
    pub fn run(&self, arguments: &[&str]) -> Ended {
        ended(self.command(arguments).output().unwrap())
    }
}

/// Checks the encoding of what a run wrote.
pub fn ended(output: std::process::Output) -> Ended {
    Ended {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8(output.stdout).expect("stdout is UTF-8"),
        stderr: String::from_utf8(output.stderr).expect("stderr is UTF-8"),
    }
}

/// A failure: status 1, nothing on stdout, one `error:` line that holds `words`, and no panic.
#[track_caller]
pub fn assert_fails(ended: &Ended, words: &[&str]) {
    assert_eq!(ended.code, 1, "{}", ended.stderr);
    assert_eq!(ended.stdout, "");
    assert!(!ended.stderr.contains("panicked"), "{}", ended.stderr);
    let errors: Vec<&str> = ended.stderr.lines().filter(|line| line.starts_with("error: ")).collect();
    assert_eq!(errors.len(), 1, "{}", ended.stderr);
    for word in words {
        assert!(errors[0].contains(word), "{word:?} is missing in {:?}", errors[0]);
    }
}
