//! `settings.toml`: reads what it can, names what it cannot, and edits single values so that comments, order and unknown keys of a
//! hand-written file stay. A file that cannot be read at all is set aside before the first change is written, never overwritten.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Read as _};
use std::path::{Path, PathBuf};

use toml_edit::{DocumentMut, Item, Table, TableLike};

use super::table::TABLE;
use super::{Change, Key, Row, Settings, Value};
use crate::shell::{action, keymap};
use crate::whole_file;

/// Largest file that is read.
const MAX_BYTES: u64 = 1 << 20;
/// Most problems that are told apart.
const MAX_PROBLEMS: usize = 20;
/// Most models with settings of their own.
const MAX_MODELS: usize = 1000;
/// Longest part of a value that a message shows, in characters.
const MAX_SHOWN: usize = 40;
/// The form of the file that this program writes.
const VERSION: i64 = 1;
const VERSION_KEY: &str = "version";
const MODEL_TABLE: &str = "model";
const SHORTCUT_TABLE: &str = "shortcuts";

/// Something in the file that is not used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Name with its table; empty for the whole file.
    pub key: String,
    /// What would be right.
    pub expected: String,
    /// What is there.
    pub found: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.key.is_empty() {
            write!(out, "{}: ", self.key)?;
        }
        write!(out, "expected {}, found {}", self.expected, self.found)
    }
}

/// What reading the file brought.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Loaded {
    /// The values that could be used.
    pub settings: Settings,
    /// The rest, for which the defaults are used.
    pub problems: Vec<Problem>,
    /// Whether the first change will set the file aside, because it cannot be edited as it is.
    pub sets_aside: bool,
}

/// Reads the file.
pub(super) fn load(path: &Path) -> Loaded {
    match read(path) {
        Ok(text) => parse(&text).1,
        Err(problem) => Loaded { problems: vec![problem], sets_aside: true, ..Loaded::default() },
    }
}

/// Writes changes into the file; gives where an unusable file was set aside.
///
/// # Errors
/// The folder or the file cannot be written. The file is as it was.
pub(super) fn save(path: &Path, changes: &[Change]) -> io::Result<Option<PathBuf>> {
    // What is set aside is the file, not a link to it.
    let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let (mut document, usable) = match read(&path) {
        Ok(text) => {
            let (document, loaded) = parse(&text);
            (document, !loaded.sets_aside)
        }
        Err(_) => (DocumentMut::new(), false),
    };
    let aside = if usable { None } else { Some(set_aside(&path)?) };
    let before = document.to_string();
    for change in changes {
        edit(&mut document, change);
    }
    let text = document.to_string();
    if text != before || aside.is_some() {
        replace(&path, &text)?;
    }
    Ok(aside)
}

fn read(path: &Path) -> Result<String, Problem> {
    let whole =
        |expected: &str, found: String| Problem { key: String::new(), expected: expected.to_owned(), found };
    let refused = |err: &io::Error| whole("a readable file", err.to_string());
    match path.metadata() {
        Err(err) if err.kind() == ErrorKind::NotFound => return Ok(String::new()),
        Err(err) => return Err(refused(&err)),
        // Opening anything else could wait for ever.
        Ok(found) if !found.is_file() => return Err(whole("a file", "something else".to_owned())),
        Ok(_) => {}
    }
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(MAX_BYTES + 1).read_to_end(&mut bytes))
        .map_err(|err| refused(&err))?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(whole("at most 1 MiB", "more".to_owned()));
    }
    String::from_utf8(bytes).map_err(|err| {
        whole("UTF-8 text", format!("other bytes at offset {}", err.utf8_error().valid_up_to()))
    })
}

/// The document and what is in it. A text that is no TOML gives an empty document.
fn parse(text: &str) -> (DocumentMut, Loaded) {
    let document = match text.parse::<DocumentMut>() {
        Ok(document) => document,
        Err(err) => {
            let line = err.span().map_or(1, |span| text[..span.start.min(text.len())].lines().count().max(1));
            let found = format!("{} in line {line}", err.message().lines().next().unwrap_or("an error"));
            let problem = Problem { key: String::new(), expected: "TOML".to_owned(), found };
            return (
                DocumentMut::new(),
                Loaded { problems: vec![problem], sets_aside: true, ..Loaded::default() },
            );
        }
    };
    let mut reader = Reader::default();
    reader.document(document.as_table());
    (document, reader.loaded)
}

#[derive(Default)]
struct Reader {
    loaded: Loaded,
}

impl Reader {
    fn document(&mut self, table: &Table) {
        for (name, item) in table.iter() {
            match (name, item.as_table_like()) {
                (VERSION_KEY, _) => self.version(item),
                (MODEL_TABLE, Some(models)) => self.models(models),
                (SHORTCUT_TABLE, Some(shortcuts)) => self.shortcuts(shortcuts),
                (MODEL_TABLE | SHORTCUT_TABLE, None) => self.problem(name.to_owned(), "a table", item),
                (section, found) if TABLE.iter().any(|row| row.section == section) => match found {
                    Some(values) => self.values(values, section, None),
                    None => self.problem(section.to_owned(), "a table", item),
                },
                _ => self.problem(name.to_owned(), "a known setting", item),
            }
        }
    }

    fn version(&mut self, item: &Item) {
        if item.as_integer() != Some(VERSION) {
            self.loaded.sets_aside = true;
            self.problem(VERSION_KEY.to_owned(), &VERSION.to_string(), item);
        }
    }

    fn models(&mut self, models: &dyn TableLike) {
        for (model, item) in models.iter().take(MAX_MODELS) {
            let Some(sections) = item.as_table_like() else {
                self.problem(format!("{MODEL_TABLE}.{}", shortened(model)), "a table", item);
                continue;
            };
            for (section, item) in sections.iter() {
                match item.as_table_like() {
                    Some(values) => self.values(values, section, Some(model)),
                    None => {
                        self.problem(format!("{MODEL_TABLE}.{}.{section}", shortened(model)), "a table", item)
                    }
                }
            }
        }
    }

    fn values(&mut self, values: &dyn TableLike, section: &str, model: Option<&str>) {
        let prefix = model.map(|model| format!("{MODEL_TABLE}.{}.", shortened(model))).unwrap_or_default();
        for (name, item) in values.iter() {
            let path = || format!("{prefix}{}.{}", shortened(section), shortened(name));
            let row = TABLE.iter().find(|row| row.section == section && row.name == name);
            match row.filter(|row| model.is_none() || row.per_model) {
                None if model.is_some() => self.problem(path(), "a setting that models may have", item),
                None => self.problem(path(), "a known setting", item),
                Some(row) => match value_of(row, item).filter(|value| row.kind.check(value).is_ok()) {
                    Some(value) => self.loaded.settings.set(row.key, model, Some(value)),
                    None => self.problem(path(), &row.kind.expected(), item),
                },
            }
        }
    }

    fn shortcuts(&mut self, shortcuts: &dyn TableLike) {
        for (id, item) in shortcuts.iter() {
            let path = || format!("{SHORTCUT_TABLE}.{}", shortened(id));
            match item.as_str() {
                _ if action::action(id).is_none() => self.problem(path(), "the name of an action", item),
                Some(text) if keymap::parse_key(text).is_some() => {
                    self.loaded.settings.shortcuts.insert(id.to_owned(), text.to_owned());
                }
                _ => self.problem(path(), "a key like \"Ctrl+Shift+N\", or \"\"", item),
            }
        }
    }

    fn problem(&mut self, key: String, expected: &str, found: &Item) {
        if self.loaded.problems.len() < MAX_PROBLEMS {
            let found = match found {
                Item::Value(value) => shortened(value.to_string().trim()),
                other => format!("{} {}", "a", other.type_name()),
            };
            self.loaded.problems.push(Problem { key, expected: expected.to_owned(), found });
        }
    }
}

fn value_of(row: &Row, item: &Item) -> Option<Value> {
    let value = item.as_value()?;
    match &row.default {
        Value::Switch(_) => value.as_bool().map(Value::Switch),
        Value::Whole(_) => value.as_integer().map(Value::Whole),
        // `temperature = 1` means the number.
        Value::Real(_) => {
            value.as_float().or_else(|| value.as_integer().map(|whole| whole as f64)).map(Value::Real)
        }
        Value::Text(_) => value.as_str().map(|text| Value::from(text.to_owned())),
    }
}

/// A piece of foreign text for a message: one line, not long.
fn shortened(text: &str) -> String {
    let clean = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    let mut short: String = clean.clone().take(MAX_SHOWN).collect();
    if clean.count() > MAX_SHOWN {
        short.push('…');
    }
    short
}

fn edit(document: &mut DocumentMut, change: &Change) {
    match change {
        Change::Set { key, model, value } => {
            let row = key.row();
            let at: Vec<&str> = match model {
                Some(model) => vec![MODEL_TABLE, model, row.section],
                None => vec![row.section],
            };
            // What is the default anyway need not be written, except for one model.
            let value = value.as_ref().filter(|value| model.is_some() || **value != row.default);
            put(document, &at, row.name, value.map(|value| toml_value(*key, value)));
        }
        Change::Shortcut { action, keys } => {
            put(document, &[SHORTCUT_TABLE], action, keys.as_ref().map(toml_edit::Value::from));
        }
        Change::ResetAll => {
            let sections: Vec<&str> = TABLE.iter().map(|row| row.section).collect();
            for name in sections.into_iter().chain([MODEL_TABLE, SHORTCUT_TABLE]) {
                document.remove(name);
            }
        }
    }
}

fn toml_value(key: Key, value: &Value) -> toml_edit::Value {
    match value {
        Value::Switch(value) => (*value).into(),
        Value::Whole(value) => (*value).into(),
        // The slider's steps are decimal; the nearest double of one is written as people write it.
        Value::Real(value) => format!("{value}").parse().unwrap_or_else(|_| (*value).into()),
        Value::Text(text) => {
            debug_assert!(key.row().kind.check(value).is_ok());
            text.as_ref().into()
        }
    }
}

/// Sets or removes a value below nested tables; tables that become empty go.
fn put(document: &mut DocumentMut, tables: &[&str], name: &str, value: Option<toml_edit::Value>) {
    if document.is_empty() && value.is_some() {
        document.insert(VERSION_KEY, toml_edit::value(VERSION));
    }
    put_below(document.as_table_mut(), tables, name, value);
}

fn put_below(table: &mut dyn TableLike, tables: &[&str], name: &str, value: Option<toml_edit::Value>) {
    let Some((first, rest)) = tables.split_first() else {
        match (table.get_mut(name).and_then(Item::as_value_mut), value) {
            (Some(old), Some(mut new)) => {
                // Comments beside the value stay.
                *new.decor_mut() = old.decor().clone();
                *old = new;
            }
            (None, Some(new)) => {
                table.insert(name, Item::Value(new));
            }
            (_, None) => {
                table.remove(name);
            }
        }
        return;
    };
    let is_table = table.get(first).is_some_and(Item::is_table_like);
    if !is_table {
        if value.is_none() {
            return;
        }
        let mut inner = Table::new();
        inner.set_implicit(!rest.is_empty());
        table.insert(first, Item::Table(inner));
    }
    let Some(inner) = table.get_mut(first).and_then(Item::as_table_like_mut) else { return };
    put_below(inner, rest, name, value);
    if inner.is_empty() {
        table.remove(first);
    }
}

/// Moves a file to a name that nothing has.
fn set_aside(path: &Path) -> io::Result<PathBuf> {
    for number in 1..1000 {
        let mut name = path.file_name().unwrap_or_default().to_owned();
        name.push(format!(".set-aside-{number}"));
        let target = path.with_file_name(name);
        if target.symlink_metadata().is_err() {
            fs::rename(path, &target)?;
            return Ok(target);
        }
    }
    Err(io::Error::new(ErrorKind::AlreadyExists, "too many settings files were set aside; delete some"))
}

/// Puts `text` in the place of a file at once: after a crash the old one or the new one is there, whole.
fn replace(path: &Path, text: &str) -> io::Result<()> {
    fs::create_dir_all(path.parent().unwrap_or(Path::new(".")))?;
    whole_file::replace(path, |err| err, |out| out.write_all(text.as_bytes()))
}
