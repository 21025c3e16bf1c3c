//! Replays what is kept for a fuzz target, in `engine/fuzz/seeds` and `engine/fuzz/regressions`, and compares or writes its seeds.

use std::path::{Path, PathBuf};

/// What a target runs on its bytes; whether they were accepted.
pub type Entry = fn(&[u8]) -> bool;

fn folder(kind: &str, target: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz").join(kind).join(target)
}

/// Runs every seed, which must be accepted, and every former finding of each target.
#[expect(clippy::print_stdout, reason = "names the input when an entry panics")]
pub fn replay(targets: &[(&str, Entry)]) {
    for (target, entry) in targets {
        let mut seeds = 0;
        for kind in ["seeds", "regressions"] {
            // A target without findings has no such folder.
            let Ok(files) = std::fs::read_dir(folder(kind, target)) else { continue };
            for file in files {
                let path = file.expect("listed").path();
                println!("{}", path.display());
                let accepted = entry(&std::fs::read(&path).expect("read"));
                assert!(accepted || kind == "regressions", "{} is a valid file", path.display());
                seeds += usize::from(kind == "seeds");
            }
        }
        assert!(seeds > 0, "{target} has seeds");
    }
}

/// Asserts that the committed seeds are `seeds`: target, file name, bytes.
pub fn compare<N: AsRef<str>>(seeds: Vec<(&str, N, Vec<u8>)>) {
    for (target, name, bytes) in seeds {
        let name = name.as_ref();
        let committed = std::fs::read(folder("seeds", target).join(name)).expect("the seed is there");
        assert!(committed == bytes, "{target}/{name} differs; run this test file with --ignored");
    }
}

/// Writes `seeds`: target, file name, bytes.
pub fn write<N: AsRef<str>>(seeds: Vec<(&str, N, Vec<u8>)>) {
    for (target, name, bytes) in seeds {
        std::fs::create_dir_all(folder("seeds", target)).expect("folder");
        std::fs::write(folder("seeds", target).join(name.as_ref()), bytes).expect("written");
    }
}
