//! Development tasks: `cargo xtask tidy` checks the rules of ARCHITECTURE.md that no compiler checks, `cargo xtask deps` the
//! dependency policy (part of tidy), `cargo xtask notices` rewrites packaging/THIRD-PARTY.md.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command-line tool of the developers")]

mod deps;
mod notices;
mod tidy;
mod tree;

use std::process::ExitCode;

use anyhow::Result;

fn main() -> ExitCode {
    let task = std::env::args().nth(1).unwrap_or_default();
    match run(&task) {
        Ok(problems) if problems.is_empty() => ExitCode::SUCCESS,
        Ok(problems) => {
            for problem in &problems {
                eprintln!("xtask {task}: {problem}");
            }
            eprintln!("xtask {task}: {} problems", problems.len());
            ExitCode::FAILURE
        }
        Err(err) => {
            eprintln!("xtask {task}: {err:#}");
            ExitCode::FAILURE
        }
    }
}

/// Runs one task; what it returns is what is wrong with the tree.
fn run(task: &str) -> Result<Vec<String>> {
    let root = tree::root()?;
    match task {
        "tidy" => {
            let files = tree::tracked_files(&root)?;
            let metadata = deps::metadata(&root)?;
            let mut problems = tidy::check(&root, &files)?;
            problems.extend(deps::check(&root, &metadata)?);
            problems.extend(notices::check(&root, &metadata)?);
            println!("xtask tidy: {} files, {} lines of Rust", files.len(), tidy::rust_lines(&files));
            Ok(problems)
        }
        "deps" => deps::check(&root, &deps::metadata(&root)?),
        "notices" => notices::write(&root, &deps::metadata(&root)?).map(|()| Vec::new()),
        other => anyhow::bail!("unknown task {other:?}; the tasks are tidy, deps, notices"),
    }
}
