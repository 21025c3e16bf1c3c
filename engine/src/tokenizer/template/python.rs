//! What Python gives to Jinja templates and `minijinja` does not: methods of `str` and `dict`, and `tojson` as `json.dumps`
//! writes it. Every result is charged against the budget of the rendering.

use std::borrow::Cow;
use std::io;
use std::sync::Arc;

use minijinja::value::{Kwargs, ValueKind, from_args};
use minijinja::{Environment, Error, ErrorKind, Value};
use serde::Serialize as _;

use super::bounded::Budget;

/// What an entry of a list counts against the budget besides its text.
const ITEM_BYTES: usize = 32;
/// Widest indentation of `indent` and `tojson`.
const MAX_INDENT: usize = 64;

/// Calls `value.method(args)`.
pub(super) fn call(budget: &Budget, value: &Value, method: &str, args: &[Value]) -> Result<Value, Error> {
    match value.kind() {
        ValueKind::String => {
            let text = value.as_str().expect("strings have a text");
            text_method(budget, text, method, args)
        }
        ValueKind::Map => map_method(value, method, args),
        _ => Err(Error::from(ErrorKind::UnknownMethod)),
    }
}

fn text_method(budget: &Budget, text: &str, method: &str, args: &[Value]) -> Result<Value, Error> {
    let slice = |part: &str| budget.value(format_args!("{part}"));
    match method {
        "strip" | "lstrip" | "rstrip" => {
            let (chars,): (Option<Cow<'_, str>>,) = from_args(args)?;
            slice(strip(text, method, chars.as_deref()))
        }
        "removeprefix" | "removesuffix" => {
            let (part,): (&str,) = from_args(args)?;
            let rest =
                if method == "removeprefix" { text.strip_prefix(part) } else { text.strip_suffix(part) };
            slice(rest.unwrap_or(text))
        }
        "startswith" | "endswith" => {
            let (parts,): (&Value,) = from_args(args)?;
            edge_matches(text, method == "startswith", parts).map(Value::from)
        }
        "split" | "rsplit" => {
            let (separator, most): (Option<&str>, Option<i64>) = from_args(args)?;
            split(budget, text, method == "rsplit", separator, most)
        }
        "splitlines" => {
            let () = from_args(args)?;
            list(budget, text.lines())
        }
        "replace" => {
            let (from, to, count): (&str, &str, Option<i64>) = from_args(args)?;
            let count = count.map_or(usize::MAX, |count| usize::try_from(count).unwrap_or(usize::MAX));
            replace(budget, text, from, to, count)
        }
        "join" => {
            let (items,): (&Value,) = from_args(args)?;
            join(budget, text, items)
        }
        "upper" => slice(&text.to_uppercase()),
        "lower" => slice(&text.to_lowercase()),
        "capitalize" => slice(&capitalize(text)),
        "title" => slice(&title(text)),
        "find" | "rfind" | "count" => {
            let (part,): (&str,) = from_args(args)?;
            Ok(Value::from(search(text, method, part)))
        }
        "isspace" => Ok(Value::from(!text.is_empty() && text.chars().all(char::is_whitespace))),
        "isdigit" => Ok(Value::from(!text.is_empty() && text.chars().all(char::is_numeric))),
        "isalpha" => Ok(Value::from(!text.is_empty() && text.chars().all(char::is_alphabetic))),
        _ => Err(Error::from(ErrorKind::UnknownMethod)),
    }
}

fn map_method(map: &Value, method: &str, args: &[Value]) -> Result<Value, Error> {
    match method {
        "get" => {
            let (key, otherwise): (&Value, Option<&Value>) = from_args(args)?;
            let found = map.get_item(key)?;
            Ok(if found.is_undefined() { otherwise.cloned().unwrap_or(Value::from(())) } else { found })
        }
        "keys" => {
            let () = from_args(args)?;
            Ok(map.try_iter()?.collect())
        }
        "values" => {
            let () = from_args(args)?;
            map.try_iter()?.map(|key| map.get_item(&key)).collect()
        }
        "items" => {
            let () = from_args(args)?;
            let pair = |key: Value| map.get_item(&key).map(|value| Value::from(vec![key, value]));
            map.try_iter()?.map(pair).collect()
        }
        _ => Err(Error::from(ErrorKind::UnknownMethod)),
    }
}

fn strip<'t>(text: &'t str, method: &str, chars: Option<&str>) -> &'t str {
    let strips = |c: char| chars.map_or(c.is_whitespace(), |chars| chars.contains(c));
    match method {
        "lstrip" => text.trim_start_matches(strips),
        "rstrip" => text.trim_end_matches(strips),
        _ => text.trim_matches(strips),
    }
}

fn edge_matches(text: &str, at_start: bool, parts: &Value) -> Result<bool, Error> {
    let matches = |part: &str| if at_start { text.starts_with(part) } else { text.ends_with(part) };
    if let Some(part) = parts.as_str() {
        return Ok(matches(part));
    }
    let mut any = false;
    for part in parts.try_iter()? {
        any |= part.as_str().is_some_and(matches);
    }
    Ok(any)
}

fn split(
    budget: &Budget,
    text: &str,
    from_right: bool,
    separator: Option<&str>,
    most: Option<i64>,
) -> Result<Value, Error> {
    // Python counts cuts, Rust counts parts; a negative number means all.
    let parts = most.map_or(usize::MAX, |most| usize::try_from(most).map_or(usize::MAX, |most| most + 1));
    match separator {
        Some("") => Err(Error::new(ErrorKind::InvalidOperation, "split needs a separator that is not empty")),
        Some(separator) if from_right => {
            let mut found: Vec<&str> = text.rsplitn(parts, separator).collect();
            found.reverse();
            list(budget, found.into_iter())
        }
        Some(separator) => list(budget, text.splitn(parts, separator)),
        None if parts == usize::MAX => list(budget, text.split_whitespace()),
        None => Err(Error::new(ErrorKind::InvalidOperation, "split with a count needs a separator")),
    }
}

fn list<'t>(budget: &Budget, parts: impl Iterator<Item = &'t str>) -> Result<Value, Error> {
    parts
        .map(|part| {
            budget.charge(part.len() + ITEM_BYTES)?;
            Ok(Value::from(part))
        })
        .collect()
}

/// `text` with the first `count` occurrences of `from` replaced.
pub(super) fn replace(
    budget: &Budget,
    text: &str,
    from: &str,
    to: &str,
    count: usize,
) -> Result<Value, Error> {
    let found = text.matches(from).take(count).count();
    let added = found.saturating_mul(to.len());
    budget.check(text.len().saturating_add(added))?;
    budget.value(format_args!("{}", text.replacen(from, to, count)))
}

/// The items as texts with `joiner` between them.
pub(super) fn join(budget: &Budget, joiner: &str, items: &Value) -> Result<Value, Error> {
    let mut text = String::new();
    for (at, item) in items.try_iter()?.enumerate() {
        if at > 0 {
            text.push_str(joiner);
        }
        budget.charge(joiner.len())?;
        text.push_str(&budget.written(&item)?);
        budget.check(text.len())?;
    }
    budget.value(format_args!("{text}"))
}

fn capitalize(text: &str) -> String {
    let mut chars = text.chars();
    let first = chars.next().into_iter().flat_map(char::to_uppercase);
    first.chain(chars.as_str().to_lowercase().chars()).collect()
}

fn title(text: &str) -> String {
    let mut inside = false;
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if inside {
            out.extend(c.to_lowercase());
        } else {
            out.extend(c.to_uppercase());
        }
        inside = c.is_alphabetic();
    }
    out
}

/// Positions are counted in characters, as Python does; -1 when there is none.
fn search(text: &str, method: &str, part: &str) -> i64 {
    let chars = |at: usize| text[..at].chars().count() as i64;
    match method {
        "count" => text.matches(part).count() as i64,
        "find" => text.find(part).map_or(-1, chars),
        _ => text.rfind(part).map_or(-1, chars),
    }
}

/// `indent` and `tojson`.
pub(super) fn add_text_filters(env: &mut Environment<'_>, budget: &Arc<Budget>) {
    let charged = Arc::clone(budget);
    env.add_filter("indent", move |text: &str, width: Option<usize>, options: Kwargs| {
        let width = options.get::<Option<usize>>("width")?.or(width).unwrap_or(4);
        let (first, blank): (Option<bool>, Option<bool>) = (options.get("first")?, options.get("blank")?);
        options.assert_all_used()?;
        indent(&charged, text, width, first == Some(true), blank == Some(true))
    });
    let charged = Arc::clone(budget);
    env.add_filter("tojson", move |value: &Value, options: Kwargs| {
        let indent: Option<usize> = options.get("indent")?;
        // Arguments of `json.dumps` that change nothing here.
        let _: (Option<bool>, Option<bool>) = (options.get("ensure_ascii")?, options.get("sort_keys")?);
        options.assert_all_used()?;
        json(&charged, value, indent)
    });
}

/// Pads all lines but the first and the empty ones, unless asked otherwise.
fn indent(budget: &Budget, text: &str, width: usize, first: bool, blank: bool) -> Result<Value, Error> {
    let pad = indentation(width)?;
    let mut out = String::new();
    for (at, line) in text.split('\n').enumerate() {
        if at > 0 {
            out.push('\n');
        }
        let is_padded = if at == 0 { first } else { blank || !line.is_empty() };
        if is_padded {
            out.push_str(&pad);
        }
        out.push_str(line);
        budget.check(out.len())?;
    }
    budget.value(format_args!("{out}"))
}

fn indentation(width: usize) -> Result<String, Error> {
    if width > MAX_INDENT {
        return Err(Error::new(ErrorKind::InvalidOperation, "the indentation is too wide"));
    }
    Ok(" ".repeat(width))
}

fn json(budget: &Budget, value: &Value, indent: Option<usize>) -> Result<Value, Error> {
    let mut sink = JsonText { bytes: Vec::new(), budget };
    let written = match indent {
        None => value.serialize(&mut serde_json::Serializer::with_formatter(&mut sink, PythonSeparators)),
        Some(width) => {
            let pad = indentation(width)?;
            let formatter = serde_json::ser::PrettyFormatter::with_indent(pad.as_bytes());
            value.serialize(&mut serde_json::Serializer::with_formatter(&mut sink, formatter))
        }
    };
    written.map_err(|err| Error::new(ErrorKind::BadSerialization, err.to_string()))?;
    budget.value(format_args!("{}", String::from_utf8_lossy(&sink.bytes)))
}

/// Collects JSON as long as one text may become.
struct JsonText<'b> {
    bytes: Vec<u8>,
    budget: &'b Budget,
}

impl io::Write for JsonText<'_> {
    fn write(&mut self, part: &[u8]) -> io::Result<usize> {
        self.budget.check(self.bytes.len() + part.len()).map_err(io::Error::other)?;
        self.bytes.extend_from_slice(part);
        Ok(part.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// `json.dumps` writes `", "` and `": "`.
struct PythonSeparators;

impl serde_json::ser::Formatter for PythonSeparators {
    fn begin_array_value<W: ?Sized + io::Write>(&mut self, out: &mut W, first: bool) -> io::Result<()> {
        if first { Ok(()) } else { out.write_all(b", ") }
    }

    fn begin_object_key<W: ?Sized + io::Write>(&mut self, out: &mut W, first: bool) -> io::Result<()> {
        if first { Ok(()) } else { out.write_all(b", ") }
    }

    fn begin_object_value<W: ?Sized + io::Write>(&mut self, out: &mut W) -> io::Result<()> {
        out.write_all(b": ")
    }
}
