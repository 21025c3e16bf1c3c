//! `synthetic:GEOMETRY:PACKING[+HEAD]`: a model file of a real shape with weights from a seed, made once in the cache folder. The
//! embedding, which is the LM head too, is f16 unless a head is named; .h1b fixes its own.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use onebit_engine::model::write::Synthetic;
use onebit_engine::model::{Family, TensorType};

use super::super::output;
use crate::folders::Folders;
use crate::models::{FoundModel, Origin};

/// Finds or makes the file of `GEOMETRY:PACKING[+HEAD]`.
///
/// # Errors
/// An unknown name, or a cache folder that cannot be written.
pub fn find_or_make(folders: &Folders, shape: &str) -> Result<FoundModel> {
    let (geometry, packing) = shape
        .split_once(':')
        .context("expected synthetic:GEOMETRY:PACKING[+HEAD], e.g. synthetic:bitnet-2b:tq2_0+q4_0")?;
    let (linear, head) = match packing.split_once('+') {
        Some((linear, head)) => (packing_of(linear)?, Some(head_of(head)?)),
        None => (packing_of(packing)?, None),
    };
    let mut model = match geometry {
        "bitnet-2b" => Synthetic::bitnet_2b_4t(linear),
        "bitnet-2b-8k" => Synthetic { context_length: 8192, ..Synthetic::bitnet_2b_4t(linear) },
        "tiny" => Synthetic::tiny(Family::BitNetB158, linear),
        _ => {
            bail!("no synthetic geometry is called {geometry:?}; there are bitnet-2b, bitnet-2b-8k and tiny")
        }
    };
    let is_h1b = matches!(linear, TensorType::Halo | TensorType::Tq1Halo | TensorType::Sherry);
    if let Some(head) = head {
        if is_h1b {
            bail!(
                "{packing:?}: .h1b has no choice of heads; leave it out, and use --head 4-bit for a smaller one"
            );
        }
        model.embedding = head;
    }
    let extension = if is_h1b { "h1b" } else { "gguf" };
    let folder = folders.cache.join("synthetic");
    let path = folder.join(format!("{geometry}-{packing}.{extension}"));
    // The file gets its name only when it is whole, so one that is there is whole.
    if !path.exists() {
        output::note(&format!("making {}, which stays there until you delete it", path.display()));
        std::fs::create_dir_all(&folder)
            .map_err(anyhow::Error::from)
            .and_then(|()| if is_h1b { make_h1b(&model, &path) } else { make_gguf(&model, &path) })
            .with_context(|| format!("{} cannot be made", path.display()))?;
    }
    let bytes = path.metadata().with_context(|| path.display().to_string())?.len();
    Ok(FoundModel { id: format!("synthetic:{shape}"), path, origin: Origin::Path, bytes })
}

fn packing_of(name: &str) -> Result<TensorType> {
    Ok(match name {
        "tq1_0" => TensorType::Tq1_0,
        "tq2_0" => TensorType::Tq2_0,
        "i2_s" => TensorType::I2S,
        "halo" => TensorType::Halo,
        "tq1_halo" => TensorType::Tq1Halo,
        "sherry" => TensorType::Sherry,
        _ => bail!("no packing is called {name:?}; there are tq1_0, tq2_0, i2_s, halo, tq1_halo and sherry"),
    })
}

fn head_of(name: &str) -> Result<TensorType> {
    Ok(match name {
        "f16" => TensorType::F16,
        "q8_0" => TensorType::Q8_0,
        "q6_k" => TensorType::Q6K,
        "q4_0" => TensorType::Q4_0,
        _ => bail!("no head is called {name:?}; there are f16, q8_0, q6_k and q4_0"),
    })
}

fn make_gguf(model: &Synthetic, path: &Path) -> Result<()> {
    let unfinished = unfinished(path);
    let out = model.write_gguf(BufWriter::new(File::create(&unfinished)?))?;
    finish(out, &unfinished, path)
}

fn make_h1b(model: &Synthetic, path: &Path) -> Result<()> {
    let tokens = path.with_extension("htok");
    let (unfinished_model, unfinished_tokens) = (unfinished(path), unfinished(&tokens));
    let mut htok = BufWriter::new(File::create(&unfinished_tokens)?);
    let out = model.write_h1b(BufWriter::new(File::create(&unfinished_model)?), &mut htok)?;
    finish(htok, &unfinished_tokens, &tokens)?;
    finish(out, &unfinished_model, path)
}

/// A name of this process, so that two at once do not write into one file.
fn unfinished(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{}.part", std::process::id()));
    PathBuf::from(name)
}

fn finish(mut out: BufWriter<File>, unfinished: &Path, path: &Path) -> Result<()> {
    out.flush()?;
    out.get_ref().sync_all()?;
    std::fs::rename(unfinished, path)?;
    Ok(())
}
