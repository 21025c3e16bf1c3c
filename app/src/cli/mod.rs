//! The terminal front end: arguments in, text or JSON out. Thin: the engine's session layer does the work.
//!
//! Stdout carries results only (with `--json` one JSON value, or one a line for an interactive chat); everything else goes to
//! stderr. A failure leaves one line `error: ...` on stderr, nothing more on stdout, and a non-zero status: 1 for a failure, 2 for
//! wrong arguments, 130 after Ctrl-C. A reader that closes stdout early is not a failure.

mod answer;
mod bench;
mod chat;
mod complete;
mod export;
mod flags;
mod import;
mod inspect;
mod interrupts;
mod list;
mod output;
mod ppl;
mod running;
mod status;
mod tokenize;
mod verify;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

use crate::folders::Folders;
use crate::window::Opening;
use output::Output;

/// Status after Ctrl-C, as shells expect it.
const INTERRUPTED: u8 = 130;

#[derive(Debug, Parser)]
#[command(
    name = "onebit",
    version,
    about = "Ternary language models in a window and in the terminal",
    long_about = "Ternary language models in a window and in the terminal. Without a command it opens the window.",
    after_help = "MODEL is a path, an id under the data folder, or `starter` (the model that comes with the program).\n\
                  Results go to stdout, everything else to stderr. A failure is one line on stderr and a status that is not 0."
)]
struct Arguments {
    /// Machine-readable results on stdout
    #[arg(long, global = true)]
    json: bool,
    /// Without a command: begin in the tray, and with a window only where no tray shows the app
    #[arg(long)]
    in_tray: bool,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Talk with a model; without -p line by line until end of input
    Chat(chat::Chat),
    /// Continue a text
    Complete(complete::Complete),
    /// Show the token ids of a text
    Tokenize(tokenize::Tokenize),
    /// Measure the perplexity of a text
    Ppl(ppl::Ppl),
    /// Measure speed
    Bench(bench::Bench),
    /// Show what is in a model file
    Inspect(inspect::Inspect),
    /// Check a model file and try it
    Verify(verify::Verify),
    /// Show the models on this machine
    List,
    /// Show what a running app is doing
    Status,
    /// Write chats into a file, as JSON to import again or as Markdown to read
    Export(export::Export),
    /// Take in chats from a JSON file that was exported here
    Import(import::Import),
}

/// Runs the program with the arguments of the process.
pub fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(err) => return usage(&err),
    };
    if arguments.in_tray && arguments.command.is_some() {
        output::report_line("--in-tray goes without a command; see `onebit --help`");
        return ExitCode::from(2);
    }
    let mut output = Output::new(arguments.json);
    match run(arguments.command, arguments.in_tray, &mut output) {
        Ok(code) => code,
        Err(err) if output::is_closed_pipe(&err) => ExitCode::SUCCESS,
        Err(err) => {
            output::report(&err);
            ExitCode::FAILURE
        }
    }
}

fn run(command: Option<Command>, in_tray: bool, output: &mut Output) -> Result<ExitCode> {
    let folders = Folders::from_env()?;
    match command {
        None => window(&folders, if in_tray { Opening::Tray } else { Opening::Window }),
        Some(Command::Chat(command)) => command.run(&folders, output),
        Some(Command::Complete(command)) => command.run(&folders, output),
        Some(Command::Tokenize(command)) => command.run(&folders, output),
        Some(Command::Ppl(command)) => command.run(&folders, output),
        Some(Command::Bench(command)) => command.run(&folders, output),
        Some(Command::Inspect(command)) => command.run(&folders, output),
        Some(Command::Verify(command)) => command.run(&folders, output),
        Some(Command::List) => list::run(&folders, output),
        Some(Command::Status) => status::run(&folders, output),
        Some(Command::Export(command)) => command.run(&folders, output),
        Some(Command::Import(command)) => command.run(&folders, output),
    }
}

fn window(folders: &Folders, opening: Opening) -> Result<ExitCode> {
    crate::window::run(folders, opening)?;
    Ok(ExitCode::SUCCESS)
}

/// Help and version are results; a wrong argument is one line.
fn usage(err: &clap::Error) -> ExitCode {
    if !err.use_stderr() {
        // Nobody is left to tell when stdout is closed.
        let _ = err.print();
        return ExitCode::SUCCESS;
    }
    let text = err.render().to_string();
    let what: Vec<&str> = text
        .lines()
        .take_while(|line| !line.starts_with("Usage:") && !line.starts_with("For more"))
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect();
    let what = what.join(" ");
    output::report_line(&format!("{}; see `onebit --help`", what.strip_prefix("error: ").unwrap_or(&what)));
    ExitCode::from(2)
}
