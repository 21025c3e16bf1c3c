//! packaging/THIRD-PARTY.md: what is shipped that is not ours, and under which licence. Bundled assets are described in the
//! hand-written head, which is kept; the table of crates below the marker is made from the dependency graph.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context as _, Result};

use crate::deps::Metadata;

const FILE: &str = "packaging/THIRD-PARTY.md";
const MARKER: &str = "<!-- made by `cargo xtask notices` from here on -->\n";

/// Says when the table no longer fits the dependency graph.
pub fn check(root: &Path, metadata: &Metadata) -> Result<Option<String>> {
    let found = std::fs::read_to_string(root.join(FILE)).context(FILE)?;
    Ok((found != wanted(&found, metadata)?)
        .then(|| format!("{FILE} is out of date; run `cargo xtask notices`")))
}

/// Rewrites the table.
pub fn write(root: &Path, metadata: &Metadata) -> Result<()> {
    let path = root.join(FILE);
    let found = std::fs::read_to_string(&path).context(FILE)?;
    Ok(std::fs::write(&path, wanted(&found, metadata)?)?)
}

fn wanted(found: &str, metadata: &Metadata) -> Result<String> {
    let head = found.split_once(MARKER).with_context(|| format!("{FILE} lacks its marker line"))?.0;
    let mut rows: Vec<String> = metadata
        .reachable("onebit")
        .iter()
        .filter(|p| !p.is_ours)
        .map(|p| format!("| {} | {} | {} |", p.name, p.version, p.licence))
        .collect();
    rows.sort();
    let mut text = format!("{head}{MARKER}\n| crate | version | licence |\n|---|---|---|\n");
    for row in rows {
        writeln!(text, "{row}")?;
    }
    Ok(text)
}
