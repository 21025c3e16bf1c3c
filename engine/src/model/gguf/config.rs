//! Metadata keys to a validated [`Config`].

use super::metadata::Metadata;
use super::value::Value;
use crate::model::config::{Config, Family, RopeConfig, RopePairing, RopeScaling};
use crate::model::error::{LoadError, Source, shortened};
use crate::model::file::TensorEntry;
use crate::model::vocabulary::TokenizerData;

/// Keys under the architecture's own prefix, then, for llama and the bitnets, under the prefixes some converters write instead.
struct Keys<'m, 'a> {
    metadata: &'m Metadata<'a>,
    prefixes: Vec<&'a str>,
}

impl Keys<'_, '_> {
    /// The key that the file has; that of the architecture when it has none.
    fn name(&self, suffix: &str) -> String {
        let keys = self.prefixes.iter().map(|prefix| format!("{prefix}.{suffix}"));
        let present = keys.clone().find(|key| self.metadata.get(key).is_some());
        present.unwrap_or_else(|| format!("{}.{suffix}", self.prefixes[0]))
    }

    fn source(&self) -> Source<'_> {
        self.metadata.source()
    }

    /// A positive count if the key is there.
    fn count_if_present(&self, suffix: &str) -> Result<Option<usize>, LoadError> {
        let key = self.name(suffix);
        match self.metadata.uint(&key)? {
            None => Ok(None),
            // Shapes are multiplied below, so they stay far from overflow.
            Some(v @ 1..=0x7FFF_FFFF) => Ok(Some(v as usize)),
            Some(v) => Err(self.source().invalid(key, "a count from 1 to 2147483647", v)),
        }
    }

    fn count(&self, suffix: &str) -> Result<usize, LoadError> {
        self.count_if_present(suffix)?.ok_or_else(|| self.missing(suffix))
    }

    /// A finite positive number if the key is there.
    fn positive_if_present(&self, suffix: &str) -> Result<Option<f32>, LoadError> {
        let key = self.name(suffix);
        match self.metadata.float(&key)? {
            Some(v) if !(v.is_finite() && v > 0.0) => {
                Err(self.source().invalid(key, "a finite number above 0", v))
            }
            v => Ok(v),
        }
    }

    fn missing(&self, suffix: &str) -> LoadError {
        self.source().invalid(self.name(suffix), "the key", "no such key")
    }
}

/// Builds the configuration and checks it against the tensor table.
pub(super) fn config(
    metadata: &Metadata<'_>,
    tensors: &[TensorEntry],
    tokenizer: &TokenizerData,
    default_name: &str,
) -> Result<Config, LoadError> {
    let source = metadata.source();
    let Some(arch) = metadata.str("general.architecture")? else {
        return Err(source.invalid("general.architecture", "the key", "no such key"));
    };
    let family = family(source, arch)?;
    let prefixes = if family == Family::Qwen3 { vec![arch] } else { vec![arch, "llama", "bitnet"] };
    let keys = Keys { metadata, prefixes };
    refuse_other_graphs(&keys, tensors)?;
    refuse_other_activation(&keys, family)?;

    let hidden = keys.count("embedding_length")?;
    let n_heads = keys.count("attention.head_count")?;
    let n_kv_heads = keys.count_if_present("attention.head_count_kv")?.unwrap_or(n_heads);
    if n_heads % n_kv_heads != 0 {
        let field = keys.name("attention.head_count_kv");
        return Err(source.invalid(field, format_args!("a divisor of {n_heads} heads"), n_kv_heads));
    }
    let head_dim = head_dim(&keys, hidden, n_heads)?;
    let context_length = keys.count("context_length")?;
    let Some(norm_eps) = keys.positive_if_present("attention.layer_norm_rms_epsilon")? else {
        return Err(keys.missing("attention.layer_norm_rms_epsilon"));
    };
    let tied_head = !tensors.iter().any(|t| t.name == "output.weight");
    if family == Family::BitNet && !tied_head {
        let next_step =
            "the graph `bitnet` takes its logits from the embedding; convert without output.weight";
        return Err(source.unsupported("output.weight", "an untied head", next_step));
    }
    let name = metadata.str("general.name")?.filter(|name| !name.is_empty()).unwrap_or(default_name);
    Ok(Config {
        family,
        arch: arch.to_owned(),
        name: shortened(name, 200),
        n_layers: n_layers(&keys, tensors)?,
        hidden,
        ffn: keys.count("feed_forward_length")?,
        n_heads,
        n_kv_heads,
        head_dim,
        vocab: vocab(&keys, tensors, tokenizer, hidden)?,
        context_length,
        norm_eps,
        rope: rope(&keys, family, head_dim, context_length)?,
        tied_head,
    })
}

fn family(source: Source<'_>, arch: &str) -> Result<Family, LoadError> {
    Ok(match arch {
        "llama" => Family::Llama,
        "qwen3" => Family::Qwen3,
        "bitnet" => Family::BitNet,
        "bitnet-b1.58" | "bitnet-25" => Family::BitNetB158,
        other => {
            let next_step = "this engine runs llama, qwen3, bitnet, bitnet-b1.58 and bitnet-25";
            let found = format!("architecture `{}`", shortened(other, 80));
            return Err(source.unsupported("general.architecture", found, next_step));
        }
    })
}

/// Graphs that share an architecture name with ours but compute something else.
fn refuse_other_graphs(keys: &Keys<'_, '_>, tensors: &[TensorEntry]) -> Result<(), LoadError> {
    let expert_key = keys.name("expert_count");
    if let Some(experts) = keys.metadata.uint(&expert_key)?.filter(|&experts| experts > 0) {
        let found = format!("a mixture of {experts} experts");
        return Err(keys.source().unsupported(expert_key, found, "use a dense model"));
    }
    if let Some(bias) = tensors.iter().find(|t| t.name.ends_with(".bias")) {
        let name = shortened(&bias.name, 80);
        return Err(keys.source().unsupported(name, "a bias", "use a model whose layers have no biases"));
    }
    Ok(())
}

/// Layers: no more than tensors, so that nobody allocates for layers that cannot be there.
fn n_layers(keys: &Keys<'_, '_>, tensors: &[TensorEntry]) -> Result<usize, LoadError> {
    let n_layers = keys.count("block_count")?;
    if n_layers > tensors.len() {
        let found = format!("{n_layers} layers");
        return Err(keys.source().invalid(
            keys.name("block_count"),
            format_args!("at most {} layers, one a tensor", tensors.len()),
            found,
        ));
    }
    Ok(n_layers)
}

/// Some converters name the nonlinearity of the gate; it must be the one that the graph computes.
fn refuse_other_activation(keys: &Keys<'_, '_>, family: Family) -> Result<(), LoadError> {
    let ours = match family {
        Family::BitNetB158 => "relu2",
        Family::Llama | Family::Qwen3 | Family::BitNet => "silu",
    };
    let key = keys.name("hidden_activation");
    match keys.metadata.str(&key)? {
        Some(found) if found != ours => {
            let next_step = format!("this engine computes {ours} for this architecture");
            Err(keys.source().unsupported(key, format_args!("`{}`", shortened(found, 80)), next_step))
        }
        _ => Ok(()),
    }
}

fn head_dim(keys: &Keys<'_, '_>, hidden: usize, n_heads: usize) -> Result<usize, LoadError> {
    let key_length = keys.count_if_present("attention.key_length")?;
    let head_dim = match key_length {
        Some(head_dim) => head_dim,
        None if hidden.is_multiple_of(n_heads) => hidden / n_heads,
        None => {
            let field = keys.name("attention.head_count");
            return Err(keys.source().invalid(field, format_args!("a divisor of {hidden}"), n_heads));
        }
    };
    match keys.count_if_present("attention.value_length")? {
        Some(value_length) if value_length != head_dim => {
            let found = format!("values of {value_length} elements beside keys of {head_dim}");
            let next_step = "use a model whose keys and values have one length";
            Err(keys.source().unsupported(keys.name("attention.value_length"), found, next_step))
        }
        _ => Ok(head_dim),
    }
}

/// Vocabulary: the rows of the embedding, which may be padded beyond the tokens but never fewer.
fn vocab(
    keys: &Keys<'_, '_>,
    tensors: &[TensorEntry],
    tokenizer: &TokenizerData,
    hidden: usize,
) -> Result<usize, LoadError> {
    let source = keys.source();
    let Some(embedding) = tensors.iter().find(|t| t.name == "token_embd.weight") else {
        return Err(source.invalid("token_embd.weight", "the tensor", "no such tensor"));
    };
    if embedding.cols != hidden {
        let expected = format!("rows of {hidden}");
        return Err(source.invalid("token_embd.weight", expected, embedding.cols));
    }
    let (rows, tokens) = (embedding.rows, tokenizer.tokens.len());
    if tokens > rows {
        let expected = format!("at most {rows} (rows of token_embd.weight)");
        return Err(source.invalid("tokenizer.ggml.tokens", expected, tokens));
    }
    match keys.count_if_present("vocab_size")? {
        Some(stated) if stated != rows && stated != tokens => {
            let expected = format!("{rows} (rows of token_embd.weight)");
            Err(source.invalid(keys.name("vocab_size"), expected, stated))
        }
        _ => Ok(rows),
    }
}

fn rope(
    keys: &Keys<'_, '_>,
    family: Family,
    head_dim: usize,
    context_length: usize,
) -> Result<RopeConfig, LoadError> {
    let dims = keys.count_if_present("rope.dimension_count")?.unwrap_or(head_dim);
    if dims > head_dim || !dims.is_multiple_of(2) {
        let expected = format!("an even number, at most {head_dim}");
        return Err(keys.source().invalid(keys.name("rope.dimension_count"), expected, dims));
    }
    let pairing = match family {
        Family::Llama => RopePairing::Interleaved,
        Family::Qwen3 | Family::BitNet | Family::BitNetB158 => RopePairing::SplitHalf,
    };
    Ok(RopeConfig {
        // 10000 is what the format says for a missing base.
        theta: keys.positive_if_present("rope.freq_base")?.unwrap_or(10000.0),
        dims,
        pairing,
        scaling: rope_scaling(keys, context_length)?,
    })
}

/// Parameters of YaRN that published files leave at their defaults.
const YARN_DEFAULTS: [(&str, f32); 5] = [
    ("rope.scaling.attn_factor", 1.0),
    ("rope.scaling.yarn_attn_factor", 1.0),
    ("rope.scaling.yarn_ext_factor", 1.0),
    ("rope.scaling.yarn_beta_fast", 32.0),
    ("rope.scaling.yarn_beta_slow", 1.0),
];

fn rope_scaling(keys: &Keys<'_, '_>, context_length: usize) -> Result<RopeScaling, LoadError> {
    let key = keys.name("rope.scaling.type");
    let factor = keys.positive_if_present("rope.scaling.factor")?;
    // Values other than these defaults change the frequencies, and the forward pass has no place for them.
    for (suffix, default) in YARN_DEFAULTS {
        let key = keys.name(suffix);
        if let Some(found) = keys.metadata.float(&key)?.filter(|&v| v != default) {
            let next_step = format!("this engine computes YaRN with {default} here");
            return Err(keys.source().unsupported(key, found, next_step));
        }
    }
    let required = || factor.ok_or_else(|| keys.missing("rope.scaling.factor"));
    match keys.metadata.get(&key) {
        None => {
            // The older spelling, without a type.
            let factor = factor.or(keys.positive_if_present("rope.scale_linear")?);
            Ok(factor
                .filter(|&factor| factor != 1.0)
                .map_or(RopeScaling::None, |factor| RopeScaling::Linear { factor }))
        }
        Some(Value::Str("none")) => Ok(RopeScaling::None),
        Some(Value::Str("linear")) => Ok(RopeScaling::Linear { factor: required()? }),
        Some(Value::Str("yarn")) => Ok(RopeScaling::Yarn {
            factor: required()?,
            original_context: keys
                .count_if_present("rope.scaling.original_context_length")?
                .unwrap_or(context_length),
        }),
        Some(other) => {
            let next_step = "this engine scales positions by `linear` or `yarn`";
            Err(keys.source().unsupported(key, other.describe(), next_step))
        }
    }
}
