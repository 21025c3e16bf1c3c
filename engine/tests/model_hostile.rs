//! Broken and hostile files: an error that names what is wrong, never a panic, never a large allocation.

use std::path::Path;

use onebit_engine::model::write::{GgufWriter, Synthetic};
use onebit_engine::model::{self, Family, LoadError, ModelFile, TensorType};

/// A small model that has every kind of key and both ternary and dense tensors.
fn small(linear: TensorType) -> Synthetic {
    Synthetic {
        n_layers: 1,
        hidden: 128,
        ffn: 128,
        n_heads: 2,
        n_kv_heads: 1,
        ..Synthetic::tiny(Family::BitNetB158, linear)
    }
}

fn gguf() -> Vec<u8> {
    small(TensorType::I2S).write_gguf(Vec::new()).expect("written")
}

fn open(bytes: &[u8]) -> Result<ModelFile, LoadError> {
    model::open_bytes(Path::new("test.gguf"), bytes.to_vec(), None)
}

fn refusal(bytes: &[u8]) -> String {
    open(bytes).err().expect("refused").to_string()
}

/// Reads whatever can still be read of a file that opened.
fn read_through(file: &ModelFile) {
    for t in file.tensors() {
        let mut values = vec![0.0; t.cols];
        t.dequantize_row(t.rows - 1, &mut values);
    }
    let _outcome = file.verify();
    assert!(!file.metadata().is_empty());
}

struct SplitMix(u64);

impl SplitMix {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) % n as u64) as usize
    }
}

/// Offset of the only occurrence of `text`, behind it.
fn after(bytes: &[u8], text: &str) -> usize {
    let at = bytes.windows(text.len()).position(|w| w == text.as_bytes()).expect("the text occurs");
    at + text.len()
}

fn patched(at: usize, with: &[u8]) -> Vec<u8> {
    let mut bytes = gguf();
    bytes[at..at + with.len()].copy_from_slice(with);
    bytes
}

#[test]
fn every_truncation_of_the_header_is_refused() {
    let bytes = gguf();
    open(&bytes).expect("the whole file opens");
    let data = after(&bytes, "blk.0.ffn_down.weight");
    for length in (0..data + 40).chain((data..bytes.len()).step_by(997)) {
        assert!(open(&bytes[..length]).is_err(), "length {length}");
    }
}

#[test]
fn every_flipped_bit_of_the_header_is_refused_or_harmless() {
    let bytes = gguf();
    let data = after(&bytes, "blk.0.ffn_down.weight") + 40;
    let mut opened = 0;
    for at in 0..data {
        // Token texts make up most of the header; one bit of each of their bytes will do.
        for bit in if at < 900 || at + 2000 > data { 0..8 } else { at % 8..at % 8 + 1 } {
            let mut broken = bytes.clone();
            broken[at] ^= 1 << bit;
            if let Ok(file) = open(&broken) {
                read_through(&file);
                opened += 1;
            }
        }
    }
    assert!(opened > 0, "some bits, such as those of names, are harmless");
}

#[test]
fn thousands_of_random_mutations_never_panic() {
    let base = gguf();
    let mut htok = Vec::new();
    let h1b = small(TensorType::Halo).write_h1b(Vec::new(), &mut htok).expect("written");
    for seed in 0..3000u64 {
        println!("seed {seed}");
        let mut rng = SplitMix(seed);
        let mut file = if seed % 3 == 0 { h1b[..4096].to_vec() } else { base.clone() };
        if seed % 3 == 0 {
            file.extend_from_slice(&h1b[4096..]);
        }
        let mut sidecar = htok.clone();
        for _ in 0..1 + rng.below(6) {
            let window = if rng.below(4) == 0 { file.len() } else { 200 };
            let at = rng.below(window);
            file[at] = [0, 1, 0x7F, 0x80, 0xFF, rng.below(256) as u8][rng.below(6)];
            let at = rng.below(sidecar.len());
            sidecar[at] ^= 1 << rng.below(8);
        }
        if rng.below(3) == 0 {
            file.truncate(rng.below(file.len()));
        }
        let sidecar = if rng.below(2) == 0 { &htok } else { &sidecar };
        if let Ok(file) = model::open_bytes(Path::new("test"), file, Some(sidecar)) {
            read_through(&file);
        }
    }
}

#[test]
fn impossible_counts_are_refused_before_allocation() {
    for (at, field) in [(8, "tensor count"), (16, "metadata count")] {
        for count in [u64::MAX, 1 << 40, 1 << 20] {
            let message = refusal(&patched(at, &count.to_le_bytes()));
            assert!(message.contains(field) && message.contains("at most"), "{field} {count}: {message}");
        }
    }
    let at = after(&gguf(), "tokenizer.ggml.tokens") + 8;
    let message = refusal(&patched(at, &u64::MAX.to_le_bytes()));
    assert!(message.contains("tokenizer.ggml.tokens: array length"), "{message}");
    let message = refusal(&patched(24, &u64::MAX.to_le_bytes()));
    assert!(message.contains("key 0"), "{message}");
}

#[test]
fn impossible_dimensions_are_refused() {
    let at = after(&gguf(), "blk.0.ffn_up.weight");
    let cases: [(usize, u64, &str); 6] = [
        (4, 0, "dimension 0: expected at least 1"),
        (4, 1 << 63, "size that fits"),
        (12, u64::MAX / 8, "size that fits"),
        (12, 1 << 40, "bytes at offset"),
        (4, 130, "multiple of 128"),
        (24, 1, "multiple of 32"),
    ];
    for (field, value, expected) in cases {
        let message = refusal(&patched(at + field, &value.to_le_bytes()));
        assert!(message.contains("blk.0.ffn_up.weight") && message.contains(expected), "{value}: {message}");
    }
    for n_dims in [0u32, 5, u32::MAX] {
        let message = refusal(&patched(at, &n_dims.to_le_bytes()));
        assert!(message.contains("dimension count"), "{message}");
    }
}

#[test]
fn offsets_outside_the_file_and_overlaps_are_refused() {
    let at = after(&gguf(), "blk.0.ffn_up.weight") + 24;
    for offset in [1u64 << 62, !31] {
        let message = refusal(&patched(at, &offset.to_le_bytes()));
        assert!(message.contains("blk.0.ffn_up.weight") && message.contains("cut short"), "{message}");
    }
    let message = refusal(&patched(at, &0u64.to_le_bytes()));
    assert!(message.contains("do not overlap") && message.contains("token_embd.weight"), "{message}");
}

#[test]
fn i2_s_tensor_of_another_size_is_refused() {
    // The gap to the next tensor shows a size that is not n/4 + 32.
    let at = after(&gguf(), "blk.0.ffn_down.weight") + 24;
    let bytes = gguf();
    let offset = u64::from_le_bytes(bytes[at..at + 8].try_into().expect("8 bytes"));
    let mut grown = patched(at, &(offset + 64).to_le_bytes());
    grown.extend([0; 64]);
    let message = refusal(&grown);
    assert!(message.contains("blk.0.ffn_up.weight") && message.contains("32 of scale"), "{message}");
}

#[test]
fn other_versions_and_byte_orders_are_named() {
    for (version, expected) in [
        (1u32, "GGUF v1"),
        (4, "GGUF v4"),
        (3u32.swap_bytes(), "big-endian GGUF (v3)"),
        (0xDEAD_BEEF, "GGUF v3735928559"),
    ] {
        let message = refusal(&patched(4, &version.to_le_bytes()));
        assert!(message.contains(expected), "{message}");
    }
    open(&patched(4, &2u32.to_le_bytes())).expect("version 2 has the same bytes");
    assert!(refusal(b"PK\x03\x04....").contains("no model file"));
    assert!(refusal(b"").contains("no model file"));
}

#[test]
fn wrong_alignment_is_refused() {
    for alignment in [0u32, 24, 1 << 30] {
        let mut writer = GgufWriter::new("llama");
        writer.key("general.alignment", alignment);
        let bytes = writer.write(Vec::new(), |_, _| Ok(())).expect("written");
        let message = refusal(&bytes);
        assert!(message.contains("general.alignment") && message.contains("power of two"), "{message}");
    }
}

#[test]
fn another_nonlinearity_than_the_graphs_is_refused() {
    for (arch, found) in [("bitnet", "relu2"), ("bitnet-b1.58", "silu")] {
        let mut writer = GgufWriter::new(arch);
        writer.key(format!("{arch}.hidden_activation"), found);
        let message = refusal(&writer.write(Vec::new(), |_, _| Ok(())).expect("written"));
        assert!(message.contains("hidden_activation") && message.contains(found), "{message}");
    }
}

#[test]
fn repeated_keys_and_tensors_are_refused() {
    let mut writer = GgufWriter::new("llama");
    writer.key("a.b", 1u32).key("a.b", 2u32);
    let message = refusal(&writer.write(Vec::new(), |_, _| Ok(())).expect("written"));
    assert!(message.contains("a.b") && message.contains("second time"), "{message}");
    let mut writer = GgufWriter::new("llama");
    for _ in 0..2 {
        writer.tensor("t.weight", TensorType::F32, 1, 8).expect("fits");
    }
    let message = refusal(&writer.write(Vec::new(), |_, out| out.write_all(&[0; 32])).expect("written"));
    assert!(message.contains("t.weight") && message.contains("second time"), "{message}");
}

#[test]
fn text_that_is_not_utf8_is_refused_by_key() {
    let at = after(&gguf(), "general.name") + 12;
    let message = refusal(&patched(at, &[0xFF]));
    assert!(message.contains("general.name") && message.contains("UTF-8"), "{message}");
}

#[test]
fn arrays_nested_without_end_are_refused() {
    let mut bytes = b"GGUF".to_vec();
    bytes.extend(3u32.to_le_bytes());
    bytes.extend(0u64.to_le_bytes());
    bytes.extend(1u64.to_le_bytes());
    bytes.extend(4u64.to_le_bytes());
    bytes.extend(b"deep");
    bytes.extend(9u32.to_le_bytes());
    for _ in 0..100_000 {
        bytes.extend([9, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0]);
    }
    let message = refusal(&bytes);
    assert!(message.contains("deep") && message.contains("nested"), "{message}");
}

#[test]
fn other_tensor_types_are_refused_with_a_next_step() {
    let at = after(&gguf(), "blk.0.ffn_up.weight") + 20;
    for (id, expected) in [
        (10u32, "Q2_K"),
        (19, "not ternary"),
        (38, "I2_S or TQ2_0"),
        (39, "I2_S or TQ2_0"),
        (42, "ambiguous"),
        (135, "IQ2_BN"),
        (9999, "unknown"),
    ] {
        let err = open(&patched(at, &id.to_le_bytes())).err().expect("refused");
        assert!(matches!(err, LoadError::Unsupported { .. }), "{err}");
        let message = err.to_string();
        assert!(message.contains("blk.0.ffn_up.weight") && message.contains(expected), "{message}");
        assert!(message.contains("ask for"), "{message}");
    }
}

#[test]
fn verify_finds_unused_codes_and_broken_scales() {
    let bytes = gguf();
    let file = open(&bytes).expect("opens");
    file.verify().expect("valid");
    let data = file.tensor("blk.0.ffn_up.weight").expect("present").data;
    let at = bytes.windows(data.len()).position(|w| w == data).expect("the data occurs");
    let mut code = bytes.clone();
    code[at + 33] |= 0b11;
    let message = open(&code).expect("opens").verify().expect_err("found").to_string();
    assert!(message.contains("blk.0.ffn_up.weight") && message.contains("row 1, column 97"), "{message}");
    let broken = open(&code).expect("opens");
    let tensor = broken.tensor("blk.0.ffn_up.weight").expect("present");
    broken.verify_codes(&tensor).expect_err("a load finds it too");
    let mut scale = bytes.clone();
    scale[at + 128 * 32..][..4].copy_from_slice(&f32::NAN.to_le_bytes());
    let message = open(&scale).expect("opens").verify().expect_err("found").to_string();
    assert!(message.contains("blk.0.ffn_up.weight") && message.contains("finite"), "{message}");
}

#[test]
fn h1b_headers_that_cannot_be_are_refused_by_field() {
    let mut htok = Vec::new();
    let bytes = small(TensorType::Halo).write_h1b(Vec::new(), &mut htok).expect("written");
    let open = |bytes: Vec<u8>, htok: Option<&[u8]>| model::open_bytes(Path::new("test.h1b"), bytes, htok);
    open(bytes.clone(), Some(&htok)).expect("the whole file opens");
    let mut longer = bytes.clone();
    longer.extend([0; 100]);
    open(longer, Some(&htok)).expect("bytes behind the last tensor are tolerated");
    let cases: [(usize, i32, &str); 15] = [
        (4, 0, "version"),
        (4, 5, "version"),
        (8, 0, "hidden_size"),
        (8, -1, "hidden_size"),
        (8, 127, "num_heads"),
        (8, i32::MAX - 3, "length of the file"),
        (16, i32::MAX, "length of the file"),
        (20, 3, "num_heads"),
        (24, 4, "num_kv_heads"),
        (28, 321, "length of the file"),
        (32, 0, "max_seq_len"),
        (40, 1, "Hadamard"),
        (40, 4, "Q1_0_g128"),
        (40, 8, "TQ2_0_g128"),
        (40, 0x30, "0x30"),
    ];
    for (at, value, expected) in cases {
        let mut broken = bytes.clone();
        broken[at..at + 4].copy_from_slice(&value.to_le_bytes());
        let message = open(broken, Some(&htok)).err().expect("refused").to_string();
        assert!(message.contains(expected), "{at}: {value}: {message}");
    }
    let mut sherry = small(TensorType::Sherry).write_h1b(Vec::new(), &mut Vec::new()).expect("written");
    open(sherry.clone(), Some(&htok)).expect("Sherry opens");
    sherry[40] = 2;
    let message = open(sherry, Some(&htok)).err().expect("16-bit activations are refused").to_string();
    assert!(message.contains("16-bit activations"), "{message}");
    for length in 0..52 {
        assert!(open(bytes[..length].to_vec(), Some(&htok)).is_err(), "length {length}");
    }
    assert!(open(bytes[..bytes.len() - 1].to_vec(), Some(&htok)).is_err());
    let message = open(bytes, None).err().expect("refused").to_string();
    assert!(message.contains("test.htok"), "{message}");
}
