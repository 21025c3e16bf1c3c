//! Tensor type ids of GGUF: which ones this engine reads, and what to tell the user about the others.

use crate::model::TensorType;
use crate::model::error::{LoadError, Source};

/// The type with a GGUF id.
pub(super) fn tensor_type(source: Source<'_>, tensor: &str, id: u32) -> Result<TensorType, LoadError> {
    if let Some(ty) = TensorType::ALL.into_iter().find(|ty| ty.gguf_id() == Some(id)) {
        return Ok(ty);
    }
    let (name, next_step) = unsupported(id);
    Err(source.unsupported(tensor, format_args!("tensor type {name}"), next_step))
}

const ASK_TERNARY: &str = "ask for a TQ1_0, TQ2_0 or I2_S file of this model";
const ASK_DENSE: &str = "ask for a Q4_0, Q4_K, Q6_K or Q8_0 file of this model";

/// Name of an id and the next step. Ids from 36 on differ between projects, so each of them is named with its possible owners.
fn unsupported(id: u32) -> (String, &'static str) {
    let (name, next_step) = match id {
        9 => ("Q8_1", ASK_DENSE),
        10 => ("Q2_K", ASK_DENSE),
        11 => ("Q3_K", ASK_DENSE),
        15 => ("Q8_K", ASK_DENSE),
        16 => ("IQ2_XXS", ASK_DENSE),
        17 => ("IQ2_XS", ASK_DENSE),
        18 => ("IQ3_XXS", ASK_DENSE),
        19 => ("IQ1_S", "it is not ternary; ask for a TQ1_0, TQ2_0 or Q4_0 file of this model"),
        20 => ("IQ4_NL", ASK_DENSE),
        21 => ("IQ3_S", ASK_DENSE),
        22 => ("IQ2_S", "it is not ternary; ask for a TQ1_0, TQ2_0 or Q4_0 file of this model"),
        23 => ("IQ4_XS", ASK_DENSE),
        24..=27 => ("I8, I16, I32 or I64", "integer tensors belong to no graph this engine runs"),
        28 => ("F64", ASK_DENSE),
        29 => ("IQ1_M", "it is not ternary; ask for a TQ1_0, TQ2_0 or Q4_0 file of this model"),
        31..=33 => ("Q4_0 repacked for one CPU", "ask for the plain Q4_0 file of this model"),
        38 => {
            ("TL1", "its layout depends on a CPU-specific file; ask for an I2_S or TQ2_0 file of this model")
        }
        39 => ("TL2 or MXFP4", "ask for an I2_S or TQ2_0 file of this model"),
        40 => ("NVFP4 or Q1_0", ASK_TERNARY),
        41 => ("Q1_0 in blocks of 128", ASK_TERNARY),
        42 => (
            "that means Q2_0 (64 weights, 18 bytes) in one project and TQ2_0_g128 (128 weights, 34 bytes) in another, so it is ambiguous",
            ASK_TERNARY,
        ),
        134 => ("IQ1_BN", ASK_TERNARY),
        135 => ("IQ2_BN", ASK_TERNARY),
        335 => ("IQ2_BN_R4", ASK_TERNARY),
        142 | 143 => ("PQ2_0 or PTQ1_0", ASK_TERNARY),
        _ => ("unknown to this engine", "ask for a TQ1_0, TQ2_0, I2_S or Q4_0 file of this model"),
    };
    (format!("{id} ({name})"), next_step)
}
