//! The .h1b container, versions 1 to 4 without Bonsai or Hadamard flags, with its tokenizer in a .htok beside it.
//! Its tensors appear under their GGUF names. `layout` knows the order of the bytes; this file checks a header and builds the
//! typed contents.

mod htok;
mod layout;

use super::config::{Config, Family, RopeConfig, RopePairing, RopeScaling};
use super::cursor::Cursor;
use super::error::{LoadError, Source};
use super::file::{Contents, TensorEntry};
use super::map::Map;
use super::vocabulary::TokenizerData;
pub use layout::{H1bHeader, H1bPart};

/// First bytes of a file; a NUL follows, which readers do not compare.
pub(super) const MAGIC: [u8; 3] = *b"H1B";
/// First bytes of a tokenizer file.
pub(super) const HTOK_MAGIC: [u8; 4] = *b"HTOK";

const DEFAULT_THETA: f32 = 500_000.0;
const DEFAULT_EPS: f32 = 1e-5;
const HADAMARD: u32 = 1;
const SHERRY_FP16: u32 = 2;
const BONSAI_Q1: u32 = 4;
const BONSAI_TQ2: u32 = 8;

/// Reads everything but the tensor data. `htok`: `None` to open the sidecar, `Some` to use the given bytes or their absence.
pub(super) fn read(
    source: Source<'_>,
    bytes: &[u8],
    stem: &str,
    htok: Option<Option<&[u8]>>,
) -> Result<Contents, LoadError> {
    let header = read_header(&mut Cursor::new(source, bytes))?;
    let tensors = place_tensors(source, &header, bytes.len())?;
    let tokenizer = read_tokenizer(source, htok, header.vocab)?;
    let [hidden, ffn, n_layers, n_heads, n_kv_heads, vocab, context_length] = [
        header.hidden,
        header.ffn,
        header.n_layers,
        header.n_heads,
        header.n_kv_heads,
        header.vocab,
        header.max_seq,
    ]
    .map(|count| count as usize);
    let head_dim = hidden / n_heads;
    let config = Config {
        family: Family::BitNetB158,
        arch: "bitnet-b1.58".to_owned(),
        name: stem.to_owned(),
        n_layers,
        hidden,
        ffn,
        n_heads,
        n_kv_heads,
        head_dim,
        vocab,
        context_length,
        norm_eps: header.norm_eps,
        rope: RopeConfig {
            theta: header.rope_theta,
            dims: head_dim,
            pairing: RopePairing::SplitHalf,
            scaling: RopeScaling::None,
        },
        // No .h1b stores an untied head, whatever its tie field says.
        tied_head: true,
    };
    let container = format!(".h1b v{}", header.version);
    Ok(Contents { container, metadata: listing(&header), config, tokenizer, tensors })
}

fn listing(header: &H1bHeader) -> Vec<(String, String)> {
    let line = |key: &str, value: &dyn std::fmt::Display| (format!("h1b.{key}"), value.to_string());
    vec![
        line("version", &header.version),
        line("hidden_size", &header.hidden),
        line("intermediate_size", &header.ffn),
        line("num_layers", &header.n_layers),
        line("num_heads", &header.n_heads),
        line("num_kv_heads", &header.n_kv_heads),
        line("vocab_size", &header.vocab),
        line("max_seq_len", &header.max_seq),
        line("tie_embeddings", &header.tie_embeddings),
        line("flags", &format_args!("{:#x}", header.flags)),
        line("rope_theta", &header.rope_theta),
        line("rms_norm_eps", &header.norm_eps),
    ]
}

fn read_header(cursor: &mut Cursor<'_>) -> Result<H1bHeader, LoadError> {
    let source = cursor.source();
    cursor.take(4, format_args!("magic"))?;
    let version = cursor.i32(format_args!("version"))?;
    let version = u32::try_from(version).ok().filter(|v| (1..=4).contains(v));
    let Some(version) = version else {
        let found = "another version; the file may be damaged";
        return Err(source.invalid("version", "1, 2, 3 or 4", found));
    };
    let mut count = |field: &str| {
        let value = cursor.i32(format_args!("{field}"))?;
        u32::try_from(value)
            .ok()
            .filter(|&v| v > 0)
            .ok_or_else(|| source.invalid(field, "a count above 0", value))
    };
    let (hidden, ffn, n_layers) = (count("hidden_size")?, count("intermediate_size")?, count("num_layers")?);
    let (n_heads, n_kv_heads) = (count("num_heads")?, count("num_kv_heads")?);
    let (vocab, max_seq) = (count("vocab_size")?, count("max_seq_len")?);
    let tie_embeddings = cursor.u32(format_args!("tie_embeddings"))?;
    let flags = cursor.u32(format_args!("flags"))?;
    let (mut rope_theta, mut norm_eps) = (DEFAULT_THETA, DEFAULT_EPS);
    if version >= 2 {
        rope_theta =
            stored_or_default(source, "rope_theta", cursor.f32(format_args!("rope_theta"))?, rope_theta)?;
        norm_eps =
            stored_or_default(source, "rms_norm_eps", cursor.f32(format_args!("rms_norm_eps"))?, norm_eps)?;
    }
    refuse_flags(source, version, flags)?;
    if n_heads % n_kv_heads != 0 {
        return Err(source.invalid("num_kv_heads", format_args!("a divisor of {n_heads} heads"), n_kv_heads));
    }
    // RoPE pairs the two halves of a head.
    if hidden % n_heads != 0 || (hidden / n_heads) % 2 != 0 {
        let expected = format!("a divisor of {hidden} that leaves an even head length");
        return Err(source.invalid("num_heads", expected, n_heads));
    }
    if version == 3 && (hidden % 32 != 0 || ffn % 32 != 0) {
        let found = format!("{hidden} and {ffn}");
        let expected = "multiples of 32 (Sherry)";
        return Err(source.invalid("hidden_size and intermediate_size", expected, found));
    }
    Ok(H1bHeader {
        version,
        hidden,
        ffn,
        n_layers,
        n_heads,
        n_kv_heads,
        vocab,
        max_seq,
        tie_embeddings,
        flags,
        rope_theta,
        norm_eps,
    })
}

/// Values of 0 and below stand for the default.
fn stored_or_default(source: Source<'_>, field: &str, value: f32, default: f32) -> Result<f32, LoadError> {
    if !value.is_finite() {
        return Err(source.invalid(field, "a finite number", value));
    }
    Ok(if value > 0.0 { value } else { default })
}

/// Refuses what would change the arithmetic. `SHERRY_FP16` does so only in version 3; elsewhere the format calls it inert.
fn refuse_flags(source: Source<'_>, version: u32, flags: u32) -> Result<(), LoadError> {
    let next_step = "ask for a .h1b without this flag, or a TQ1_0, TQ2_0 or I2_S GGUF of this model";
    let unknown = flags & !(HADAMARD | SHERRY_FP16 | BONSAI_Q1 | BONSAI_TQ2);
    let found = if flags & HADAMARD != 0 {
        "a model with Hadamard-rotated activations (0x1)".to_owned()
    } else if flags & SHERRY_FP16 != 0 && version == 3 {
        "a Sherry model for 16-bit activations (0x2)".to_owned()
    } else if flags & BONSAI_Q1 != 0 {
        "a Bonsai Q1_0_g128 model (0x4)".to_owned()
    } else if flags & BONSAI_TQ2 != 0 {
        "a Bonsai TQ2_0_g128 model (0x8)".to_owned()
    } else if unknown != 0 {
        format!("unknown flag bits ({unknown:#x})")
    } else {
        return Ok(());
    };
    Err(source.unsupported("flags", found, next_step))
}

fn place_tensors(
    source: Source<'_>,
    header: &H1bHeader,
    file_bytes: usize,
) -> Result<Vec<TensorEntry>, LoadError> {
    let too_large = || source.invalid("header", "sizes that fit this machine", "counts that overflow");
    let expected = header.file_bytes().ok_or_else(too_large)?;
    // This also bounds the layers below by the length of the file.
    if expected > file_bytes as u64 {
        let found = format!("{file_bytes}; the file may be cut short");
        return Err(source.invalid(
            "length of the file",
            format_args!("{expected} bytes for its header"),
            found,
        ));
    }
    let mut at = header.header_bytes();
    let mut tensors = Vec::new();
    let mut place = |part: H1bPart| {
        let data = at..at + part.data_bytes;
        let scales = data.end..data.end + part.scale_bytes;
        at = scales.end;
        if !part.is_copy {
            let H1bPart { name, ty, rows, cols, .. } = part;
            tensors.push(TensorEntry { name, ty, rows, cols, data, scales });
        }
    };
    header.first_parts().ok_or_else(too_large)?.into_iter().for_each(&mut place);
    for layer in 0..header.n_layers {
        header.layer_parts(layer).ok_or_else(too_large)?.into_iter().for_each(&mut place);
    }
    Ok(tensors)
}

fn read_tokenizer(
    source: Source<'_>,
    htok: Option<Option<&[u8]>>,
    vocab: u32,
) -> Result<TokenizerData, LoadError> {
    let path = source.path.with_extension("htok");
    let sidecar = Source { path: &path };
    let missing = || {
        let expected = "the tokenizer of the model, in a file of this name beside it";
        sidecar.invalid("tokenizer file", expected, "no such file")
    };
    match htok {
        Some(bytes) => htok::read(sidecar, bytes.ok_or_else(missing)?, vocab),
        None => {
            let map = Map::open(&path).map_err(|err| match err.kind() {
                std::io::ErrorKind::NotFound => missing(),
                _ => LoadError::Io { path: path.clone(), source: err },
            })?;
            let tokenizer = htok::read(sidecar, map.bytes(), vocab);
            if map.is_intact() { tokenizer } else { Err(LoadError::Cut { path: path.clone() }) }
        }
    }
}
