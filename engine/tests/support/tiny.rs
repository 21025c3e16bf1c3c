//! The tiny GGUFs of `packaging/parity/tiny.py`, made again: each head is the one the Python package `gguf` wrote, each tensor
//! comes from the seeds described in `packaging/parity/weights.py`. A CRC-32 of the whole file proves that it is the file that
//! llama.cpp was given.

use std::path::{Path, PathBuf};

use half::f16;
use serde::Deserialize;

/// All cases with their golden logits.
pub struct Golden {
    /// Vocabulary size of every case.
    pub vocab: usize,
    /// Cases.
    pub cases: Vec<Case>,
}

/// One file and the logits that others compute from it.
pub struct Case {
    entry: Entry,
    head: Vec<u8>,
    /// llama.cpp's, `[tokens, vocab]`.
    pub llama_cpp: Vec<f32>,
    /// Those of the numpy pass in f64, `[tokens, vocab]`.
    pub exact: Vec<f32>,
}

#[derive(Deserialize)]
struct Manifest {
    vocab: usize,
    cases: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    name: String,
    crc32: u32,
    file_bytes: usize,
    alignment: usize,
    head_bytes: usize,
    tokens: Vec<u32>,
    flat: bool,
    tensors: Vec<(String, String, usize)>,
}

impl Golden {
    /// Reads the golden files.
    pub fn read() -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
        let read =
            |name: &str| std::fs::read(folder.join(name)).unwrap_or_else(|err| panic!("{name}: {err}"));
        let manifest: Manifest = serde_json::from_slice(&read("tiny.json")).expect("a manifest");
        let (heads, logits) = (read("tiny.heads"), floats(&read("tiny.f32")));
        let (mut heads, mut logits) = (heads.as_slice(), logits.as_slice());
        let mut cases = Vec::new();
        for entry in manifest.cases {
            let (head, more_heads) = heads.split_at(entry.head_bytes);
            let count = entry.tokens.len() * manifest.vocab;
            let (llama_cpp, rest) = logits.split_at(count);
            let (exact, more_logits) = rest.split_at(count);
            (heads, logits) = (more_heads, more_logits);
            cases.push(Case {
                entry,
                head: head.to_vec(),
                llama_cpp: llama_cpp.to_vec(),
                exact: exact.to_vec(),
            });
        }
        assert!(heads.is_empty() && logits.is_empty(), "golden files hold more than the manifest says");
        Self { vocab: manifest.vocab, cases }
    }
}

impl Case {
    /// E.g. `qwen3-q4_k`.
    pub fn name(&self) -> &str {
        &self.entry.name
    }

    /// Ids to feed.
    pub fn tokens(&self) -> &[u32] {
        &self.entry.tokens
    }

    /// GGUF names of the types of this case's matrices.
    pub fn kinds(&self) -> impl Iterator<Item = &str> {
        let matrices = self.entry.tensors.iter().filter(|(name, ..)| !is_vector(name));
        matrices.map(|(_, kind, _)| kind.as_str())
    }

    /// Writes the file into `folder`.
    pub fn write(&self, folder: &Path) -> PathBuf {
        let entry = &self.entry;
        let mut file = self.head.clone();
        for (tensor, kind, bytes) in &entry.tensors {
            let seed = u64::from(crc32(format!("{}/{tensor}", entry.name).as_bytes()));
            match is_vector(tensor) {
                true => file.extend(norm(seed, bytes / 4)),
                false => file.extend(matrix(seed, kind, *bytes, entry.flat)),
            }
            file.resize(file.len().next_multiple_of(entry.alignment), 0);
        }
        assert_eq!(file.len(), entry.file_bytes, "{}: file size", entry.name);
        assert_eq!(crc32(&file), entry.crc32, "{}: not the file that llama.cpp was given", entry.name);
        let path = folder.join(format!("{}.gguf", entry.name));
        std::fs::write(&path, file).expect("the folder is writable");
        path
    }
}

fn is_vector(tensor: &str) -> bool {
    tensor.ends_with(".scale") || tensor.contains("norm") || tensor == "rope_freqs.weight"
}

fn floats(bytes: &[u8]) -> Vec<f32> {
    bytes.as_chunks().0.iter().map(|&b| f32::from_le_bytes(b)).collect()
}

fn draws(seed: u64) -> impl Iterator<Item = u64> {
    (1..).map(move |i: u64| {
        let mut z = seed.wrapping_add(i.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    })
}

fn units(seed: u64) -> impl Iterator<Item = f64> {
    draws(seed).map(|z| (z >> 40) as f64 / f64::from(1 << 23) - 1.0)
}

fn norm(seed: u64, len: usize) -> Vec<u8> {
    units(seed).take(len).flat_map(|unit| ((1.0 + unit / 4.0) as f32).to_le_bytes()).collect()
}

/// f16 scale fields of a block: (byte offset, base).
fn block(kind: &str) -> (usize, &'static [(usize, f64)]) {
    match kind {
        "Q8_0" => (34, &[(0, 0.001)]),
        "Q4_0" => (18, &[(0, 0.016)]),
        "Q4_1" => (20, &[(0, 0.016), (2, 0.03)]),
        "Q5_0" => (22, &[(0, 0.008)]),
        "Q5_1" => (24, &[(0, 0.008), (2, 0.03)]),
        "Q4_K" => (144, &[(0, 0.0005), (2, 0.004)]),
        "Q5_K" => (176, &[(0, 0.00025), (2, 0.004)]),
        "Q6_K" => (210, &[(208, 0.00006)]),
        "TQ1_0" => (54, &[(52, 0.1)]),
        "TQ2_0" => (66, &[(64, 0.1)]),
        _ => panic!("no recipe for {kind}"),
    }
}

fn matrix(seed: u64, kind: &str, bytes: usize, flat: bool) -> Vec<u8> {
    let values = units(seed).map(|unit| (unit / 8.0) as f32);
    match kind {
        "F32" => return values.take(bytes / 4).flat_map(f32::to_le_bytes).collect(),
        "F16" => return values.take(bytes / 2).flat_map(|v| f16::from_f32(v).to_le_bytes()).collect(),
        "BF16" => {
            return values.take(bytes / 2).flat_map(|v| ((v.to_bits() >> 16) as u16).to_le_bytes()).collect();
        }
        _ => {}
    }
    let mut raw: Vec<u8> = draws(seed).take(bytes.div_ceil(8)).flat_map(u64::to_le_bytes).collect();
    raw.truncate(bytes);
    let (block_bytes, fields) = block(kind);
    let flat = flat && kind.starts_with("TQ");
    for block in raw.chunks_exact_mut(block_bytes) {
        make_valid(kind, block);
    }
    for (index, &(offset, base)) in fields.iter().enumerate() {
        let units = units(seed + ((index as u64 + 1) << 32));
        for (block, unit) in raw.chunks_exact_mut(block_bytes).zip(units) {
            let mut value = base * (if unit < 0.0 { -1.0 } else { 1.0 } + unit) / 2.0;
            if matches!(kind, "Q4_K" | "Q5_K") {
                value = value.abs();
            }
            let scale = f16::from_f32(if flat { base } else { value } as f32);
            block[offset..offset + 2].copy_from_slice(&scale.to_le_bytes());
        }
    }
    raw
}

/// Removes byte values that no quantiser writes.
fn make_valid(kind: &str, block: &mut [u8]) {
    match kind {
        "Q8_0" => block.iter_mut().filter(|b| **b == 0x80).for_each(|b| *b = 0x81),
        "TQ1_0" => {
            block[48..52].iter_mut().for_each(|b| *b = *b % 81 * 3);
            block.iter_mut().for_each(|b| *b = (u32::from(*b % 243) * 256).div_ceil(243) as u8);
        }
        "TQ2_0" => block.iter_mut().for_each(|b| *b &= !((*b & (*b >> 1) & 0x55) << 1)),
        _ => {}
    }
}

/// CRC-32 as in zlib.
pub fn crc32(bytes: &[u8]) -> u32 {
    let table: Vec<u32> = (0..256u32)
        .map(|byte| (0..8).fold(byte, |c, _| if c & 1 == 1 { (c >> 1) ^ 0xEDB8_8320 } else { c >> 1 }))
        .collect();
    !bytes.iter().fold(!0u32, |c, &b| (c >> 8) ^ table[((c ^ u32::from(b)) & 0xff) as usize])
}
