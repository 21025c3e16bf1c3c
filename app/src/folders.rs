//! Where files live, by the XDG base directory specification. Creates nothing by itself.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// The folders of this user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Folders {
    /// `$XDG_DATA_HOME/onebit`: models and chats.
    pub data: PathBuf,
    /// `$XDG_CONFIG_HOME/onebit`: settings.
    pub config: PathBuf,
    /// `$XDG_STATE_HOME/onebit`: benchmark records, logs.
    pub state: PathBuf,
    /// `$XDG_CACHE_HOME/onebit`: files that can be made again.
    pub cache: PathBuf,
    /// `$XDG_RUNTIME_DIR/onebit`, or `run` in the state folder where the session has none: the socket of the running app.
    pub runtime: PathBuf,
}

/// The environment does not say where this user's files are.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("neither {variable} nor HOME holds an absolute path; set HOME")]
pub struct NoHome {
    variable: &'static str,
}

impl Folders {
    /// Reads the environment of this process.
    ///
    /// # Errors
    /// HOME is needed and not set.
    pub fn from_env() -> Result<Self, NoHome> {
        Self::from_variables(|name| std::env::var_os(name))
    }

    /// Reads the given environment.
    ///
    /// # Errors
    /// HOME is needed and not set.
    pub fn from_variables(variable: impl Fn(&str) -> Option<OsString>) -> Result<Self, NoHome> {
        // The specification says that relative paths are to be ignored.
        let absolute = |name: &str| variable(name).map(PathBuf::from).filter(|path| path.is_absolute());
        let folder = |name: &'static str, below_home: &str| {
            absolute(name)
                .or_else(|| absolute("HOME").map(|home| home.join(below_home)))
                .map(|base| base.join("onebit"))
                .ok_or(NoHome { variable: name })
        };
        let state = folder("XDG_STATE_HOME", ".local/state")?;
        Ok(Self {
            data: folder("XDG_DATA_HOME", ".local/share")?,
            config: folder("XDG_CONFIG_HOME", ".config")?,
            cache: folder("XDG_CACHE_HOME", ".cache")?,
            runtime: absolute("XDG_RUNTIME_DIR")
                .map_or_else(|| state.join("run"), |base| base.join("onebit")),
            state,
        })
    }

    /// Folder that holds models.
    pub fn models(&self) -> PathBuf {
        self.data.join("models")
    }

    /// Database of conversations.
    pub fn chats(&self) -> PathBuf {
        self.data.join("chats.db")
    }
}

/// Folders in which models that come with the program may lie: `../share/onebit/models` beside the folder of the binary, then
/// `assets/models` of the source tree the binary was built from, as long as it exists.
pub fn bundled_models() -> Vec<PathBuf> {
    let beside = std::env::current_exe().ok().and_then(|exe| bundled_beside(&exe));
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).parent().map(|root| root.join("assets/models"));
    beside.into_iter().chain(source).collect()
}

fn bundled_beside(exe: &Path) -> Option<PathBuf> {
    let bin = exe.parent()?;
    Some(bin.parent()?.join("share/onebit/models"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folders(variables: &[(&str, &str)]) -> Result<Folders, NoHome> {
        Folders::from_variables(|name| {
            variables.iter().find(|(key, _)| *key == name).map(|(_, value)| OsString::from(value))
        })
    }

    #[test]
    fn home_alone_gives_the_default_folders() {
        let found = folders(&[("HOME", "/home/ada")]).unwrap();
        assert_eq!(found.data, Path::new("/home/ada/.local/share/onebit"));
        assert_eq!(found.config, Path::new("/home/ada/.config/onebit"));
        assert_eq!(found.state, Path::new("/home/ada/.local/state/onebit"));
        assert_eq!(found.cache, Path::new("/home/ada/.cache/onebit"));
        assert_eq!(found.runtime, Path::new("/home/ada/.local/state/onebit/run"));
    }

    #[test]
    fn variables_win_over_home_and_relative_ones_are_ignored() {
        let found = folders(&[
            ("HOME", "/home/ada"),
            ("XDG_DATA_HOME", "/data"),
            ("XDG_STATE_HOME", "relative"),
            ("XDG_RUNTIME_DIR", "/run/user/7"),
        ])
        .unwrap();
        assert_eq!(found.data, Path::new("/data/onebit"));
        assert_eq!(found.state, Path::new("/home/ada/.local/state/onebit"));
        assert_eq!(found.runtime, Path::new("/run/user/7/onebit"));
    }

    #[test]
    fn no_home_is_an_error_that_names_the_variable() {
        let problem = folders(&[]).unwrap_err().to_string();
        assert!(problem.contains("HOME"), "{problem}");
    }

    #[test]
    fn bundled_models_lie_in_share_beside_the_folder_of_the_binary() {
        assert_eq!(
            bundled_beside(Path::new("/opt/onebit/bin/onebit")),
            Some(PathBuf::from("/opt/onebit/share/onebit/models"))
        );
    }
}
