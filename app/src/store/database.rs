//! The file: opening, locking, setting aside what is damaged, saving a journal in one transaction.
//!
//! One process writes: it holds an advisory lock on `chats.db.lock` for as long as it lives. A second process on the same folder
//! reads, and takes over when the first has gone. WAL mode, `synchronous = FULL`: a commit that was reported survives a power cut;
//! there are at most a few commits a second, none of them on a thread that draws.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rusqlite::backup::Backup;
use rusqlite::{Connection, ErrorCode, OpenFlags, Transaction, TransactionBehavior};

use super::health::{self, Health, is_damage};
use super::intake::{Intake, Progress};
use super::journal::Change;
use super::record::now_millis;
use super::{deleted, schema, sql};

/// How long another process may hold SQLite's own lock before a save counts as failed.
const BUSY_TIMEOUT: Duration = Duration::from_secs(2);
/// How long one transaction removes what was deleted: what other saving may have to wait for, with the commit on top.
const PURGE_SLICE: Duration = Duration::from_millis(40);

/// An open database that this process may write.
pub(super) struct Database {
    db: Connection,
    /// Held, never read: the kernel releases the lock when the file is closed or the process dies.
    _lock: Option<File>,
}

/// What opening found besides the database.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Findings {
    /// Where a damaged database was moved, and what was wrong with it.
    pub set_aside: Option<(PathBuf, String)>,
    /// What was wrong with the index over texts, which was made anew.
    pub index_remade: Option<String>,
    /// Answers that had been growing.
    pub interrupted: usize,
}

/// Why the database cannot be written.
#[derive(Debug)]
pub(super) enum OpenError {
    /// Somebody else writes it, or the folder does not allow it: worth trying again. Reading may work.
    Unavailable(String),
    /// A newer version of the program wrote it: not touched, not read.
    Newer(String),
}

impl OpenError {
    pub fn reason(&self) -> &str {
        match self {
            OpenError::Unavailable(reason) | OpenError::Newer(reason) => reason,
        }
    }
}

/// Changes that had nothing to apply to.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Dropped {
    /// Messages whose chat or parent is deleted.
    pub messages: usize,
    /// Deletions that cannot be undone any more.
    pub restorations: usize,
}

/// Why a transaction was not saved.
#[derive(Debug)]
pub(super) enum SaveError {
    /// The database is damaged (text says how); it has to be opened again.
    Damaged(String),
    /// Text for the user; worth trying again.
    Failed(String),
}

impl Database {
    /// Opens, checks and upgrades the database for writing; creates it, and its folder, when missing.
    ///
    /// # Errors
    /// It cannot be written; nothing was changed then.
    pub fn open(path: &Path) -> Result<(Self, Findings), OpenError> {
        let folder = path.parent().unwrap_or(Path::new("."));
        create_private_folder(folder).map_err(|err| {
            OpenError::Unavailable(format!("the folder cannot be created: {err}: {}", folder.display()))
        })?;
        let lock = lock(&beside(path, ".lock"))?;
        let mut findings = Findings::default();
        let health = probe(path)?;
        if let Health::Damaged(problem) = &health {
            let kept_at = set_aside(path).map_err(|err| {
                OpenError::Unavailable(format!(
                    "the chat database is damaged ({problem}) and could not be moved aside: {err}: {}",
                    path.display()
                ))
            })?;
            findings.set_aside = Some((kept_at, problem.clone()));
        }
        let failed = |err| OpenError::Unavailable(explain(&err, path));
        let mut db = open_for_writing(path).map_err(failed)?;
        if let Health::IndexDamaged(problem) = health {
            health::remake_index(&mut db).map_err(failed)?;
            findings.index_remade = Some(problem);
        }
        findings.interrupted = sql::mark_interrupted(&db).map_err(failed)?;
        Ok((Self { db, _lock: lock }, findings))
    }

    /// Connection for reading.
    pub fn connection(&self) -> &Connection {
        &self.db
    }

    /// Applies all changes in one transaction. Returns which had nothing to apply to any more.
    ///
    /// # Errors
    /// Nothing was applied.
    pub fn save(&mut self, changes: &[Change]) -> Result<Dropped, SaveError> {
        self.save_all(changes).map_err(|err| self.failed(&err))
    }

    fn failed(&self, err: &rusqlite::Error) -> SaveError {
        if is_damage(err) {
            return SaveError::Damaged(err.to_string());
        }
        SaveError::Failed(explain(err, self.db.path().map_or(Path::new(""), Path::new)))
    }

    /// Makes the index over texts anew, if nothing else is damaged; says whether it did.
    pub fn mend(&mut self) -> bool {
        let whole = matches!(health::examine(&self.db), Ok(Health::Whole | Health::IndexDamaged(_)));
        whole && health::remake_index(&mut self.db).is_ok()
    }

    fn save_all(&mut self, changes: &[Change]) -> rusqlite::Result<Dropped> {
        let transaction = self.db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut dropped = Dropped::default();
        for change in changes {
            if sql::apply(&transaction, change)? {
                continue;
            }
            match change {
                Change::AddMessage(_) => dropped.messages += 1,
                Change::RestoreChat(_)
                | Change::RestoreMessage(_)
                | Change::RestorePersona(_)
                | Change::RestoreFolder(_) => {
                    dropped.restorations += 1;
                }
                // Whatever else changes something that is deleted does no harm.
                _ => {}
            }
        }
        transaction.commit()?;
        Ok(dropped)
    }

    /// Takes in some of what an import has handed over, in one transaction.
    ///
    /// # Errors
    /// The database cannot be written; the import is over.
    pub fn take_in(&mut self, intake: &mut Intake) -> Result<Progress, SaveError> {
        self.in_transaction(|db| intake.take_in(db))
    }

    /// Removes for good, for a short while, what was deleted before this time, but not with the mark `except`; says whether more
    /// is left.
    ///
    /// # Errors
    /// The database cannot be written.
    pub fn purge(&mut self, before_millis: i64, except: Option<i64>) -> Result<bool, SaveError> {
        let end = Instant::now() + PURGE_SLICE;
        self.in_transaction(|db| deleted::purge(db, before_millis, except, end))
    }

    fn in_transaction<T>(
        &mut self,
        work: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T>,
    ) -> Result<T, SaveError> {
        let begun = self.db.transaction_with_behavior(TransactionBehavior::Immediate);
        let outcome = begun.and_then(|transaction| {
            let done = work(&transaction)?;
            transaction.commit()?;
            Ok(done)
        });
        outcome.map_err(|err| self.failed(&err))
    }

    #[cfg(test)]
    pub fn limit_pages(&self, pages: u32) {
        self.db.query_row(&format!("PRAGMA max_page_count = {pages}"), [], |_| Ok(())).unwrap();
    }
}

/// A connection to read what is there while writing is impossible: the file itself, else an empty database in memory.
pub(super) fn open_for_reading(path: &Path, why: &OpenError) -> Connection {
    let from_file = match why {
        OpenError::Newer(_) => None,
        // A folder without write permission has no room for SQLite's shared-memory file; `immutable` reads without one.
        OpenError::Unavailable(_) => {
            read_only(path, "mode=ro").or_else(|_| read_only(path, "immutable=1")).ok()
        }
    };
    from_file.unwrap_or_else(|| {
        let mut empty = Connection::open_in_memory().expect("an in-memory database needs no file");
        schema::migrate(&mut empty).expect("the schema fits an empty database");
        empty
    })
}

/// A connection that sees the database as it is at this moment, whoever writes it meanwhile.
///
/// # Errors
/// It cannot be read, or a newer version wrote it (text for the user).
pub(super) fn open_snapshot(path: &Path) -> Result<Connection, String> {
    if let Health::Damaged(problem) = probe(path).map_err(|err| err.reason().to_owned())? {
        return Err(format!("the chat database is damaged ({problem}): {}", path.display()));
    }
    read_only(path, "mode=ro")
        .or_else(|_| read_only(path, "immutable=1"))
        .and_then(|db| {
            // The snapshot begins with the first read of a transaction.
            db.execute_batch("BEGIN")?;
            sql::heads(&db)?;
            Ok(db)
        })
        .map_err(|err| explain(&err, path))
}

fn read_only(path: &Path, parameter: &str) -> rusqlite::Result<Connection> {
    let db = Connection::open_with_flags(
        uri(path, parameter),
        OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )?;
    db.busy_timeout(BUSY_TIMEOUT)?;
    // Opening is lazy; this finds out whether it can be read, and whether its tables are ours.
    let version = schema::version(&db)?;
    let db = if version < schema::VERSION { upgraded_copy(&db)? } else { db };
    sql::heads(&db)?;
    Ok(db)
}

/// A copy in memory of a database of an older version that cannot be written, in the format of this version.
fn upgraded_copy(old: &Connection) -> rusqlite::Result<Connection> {
    let mut copy = Connection::open_in_memory()?;
    Backup::new(old, &mut copy)?.run_to_completion(1 << 16, Duration::ZERO, None)?;
    schema::migrate(&mut copy)?;
    Ok(copy)
}

/// `file:` URI of a path, with everything percent-encoded that is not plainly a path.
fn uri(path: &Path, parameter: &str) -> String {
    use std::fmt::Write as _;
    use std::os::unix::ffi::OsStrExt as _;
    let mut uri = String::from("file:");
    for &byte in path.as_os_str().as_bytes() {
        if byte.is_ascii_alphanumeric() || b"/._-".contains(&byte) {
            uri.push(char::from(byte));
        } else {
            write!(uri, "%{byte:02x}").expect("writing to a String cannot fail");
        }
    }
    uri + "?" + parameter
}

/// Looks at an existing file without changing a byte of it.
fn probe(path: &Path) -> Result<Health, OpenError> {
    match path.metadata() {
        Err(err) if err.kind() == std::io::ErrorKind::NotFound => return Ok(Health::Whole),
        Err(err) => return Err(OpenError::Unavailable(format!("{err}: {}", path.display()))),
        Ok(found) if found.len() == 0 => return Ok(Health::Whole),
        Ok(_) => {}
    }
    let examined =
        Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX)
            .and_then(|db| {
                db.busy_timeout(BUSY_TIMEOUT)?;
                let version = schema::version(&db)?;
                let tables: i64 = db.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
                Ok((version, tables, health::examine(&db)?))
            });
    match examined {
        Ok((version, _, _)) if version > schema::VERSION => Err(OpenError::Newer(format!(
            "a newer version of this program wrote the chats (format {version}, this version knows {}); update the program. \
             Nothing was changed: {}",
            schema::VERSION,
            path.display()
        ))),
        Ok((0, 1.., _)) => Ok(Health::Damaged("it is a database of another program".to_owned())),
        Ok((_, _, health)) => Ok(health),
        Err(err) if is_damage(&err) => Ok(Health::Damaged(err.to_string())),
        Err(err) => Err(OpenError::Unavailable(explain(&err, path))),
    }
}

fn open_for_writing(path: &Path) -> rusqlite::Result<Connection> {
    let mut db = Connection::open_with_flags(
        path,
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )?;
    db.busy_timeout(BUSY_TIMEOUT)?;
    db.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(()))?;
    db.pragma_update(None, "synchronous", "FULL")?;
    db.pragma_update(None, "foreign_keys", true)?;
    // What is deleted is overwritten, not only unlinked.
    db.pragma_update(None, "secure_delete", true)?;
    schema::migrate(&mut db)?;
    Ok(db)
}

/// Moves the database and what belongs to it to names that nothing overwrites.
fn set_aside(path: &Path) -> std::io::Result<PathBuf> {
    let mark = format!(".corrupt-{}", now_millis());
    let kept_at = beside(path, &mark);
    std::fs::rename(path, &kept_at)?;
    for part in ["-wal", "-shm"] {
        match std::fs::rename(beside(path, part), beside(&kept_at, part)) {
            Err(err) if err.kind() != std::io::ErrorKind::NotFound => return Err(err),
            _ => {}
        }
    }
    Ok(kept_at)
}

/// Takes the writer's lock. `Ok(None)` on file systems without locks, where SQLite's own locking has to do.
fn lock(path: &Path) -> Result<Option<File>, OpenError> {
    let file = OpenOptions::new().create(true).truncate(false).write(true).open(path).map_err(|err| {
        OpenError::Unavailable(format!("the folder cannot be written: {err}: {}", path.display()))
    })?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Err(OpenError::Unavailable(
            "another running copy of this program writes the chats; close it to save from here".to_owned(),
        )),
        Err(TryLockError::Error(err)) if err.kind() == std::io::ErrorKind::Unsupported => Ok(None),
        Err(TryLockError::Error(err)) => {
            Err(OpenError::Unavailable(format!("the chats cannot be locked: {err}: {}", path.display())))
        }
    }
}

/// Chats are private: folders made here are for their owner only.
fn create_private_folder(folder: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

/// `path` with `ending` appended to its file name.
fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    PathBuf::from(name)
}

/// Text for the user: what happened, what to do, which file.
pub(super) fn explain(err: &rusqlite::Error, path: &Path) -> String {
    let file = path.display();
    match err.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => format!("the disk is full; free some space: {file}"),
        Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => {
            format!("the chat database cannot be written; check the permissions of its folder: {file}")
        }
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            format!("another program keeps the chat database locked: {file}")
        }
        _ => format!("the chat database cannot be used: {err}: {file}"),
    }
}
