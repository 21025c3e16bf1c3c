//! The dependency policy: what the engine may not know, licences we accept, crates we refuse, crates that must be single.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

/// One resolved package.
pub struct Package {
    /// Package id of cargo.
    pub id: String,
    /// Name.
    pub name: String,
    /// Version.
    pub version: String,
    /// SPDX expression.
    pub licence: String,
    /// Whether it is one of ours.
    pub is_ours: bool,
}

/// The resolved dependency graph for Linux on x86-64.
pub struct Metadata {
    /// Packages by id.
    pub packages: BTreeMap<String, Package>,
    /// Normal and build dependencies by id.
    edges: BTreeMap<String, Vec<String>>,
}

/// The engine is text in, events out: nothing of these may be reachable from it.
const NOT_IN_ENGINE: [&str; 10] =
    ["egui", "eframe", "wgpu", "winit", "tokio", "hyper", "axum", "cpal", "rusqlite", "reqwest"];
/// Two versions of these would be two worlds that cannot talk to each other.
const SINGLE: [&str; 7] = ["egui", "epaint", "wgpu", "winit", "zbus", "tokio", "rusqlite"];
/// Refused with the reason.
const REFUSED: [(&str, &str); 4] = [
    ("openssl-sys", "needs a system library; nothing here speaks TLS with it"),
    ("gtk-sys", "the window and its dialogs need no GTK"),
    ("onig_sys", "a C regex engine; tokenizers runs on fancy-regex"),
    ("cmake", "builds need a C compiler and nothing more"),
];
/// Licences we may ship under; an expression passes when one of its alternatives consists of these.
const LICENCES: [&str; 16] = [
    "MIT",
    "Apache-2.0",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "ISC",
    "Zlib",
    "Unicode-3.0",
    "MPL-2.0",
    "CC0-1.0",
    "0BSD",
    "BSL-1.0",
    "MIT-0",
    "Unlicense",
    "OFL-1.1",
    "Ubuntu-font-1.0",
    "Apache-2.0 WITH LLVM-exception",
];

/// Reads `cargo metadata`.
pub fn metadata(root: &Path) -> Result<Metadata> {
    let output = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args([
            "metadata",
            "--format-version",
            "1",
            "--locked",
            "--filter-platform",
            "x86_64-unknown-linux-gnu",
        ])
        .current_dir(root)
        .output()
        .context("cargo metadata")?;
    ensure!(output.status.success(), "cargo metadata failed: {}", String::from_utf8_lossy(&output.stderr));
    parse(&serde_json::from_slice(&output.stdout)?)
}

fn parse(json: &Value) -> Result<Metadata> {
    let text = |v: &Value| v.as_str().unwrap_or_default().to_owned();
    let mut packages = BTreeMap::new();
    for p in json["packages"].as_array().context("packages")? {
        let package = Package {
            id: text(&p["id"]),
            name: text(&p["name"]),
            version: text(&p["version"]),
            licence: text(&p["license"]),
            is_ours: p["source"].is_null(),
        };
        packages.insert(package.id.clone(), package);
    }
    let mut edges = BTreeMap::new();
    for node in json["resolve"]["nodes"].as_array().context("resolve")? {
        let wanted = node["deps"].as_array().into_iter().flatten().filter(|d| {
            d["dep_kinds"].as_array().into_iter().flatten().any(|k| k["kind"].as_str() != Some("dev"))
        });
        edges.insert(text(&node["id"]), wanted.map(|d| text(&d["pkg"])).collect());
    }
    Ok(Metadata { packages, edges })
}

impl Metadata {
    /// Packages that `name` of ours ships with: normal and build dependencies, transitively.
    pub fn reachable(&self, name: &str) -> Vec<&Package> {
        let mut seen = BTreeSet::new();
        let mut open: Vec<&str> =
            self.packages.values().filter(|p| p.is_ours && p.name == name).map(|p| p.id.as_str()).collect();
        while let Some(id) = open.pop() {
            if seen.insert(id) {
                open.extend(self.edges.get(id).into_iter().flatten().map(String::as_str));
            }
        }
        seen.into_iter().filter_map(|id| self.packages.get(id)).collect()
    }
}

/// Everything against the policy.
pub fn check(root: &Path, metadata: &Metadata) -> Result<Vec<String>> {
    let mut problems = Vec::new();
    for package in metadata.reachable("onebit-engine") {
        if NOT_IN_ENGINE.contains(&package.name.as_str()) {
            problems.push(format!("the engine depends on {}", package.name));
        }
    }
    let shipped = metadata.reachable("onebit");
    for name in SINGLE {
        let versions: Vec<&str> =
            shipped.iter().filter(|p| p.name == name).map(|p| p.version.as_str()).collect();
        if versions.len() > 1 {
            problems.push(format!("{name} is there {} times: {}", versions.len(), versions.join(", ")));
        }
    }
    for package in &shipped {
        if let Some((name, reason)) = REFUSED.iter().find(|(name, _)| *name == package.name) {
            problems.push(format!("{name} is refused: {reason}"));
        }
        if !package.is_ours && !licence_is_accepted(&package.licence) {
            problems.push(format!(
                "{} {}: licence {:?} is not on the list",
                package.name, package.version, package.licence
            ));
        }
    }
    problems.extend(zbus_runs_on_async_io(root)?);
    Ok(problems)
}

/// With `zbus/tokio` on, threads that speak D-Bus would need a tokio reactor which they do not have.
fn zbus_runs_on_async_io(root: &Path) -> Result<Option<String>> {
    let output = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(["tree", "--locked", "--package", "onebit", "--edges", "features", "--invert", "zbus"])
        .current_dir(root)
        .output()
        .context("cargo tree")?;
    let listing = String::from_utf8_lossy(&output.stdout);
    Ok(listing.contains("zbus feature \"tokio\"").then(|| "a dependency turns on zbus/tokio".to_owned()))
}

/// Whether one alternative of an SPDX expression consists of accepted licences. Understands `OR`, `/`, `AND` and parentheses
/// around an OR group, which is all that the graph uses.
fn licence_is_accepted(expression: &str) -> bool {
    let flat = expression.replace(['(', ')'], "").replace('/', " OR ");
    flat.split(" AND ").all(|part| part.split(" OR ").any(|l| LICENCES.contains(&l.trim())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn licence_expressions_need_one_accepted_alternative_per_part() {
        assert!(licence_is_accepted("MIT OR Apache-2.0"));
        assert!(licence_is_accepted("GPL-3.0 OR MIT"));
        assert!(licence_is_accepted("(MIT OR Apache-2.0) AND Unicode-3.0"));
        assert!(licence_is_accepted("MIT/Apache-2.0"));
        assert!(!licence_is_accepted("GPL-3.0"));
        assert!(!licence_is_accepted("MIT AND GPL-3.0"));
        assert!(!licence_is_accepted(""));
    }

    #[test]
    fn dev_dependencies_are_not_shipped() {
        let json = serde_json::json!({
            "packages": [
                {"id": "a", "name": "onebit", "version": "0", "license": "MIT", "source": null},
                {"id": "b", "name": "b", "version": "0", "license": "MIT", "source": "registry"},
                {"id": "c", "name": "c", "version": "0", "license": "MIT", "source": "registry"}],
            "resolve": {"nodes": [{"id": "a", "deps": [
                {"pkg": "b", "dep_kinds": [{"kind": null}]}, {"pkg": "c", "dep_kinds": [{"kind": "dev"}]}]}]}
        });
        let metadata = parse(&json).unwrap();
        let names: Vec<&str> = metadata.reachable("onebit").iter().map(|p| p.name.as_str()).collect();
        assert_eq!(names, ["onebit", "b"]);
    }
}
