//! Writes .h1b v1 to v4 and .htok.

use std::io::{self, Write};

use super::{Counted, invalid_input};
use crate::model::h1b::{H1bHeader, H1bPart, HTOK_MAGIC, MAGIC};

/// Writes a model: `fill` is called for each part in file order and writes its packed rows, then its row scales. Parts with
/// `is_copy` repeat the start of the tensor they name.
///
/// # Errors
/// Those of `out` and `fill`, a header whose sizes overflow, and a part with more or fewer bytes than it has.
pub fn write_h1b<W: Write>(
    mut out: W,
    header: &H1bHeader,
    mut fill: impl FnMut(&H1bPart, &mut dyn Write) -> io::Result<()>,
) -> io::Result<W> {
    let refused = || invalid_input(format!("no .h1b has this header: {header:?}"));
    out.write_all(&MAGIC)?;
    out.write_all(&[0])?;
    let fields = [
        header.version,
        header.hidden,
        header.ffn,
        header.n_layers,
        header.n_heads,
        header.n_kv_heads,
        header.vocab,
        header.max_seq,
        header.tie_embeddings,
        header.flags,
    ];
    for field in fields {
        out.write_all(&field.to_le_bytes())?;
    }
    if header.version >= 2 {
        out.write_all(&header.rope_theta.to_le_bytes())?;
        out.write_all(&header.norm_eps.to_le_bytes())?;
    }
    let mut write = |part: H1bPart| {
        let mut counted = Counted { out: &mut out, bytes: 0 };
        fill(&part, &mut counted)?;
        counted.check(&part.name, part.data_bytes + part.scale_bytes)
    };
    for part in header.first_parts().ok_or_else(refused)? {
        write(part)?;
    }
    for layer in 0..header.n_layers {
        for part in header.layer_parts(layer).ok_or_else(refused)? {
            write(part)?;
        }
    }
    out.flush()?;
    Ok(out)
}

/// Writes a tokenizer: texts by id (empty for placeholders) and merges `[left, right, merged]` by rank.
///
/// # Errors
/// Those of `out`, and a text above 65535 bytes.
pub fn write_htok<W: Write>(
    mut out: W,
    tokens: &[String],
    merges: &[[u32; 3]],
    bos: u32,
    eos: u32,
) -> io::Result<W> {
    out.write_all(&HTOK_MAGIC)?;
    for field in [tokens.len() as u32, merges.len() as u32, bos, eos] {
        out.write_all(&field.to_le_bytes())?;
    }
    for text in tokens {
        let length =
            u16::try_from(text.len()).map_err(|_| invalid_input("a token above 65535 bytes".into()))?;
        out.write_all(&length.to_le_bytes())?;
        out.write_all(text.as_bytes())?;
    }
    for id in merges.iter().flatten() {
        out.write_all(&id.to_le_bytes())?;
    }
    out.flush()?;
    Ok(out)
}
