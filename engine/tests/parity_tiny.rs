//! Independent check of every graph and tensor type that llama.cpp reads: seeded GGUFs of two layers, 20 tokens, all logits.
//!
//! Columns of the report, all NMSE (mean square error over mean square):
//! * `llama.cpp - exact`: llama.cpp against a pass in f64 (`packaging/parity/forward.py`), i.e. what its rounding of activations costs;
//! * `ours - exact`: this engine against that pass;
//! * `ours - llama.cpp`: the check proper.
//!
//! llama.cpp does not read the architecture `bitnet-b1.58`; the starter model covers it.

#![expect(clippy::print_stdout, reason = "the tables are the report of `make parity`")]

#[path = "support/sequence.rs"]
mod sequence;
#[path = "support/tiny.rs"]
mod tiny;

use onebit_engine::lane::LaneChoice;
use sequence::Sequence;
use tiny::{Case, Golden};

/// Most NMSE of a case: against llama.cpp, and against the f64 pass.
#[derive(Debug, Clone, Copy)]
struct Tolerance {
    llama_cpp: f64,
    exact: f64,
}

/// By the roundings that differ. llama.cpp multiplies F16 weights with f16 activations, BF16 with bf16, others with int8 in blocks
/// of 32 or 256, TQ included; the reference lane rounds only what BitNet's own W1.58A8 rounds, one int8 scale a row.
fn tolerance(case: &Case, lane: LaneChoice) -> Tolerance {
    let is = |wanted: &[&str]| case.kinds().all(|kind| wanted.contains(&kind));
    let llama_cpp = match () {
        () if is(&["F32"]) => 1e-6,
        () if is(&["F32", "F16"]) => 3e-6,
        () if is(&["F32", "F16", "BF16"]) => 2e-4,
        () => 3e-3,
    };
    let exact = match lane {
        // One activation that falls to the other side of a rounding tie is seen here.
        _ if case.name().starts_with("bitnet-tq") => 1e-4,
        LaneChoice::Reference => 1e-8,
        _ if is(&["F32", "F16", "BF16"]) => 1e-8,
        _ => 2e-3,
    };
    Tolerance { llama_cpp, exact }
}

/// Mean square error of `ours` over the mean square of `theirs`.
fn nmse(ours: &[f32], theirs: &[f32]) -> f64 {
    assert_eq!(ours.len(), theirs.len());
    let (mut error, mut power) = (0.0, 0.0);
    for (&o, &t) in ours.iter().zip(theirs) {
        error += (f64::from(o) - f64::from(t)).powi(2);
        power += f64::from(t).powi(2);
    }
    error / power
}

/// Where llama.cpp's two best logits are further apart than this share of their root mean square, the best must be ours too.
const CLEAR_GAP: f64 = 0.3;

/// (positions with a clear winner, of these with the same winner)
fn clear_winners(ours: &[f32], theirs: &[f32], vocab: usize) -> (usize, usize) {
    let scale = (theirs.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>() / theirs.len() as f64).sqrt();
    let best = |row: &[f32]| (0..vocab).max_by(|&a, &b| row[a].total_cmp(&row[b])).expect("a vocabulary");
    let (mut clear, mut same) = (0, 0);
    for (ours, theirs) in ours.chunks_exact(vocab).zip(theirs.chunks_exact(vocab)) {
        let winner = best(theirs);
        let second = (0..vocab).filter(|&i| i != winner).map(|i| theirs[i]).fold(f32::MIN, f32::max);
        if f64::from(theirs[winner] - second) > CLEAR_GAP * scale {
            clear += 1;
            same += usize::from(best(ours) == winner);
        }
    }
    (clear, same)
}

/// A prompt in one call, then one token at a time, as a chat does.
fn logits(case: &Case, path: &std::path::Path, lane: LaneChoice) -> Vec<f32> {
    let (prompt, rest) = case.tokens().split_at(12);
    let mut sequence = Sequence::open(path, lane, case.tokens().len(), prompt.len());
    let mut logits = sequence.feed(0, prompt).to_vec();
    for (at, &token) in (prompt.len()..).zip(rest) {
        logits.extend_from_slice(sequence.feed(at, &[token]));
    }
    logits
}

fn compare(lane: LaneChoice) {
    let golden = Golden::read();
    assert_eq!(golden.cases.len(), 48);
    let folder = tempfile::tempdir().expect("a folder for the files");
    println!("report: ## Tiny GGUFs, {lane:?} lane\nreport:");
    println!("report: | case | llama.cpp - exact | ours - exact | ours - llama.cpp | clear winners equal |");
    println!("report: |---|---|---|---|---|");
    let mut failures = Vec::new();
    for case in &golden.cases {
        let path = case.write(folder.path());
        let ours = logits(case, &path, lane);
        std::fs::remove_file(&path).expect("the file is there");
        let rounding = nmse(&case.llama_cpp, &case.exact);
        let (to_exact, to_llama) = (nmse(&ours, &case.exact), nmse(&ours, &case.llama_cpp));
        let (clear, same) = clear_winners(&ours, &case.llama_cpp, golden.vocab);
        let name = case.name();
        println!("report: | {name} | {rounding:.1e} | {to_exact:.1e} | {to_llama:.1e} | {same} of {clear} |");
        let most = tolerance(case, lane);
        // Negated, so that NaN fails.
        if !(to_llama <= most.llama_cpp && to_exact <= most.exact && same == clear && clear > 0) {
            failures.push(format!("{name}: {to_llama:.2e} to llama.cpp, {to_exact:.2e} to exact, {most:?}; {same} of {clear} winners"));
        }
    }
    println!("report:");
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn files_are_those_that_llama_cpp_was_given() {
    let folder = tempfile::tempdir().expect("a folder for the files");
    for case in Golden::read().cases {
        // Checks the CRC-32 of the whole file.
        std::fs::remove_file(case.write(folder.path())).unwrap();
    }
}

#[test]
fn reference_lane_gives_the_logits_of_llama_cpp() {
    compare(LaneChoice::Reference);
}

#[test]
fn cpu_lane_gives_the_logits_of_llama_cpp() {
    compare(LaneChoice::Cpu);
}
