//! The order of a .h1b: a header, then tensors whose offsets follow from it.
//!
//! ```text
//! header    "H1B\0" | i32: version hidden ffn layers heads kv_heads vocab max_seq tie flags | v2+: f32 theta, f32 eps
//! body      embedding f32[vocab, hidden] | final norm f32[hidden] | layers
//! layer     attn_norm f32[hidden] | ffn_norm f32[hidden] | attn_sub_norm f32[hidden], and three copies of it
//!           | two copies of the first `hidden` floats of ffn_sub_norm | ffn_sub_norm f32[ffn]
//!           | q k v o gate up down, each packed[rows] then f32[rows] scales
//! ```
//! Nothing is padded or aligned. One description serves reader, writer and sizes.

use crate::model::TensorType;

/// Header fields, as numbers that the format allows (the reader checks before it builds one).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct H1bHeader {
    /// 1 and 2: halo; 3: Sherry; 4: TQ1 halo.
    pub version: u32,
    /// Residual width.
    pub hidden: u32,
    /// Feed-forward width.
    pub ffn: u32,
    /// Transformer blocks.
    pub n_layers: u32,
    /// Query heads; a head has `hidden / n_heads` elements.
    pub n_heads: u32,
    /// Key/value heads.
    pub n_kv_heads: u32,
    /// Vocabulary size.
    pub vocab: u32,
    /// Longest context.
    pub max_seq: u32,
    /// Written as it is; logits always come from the embedding.
    pub tie_embeddings: u32,
    /// Bits: 1 Hadamard, 2 fp16 activations (version 3), 4 and 8 Bonsai blocks.
    pub flags: u32,
    /// RoPE base; version 1 does not store it.
    pub rope_theta: f32,
    /// RMSNorm epsilon; version 1 does not store it.
    pub norm_eps: f32,
}

/// A tensor of the body, in file order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct H1bPart {
    /// GGUF name of the tensor.
    pub name: String,
    /// F32 or the packing of the version.
    pub ty: TensorType,
    /// Output features, 1 for vectors.
    pub rows: usize,
    /// Input features.
    pub cols: usize,
    /// A repetition of the start of the named tensor, which readers skip.
    pub is_copy: bool,
    /// Bytes of the packed rows.
    pub data_bytes: usize,
    /// Bytes of the row scales behind them.
    pub scale_bytes: usize,
}

impl H1bPart {
    fn new(name: String, ty: TensorType, rows: u32, cols: u32) -> Option<Self> {
        let (rows, cols) = (rows as usize, cols as usize);
        let (data_bytes, scale_bytes) = (ty.data_bytes(rows, cols)?, ty.scale_bytes(rows)?);
        Some(Self { name, ty, rows, cols, is_copy: false, data_bytes, scale_bytes })
    }

    fn copy(name: String, cols: u32) -> Option<Self> {
        Some(Self { is_copy: true, ..Self::new(name, TensorType::F32, 1, cols)? })
    }
}

impl H1bHeader {
    /// Bytes of the header.
    pub fn header_bytes(&self) -> usize {
        if self.version == 1 { 44 } else { 52 }
    }

    /// Packing of the linears; `None` for an unknown version.
    pub fn packing(&self) -> Option<TensorType> {
        match self.version {
            1 | 2 => Some(TensorType::Halo),
            3 => Some(TensorType::Sherry),
            4 => Some(TensorType::Tq1Halo),
            _ => None,
        }
    }

    /// Embedding and final norm. `None` when a size overflows or does not suit the packing, as for the other functions.
    pub fn first_parts(&self) -> Option<[H1bPart; 2]> {
        Some([
            H1bPart::new("token_embd.weight".into(), TensorType::F32, self.vocab, self.hidden)?,
            H1bPart::new("output_norm.weight".into(), TensorType::F32, 1, self.hidden)?,
        ])
    }

    /// Tensors of one layer.
    pub fn layer_parts(&self, layer: u32) -> Option<Vec<H1bPart>> {
        let ty = self.packing()?;
        let (hidden, ffn) = (self.hidden, self.ffn);
        let head_dim = hidden.checked_div(self.n_heads)?;
        let (q, kv) = (self.n_heads.checked_mul(head_dim)?, self.n_kv_heads.checked_mul(head_dim)?);
        let name = |tensor: &str| format!("blk.{layer}.{tensor}.weight");
        let norm = |tensor: &str, cols| H1bPart::new(name(tensor), TensorType::F32, 1, cols);
        let copy = |tensor: &str| H1bPart::copy(name(tensor), hidden);
        let linear = |tensor: &str, rows, cols| H1bPart::new(name(tensor), ty, rows, cols);
        Some(vec![
            norm("attn_norm", hidden)?,
            norm("ffn_norm", hidden)?,
            norm("attn_sub_norm", hidden)?,
            copy("attn_sub_norm")?,
            copy("attn_sub_norm")?,
            copy("attn_sub_norm")?,
            copy("ffn_sub_norm")?,
            copy("ffn_sub_norm")?,
            norm("ffn_sub_norm", ffn)?,
            linear("attn_q", q, hidden)?,
            linear("attn_k", kv, hidden)?,
            linear("attn_v", kv, hidden)?,
            linear("attn_output", hidden, q)?,
            linear("ffn_gate", ffn, hidden)?,
            linear("ffn_up", ffn, hidden)?,
            linear("ffn_down", hidden, ffn)?,
        ])
    }

    /// Bytes of one layer.
    pub fn layer_bytes(&self) -> Option<u64> {
        sum(&self.layer_parts(0)?)
    }

    /// Bytes of the whole file; a file may be longer, never shorter.
    pub fn file_bytes(&self) -> Option<u64> {
        let layers = self.layer_bytes()?.checked_mul(u64::from(self.n_layers))?;
        (self.header_bytes() as u64).checked_add(sum(&self.first_parts()?)?)?.checked_add(layers)
    }
}

fn sum(parts: &[H1bPart]) -> Option<u64> {
    parts.iter().try_fold(0u64, |sum, part| {
        sum.checked_add(part.data_bytes as u64)?.checked_add(part.scale_bytes as u64)
    })
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(crate) const BITNET_2B_4T: H1bHeader = H1bHeader {
        version: 2,
        hidden: 2560,
        ffn: 6912,
        n_layers: 30,
        n_heads: 20,
        n_kv_heads: 5,
        vocab: 128_256,
        max_seq: 4096,
        tie_embeddings: 1,
        flags: 0,
        rope_theta: 500_000.0,
        norm_eps: 1e-5,
    };

    #[test]
    fn bitnet_2b_files_have_their_published_sizes() {
        for (version, layer_packed, file) in
            [(2, 17_458_176, 1_840_384_052), (4, 13_988_864, 1_736_304_692), (3, 10_945_536, 1_645_004_852)]
        {
            let header = H1bHeader { version, ..BITNET_2B_4T };
            assert_eq!(header.file_bytes(), Some(file), "version {version}");
            assert_eq!(header.layer_bytes(), Some(layer_packed + 109_568), "version {version}");
        }
        let [embedding, _] = BITNET_2B_4T.first_parts().expect("sizes fit");
        assert_eq!(embedding.data_bytes, 1_313_341_440);
        assert_eq!(H1bHeader { version: 1, ..BITNET_2B_4T }.file_bytes(), Some(1_840_384_052 - 8));
    }

    #[test]
    fn tiny_file_has_its_worked_offsets() {
        let tiny =
            H1bHeader { hidden: 4, ffn: 8, n_layers: 1, n_heads: 1, n_kv_heads: 1, vocab: 3, ..BITNET_2B_4T };
        let mut at = tiny.header_bytes();
        let mut offsets = vec![];
        for part in
            tiny.first_parts().expect("sizes fit").into_iter().chain(tiny.layer_parts(0).expect("sizes fit"))
        {
            offsets.push(at);
            at += part.data_bytes + part.scale_bytes;
        }
        assert_eq!(offsets[..3], [52, 100, 116]);
        assert_eq!(offsets[11..], [276, 296, 316, 336, 356, 396, 436]);
        assert_eq!((at, tiny.file_bytes()), (460, Some(460)));
    }

    #[test]
    fn sizes_that_overflow_are_none() {
        let huge = H1bHeader { hidden: u32::MAX, n_layers: u32::MAX, vocab: u32::MAX, ..BITNET_2B_4T };
        assert_eq!(huge.file_bytes(), None);
        assert_eq!(H1bHeader { n_heads: 0, ..BITNET_2B_4T }.file_bytes(), None);
        assert_eq!(H1bHeader { version: 3, hidden: 40, ..BITNET_2B_4T }.file_bytes(), None);
    }
}
