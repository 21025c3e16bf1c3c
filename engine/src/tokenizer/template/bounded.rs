//! Running a hostile template: bounded steps, bounded text, bounded depth.
//!
//! `minijinja` counts instructions (fuel) but not the bytes they make, so `x ~ x` forty times over would ask for a terabyte.
//! Here every instruction and filter that makes text is charged against a budget: operators are replaced in the compiled
//! program by filters of ours, and filters that can blow a text up are replaced or left out. What remains (deep nesting in
//! the source or in values) is met by a thread with a large stack, on which a template is compiled, run and dropped.

use std::fmt::{self, Write as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use minijinja::machinery::{self, CompiledTemplate, Instruction, Instructions, TemplateConfig, Token};
use minijinja::syntax::SyntaxConfig;
use minijinja::value::ValueKind;
use minijinja::{AutoEscape, Environment, Error, ErrorKind, Value};

use super::{TemplateError, clock, operators, python};

/// Longest source. Published templates have at most some 30 KiB.
const MAX_SOURCE_BYTES: usize = 128 << 10;
/// Instructions of one rendering; a message needs about a hundred.
const MAX_STEPS: u64 = 400_000;
/// Raw text of the template may be written again and again: steps times its longest piece stay below this.
const MAX_RAW_BYTES: u64 = 512 << 20;
/// Any one text may have this many bytes and four times what went in.
const TEXT_BYTES: usize = 1 << 20;
/// All texts made on the way may have this many bytes and 32 times what went in.
const TOTAL_BYTES: usize = 64 << 20;
/// Nested macro calls and recursive loops.
const MAX_CALLS: usize = 100;
/// Stack of the rendering thread; only what is touched is ever backed by memory.
const STACK_BYTES: usize = 256 << 20;

const ADD: &str = "bounded_add";
const CONCAT: &str = "bounded_concat";
const MULTIPLY: &str = "bounded_multiply";
const SLICE: &str = "bounded_slice";

/// Filters of `minijinja` that can make much from little and that chat templates do not use.
const LEFT_OUT: &[&str] = &["batch", "chain", "e", "escape", "format", "pprint", "slice", "sum", "zip"];

/// A checked template.
#[derive(Debug)]
pub(super) struct Program {
    source: String,
}

impl Program {
    /// Checks that `source` compiles.
    pub(super) fn compile(source: &str) -> Result<Self, TemplateError> {
        if source.len() > MAX_SOURCE_BYTES {
            let problem = format!("{} bytes; at most {MAX_SOURCE_BYTES} are allowed", source.len());
            return Err(TemplateError(problem));
        }
        on_large_stack(|| {
            refuse_large_constants(source)?;
            compile(source).map(drop).map_err(|err| in_words(&err))
        })?;
        Ok(Self { source: source.to_owned() })
    }

    /// Runs the template. `input_bytes` is the length of all texts in `context`.
    pub(super) fn run(&self, context: Value, input_bytes: usize) -> Result<String, TemplateError> {
        on_large_stack(|| {
            let budget = Arc::new(Budget::new(input_bytes));
            render(&self.source, context, &budget).map_err(|err| in_words(&err))
        })
    }
}

/// Runs `work` where deep recursion is harmless, and turns a panic into an error.
fn on_large_stack<T: Send>(
    work: impl FnOnce() -> Result<T, TemplateError> + Send,
) -> Result<T, TemplateError> {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().name("template".to_owned()).stack_size(STACK_BYTES);
        match thread.spawn_scoped(scope, work) {
            Ok(handle) => handle
                .join()
                .unwrap_or_else(|_| Err(TemplateError("the template broke the renderer".to_owned()))),
            Err(err) => Err(TemplateError(format!("no thread to render on: {err}"))),
        }
    })
}

fn syntax() -> SyntaxConfig {
    let mut syntax = SyntaxConfig::builder();
    syntax.trim_blocks(true).lstrip_blocks(true);
    syntax.build().expect("the default delimiters are valid")
}

fn compile(source: &str) -> Result<CompiledTemplate<'_>, Error> {
    let config =
        TemplateConfig { syntax_config: syntax(), default_auto_escape: Arc::new(|_| AutoEscape::None) };
    CompiledTemplate::new("chat_template", source, &config)
}

/// Products of constants are computed while compiling, where nothing is charged; so a text or list next to `*` is refused.
fn refuse_large_constants(source: &str) -> Result<(), TemplateError> {
    let mut before = None;
    let mut tokens = machinery::tokenize(source, false, syntax())
        .map_while(|token| token.ok().map(|(token, _)| token))
        .peekable();
    while let Some(token) = tokens.next() {
        let is_small = |side: Option<&Token>| {
            matches!(side, Some(Token::Ident(_) | Token::Int(_) | Token::Float(_) | Token::Dot))
        };
        if matches!(token, Token::Mul) && !(is_small(before.as_ref()) && is_small(tokens.peek())) {
            return Err(TemplateError("`*` is allowed between numbers and names only".to_owned()));
        }
        before = Some(token);
    }
    Ok(())
}

fn render(source: &str, context: Value, budget: &Arc<Budget>) -> Result<String, Error> {
    let mut compiled = compile(source)?;
    let mut longest_raw = bound_operators(&mut compiled.instructions);
    for block in compiled.blocks.values_mut() {
        longest_raw = longest_raw.max(bound_operators(block));
    }
    let environment = environment(budget, MAX_STEPS.min(MAX_RAW_BYTES / longest_raw.max(1)));
    let mut text = String::new();
    let mut output = machinery::make_string_output(&mut text);
    let program = &compiled.instructions;
    machinery::eval(&environment, program, context, &compiled.blocks, &mut output, AutoEscape::None)?;
    drop(output);
    Ok(text)
}

/// Replaces operators that make text or lists by charged filters (and slices, which panic in `minijinja` when empty); returns the length of the longest raw text.
fn bound_operators(program: &mut Instructions<'_>) -> u64 {
    /// Filters beyond the first fifty of a program are looked up by name: this marks one.
    const BY_NAME: u8 = !0;
    let mut longest_raw = 0;
    let mut at = 0;
    while let Some(instruction) = program.get_mut(at) {
        let filter = match instruction {
            Instruction::Add => Some((ADD, 2)),
            Instruction::StringConcat => Some((CONCAT, 2)),
            Instruction::Mul => Some((MULTIPLY, 2)),
            Instruction::Slice => Some((SLICE, 4)),
            Instruction::EmitRaw(raw) => {
                longest_raw = longest_raw.max(raw.len() as u64);
                None
            }
            _ => None,
        };
        if let Some((name, operands)) = filter {
            *instruction = Instruction::ApplyFilter(name, Some(operands), BY_NAME);
        }
        at += 1;
    }
    longest_raw
}

fn environment(budget: &Arc<Budget>, steps: u64) -> Environment<'static> {
    let mut env = Environment::new();
    env.set_fuel(Some(steps));
    env.set_recursion_limit(MAX_CALLS);
    for name in LEFT_OUT {
        env.remove_filter(name);
    }
    env.remove_global("cycler");
    env.remove_global("joiner");
    env.remove_global("debug");
    let at = |budget: &Arc<Budget>| Arc::clone(budget);

    let charged = at(budget);
    env.set_formatter(move |out, _, value| Ok(out.write_str(&charged.written(value)?)?));
    let charged = at(budget);
    env.add_filter(ADD, move |a: &Value, b: &Value| operators::add(&charged, a, b));
    let charged = at(budget);
    env.add_filter(CONCAT, move |a: &Value, b: &Value| {
        let (a, b) = (charged.written(a)?, charged.written(b)?);
        charged.value(format_args!("{a}{b}"))
    });
    let charged = at(budget);
    env.add_filter(MULTIPLY, move |a: &Value, b: &Value| operators::multiply(&charged, a, b));
    let charged = at(budget);
    env.add_filter(SLICE, move |value: &Value, start: &Value, stop: &Value, step: &Value| {
        operators::slice(&charged, value, start, stop, step)
    });
    let charged = at(budget);
    env.add_filter("string", move |value: &Value| charged.written(value));
    let charged = at(budget);
    env.add_filter("replace", move |text: &str, from: &str, to: &str| {
        python::replace(&charged, text, from, to, usize::MAX)
    });
    let charged = at(budget);
    env.add_filter("join", move |items: &Value, joiner: Option<&str>| {
        python::join(&charged, joiner.unwrap_or(""), items)
    });
    python::add_text_filters(&mut env, budget);

    env.add_function("raise_exception", |message: &str| -> Result<Value, Error> {
        Err(Error::new(ErrorKind::InvalidOperation, message.to_owned()))
    });
    env.add_function("strftime_now", |state: &minijinja::State, format: &str| {
        let fixed = state.lookup("now_secs").and_then(|secs| u64::try_from(secs).ok());
        clock::strftime(format, fixed.unwrap_or_else(clock::now_secs))
    });
    let charged = at(budget);
    env.set_unknown_method_callback(move |_, value, method, args| {
        python::call(&charged, value, method, args)
    });
    env
}

/// Bytes that a rendering may still make.
#[derive(Debug)]
pub(super) struct Budget {
    left: AtomicUsize,
    longest: usize,
}

impl Budget {
    fn new(input_bytes: usize) -> Self {
        Self {
            left: AtomicUsize::new(input_bytes.saturating_mul(32).saturating_add(TOTAL_BYTES)),
            longest: input_bytes.saturating_mul(4).saturating_add(TEXT_BYTES),
        }
    }

    /// An error unless one text may have this many bytes.
    pub(super) fn check(&self, bytes: usize) -> Result<(), Error> {
        if bytes > self.longest {
            return Err(Error::new(ErrorKind::InvalidOperation, "a text became too long"));
        }
        Ok(())
    }

    /// Takes `bytes` from what is left.
    pub(super) fn charge(&self, bytes: usize) -> Result<(), Error> {
        let taken =
            self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(bytes));
        taken
            .map(drop)
            .map_err(|_| Error::new(ErrorKind::InvalidOperation, "the template makes too much text"))
    }

    /// Formats within the budget.
    pub(super) fn text(&self, arguments: fmt::Arguments<'_>) -> Result<String, Error> {
        let mut bounded = BoundedText { text: String::new(), longest: self.longest };
        if bounded.write_fmt(arguments).is_err() {
            return self.check(usize::MAX).map(|()| String::new());
        }
        self.charge(bounded.text.len())?;
        Ok(bounded.text)
    }

    /// A value as Python writes it.
    pub(super) fn written(&self, value: &Value) -> Result<String, Error> {
        match value.kind() {
            ValueKind::None => Ok("None".to_owned()),
            ValueKind::Bool => Ok(if value.is_true() { "True" } else { "False" }.to_owned()),
            _ => self.text(format_args!("{value}")),
        }
    }

    /// As [`Self::text`], as a value.
    pub(super) fn value(&self, arguments: fmt::Arguments<'_>) -> Result<Value, Error> {
        self.text(arguments).map(Value::from)
    }
}

/// A text that refuses to grow beyond a length.
struct BoundedText {
    text: String,
    longest: usize,
}

impl fmt::Write for BoundedText {
    fn write_str(&mut self, part: &str) -> fmt::Result {
        if part.len() > self.longest - self.text.len() {
            return Err(fmt::Error);
        }
        self.text.push_str(part);
        Ok(())
    }
}

/// One line: what went wrong and where.
fn in_words(err: &Error) -> TemplateError {
    let what = match err.kind() {
        ErrorKind::OutOfFuel => "it works too long without coming to an end".to_owned(),
        kind => err.detail().map_or_else(|| kind.to_string(), str::to_owned),
    };
    TemplateError(match err.line() {
        Some(line) => format!("line {line}: {what}"),
        None => what,
    })
}
