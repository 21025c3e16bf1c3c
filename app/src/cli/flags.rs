//! Flags that several commands share, and their meaning for the engine.

use clap::{Args, ValueEnum};
use onebit_engine::lane::{KvDtype, LaneChoice};
use onebit_engine::sampler::Sampling;
use onebit_engine::session::Head;

/// `--lane`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LaneFlag {
    /// The fastest this machine has
    Auto,
    /// The processor
    Cpu,
    /// An AMD GPU
    Hip,
    /// Slow and exact, for comparison
    Reference,
}

/// `--head`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum HeadFlag {
    /// As the file has it, found faster with a coarse copy; the same answers
    Screened,
    /// As the file has it, always computed whole
    Exact,
    /// Rounded to 4.5 bits a weight: less memory traffic, slightly other answers
    #[value(name = "4-bit")]
    FourBit,
}

/// `--kv`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum KvFlag {
    /// Half precision
    F16,
    /// One byte a value
    Int8,
}

/// Where a model runs.
#[derive(Debug, Clone, Args)]
pub struct EngineFlags {
    /// Where to run
    #[arg(long, value_enum, default_value = "auto")]
    pub lane: LaneFlag,
    /// Worker threads; 0 = one per physical core
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub threads: usize,
    /// Storage of the KV cache
    #[arg(long, value_enum, default_value = "f16")]
    pub kv: KvFlag,
    /// The LM head
    #[arg(long, value_enum, default_value = "screened")]
    pub head: HeadFlag,
    /// Memory for weights, KV cache and scratch, e.g. 900M or 8G; 0 = three quarters of the machine's
    #[arg(long, value_name = "BYTES", default_value = "0", value_parser = parse_bytes)]
    pub memory_limit: u64,
}

/// How tokens are picked.
#[derive(Debug, Clone, Args)]
pub struct SamplingFlags {
    /// Seed of the random stream
    #[arg(long, value_name = "S", default_value_t = 0)]
    seed: u64,
    /// Keep the K most likely tokens; 0 = all
    #[arg(long, value_name = "K", default_value_t = 0)]
    top_k: u32,
    /// Keep the most likely tokens up to this mass
    #[arg(long, value_name = "P", default_value_t = 1.0)]
    top_p: f32,
    /// Drop tokens below this fraction of the most likely one
    #[arg(long, value_name = "P", default_value_t = 0.0)]
    min_p: f32,
    /// Divide the logits of recent tokens by this
    #[arg(long, value_name = "X", default_value_t = 1.0)]
    repeat_penalty: f32,
    /// End at this text; may be given several times
    #[arg(long, value_name = "TEXT")]
    pub stop: Vec<String>,
}

impl LaneFlag {
    /// The engine's name for it.
    ///
    /// # Errors
    /// This build cannot run it.
    pub fn choice(self) -> anyhow::Result<LaneChoice> {
        match self {
            LaneFlag::Auto => Ok(LaneChoice::Auto),
            LaneFlag::Cpu => Ok(LaneChoice::Cpu),
            LaneFlag::Reference => Ok(LaneChoice::Reference),
            LaneFlag::Hip => anyhow::bail!("this build has no HIP lane; use --lane auto, cpu or reference"),
        }
    }
}

impl HeadFlag {
    /// The engine's name for it.
    pub fn head(self) -> Head {
        match self {
            HeadFlag::Screened => Head::Screened,
            HeadFlag::Exact => Head::Exact,
            HeadFlag::FourBit => Head::FourBit,
        }
    }
}

impl KvFlag {
    /// The engine's name for it.
    pub fn dtype(self) -> KvDtype {
        match self {
            KvFlag::F16 => KvDtype::F16,
            KvFlag::Int8 => KvDtype::Int8,
        }
    }
}

impl SamplingFlags {
    /// The engine's form, at a temperature.
    pub fn sampling(&self, temperature: f32) -> Sampling {
        Sampling {
            temperature,
            top_k: self.top_k,
            top_p: self.top_p,
            min_p: self.min_p,
            repetition_penalty: self.repeat_penalty,
            seed: self.seed,
            ..Sampling::default()
        }
    }
}

/// `900M`, `8G`, `8GiB`, `1073741824`: powers of 1024.
pub fn parse_bytes(text: &str) -> Result<u64, String> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let shift = match unit.trim().trim_end_matches("iB").trim_end_matches('B') {
        "" => 0,
        "K" | "k" => 10,
        "M" => 20,
        "G" => 30,
        "T" => 40,
        _ => return Err("expected a number of bytes such as 900M or 8G".to_owned()),
    };
    let number: u64 =
        number.parse().map_err(|_| "expected a number of bytes such as 900M or 8G".to_owned())?;
    number.checked_mul(1 << shift).ok_or_else(|| "larger than any machine".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_powers_of_1024() {
        assert_eq!(parse_bytes("0"), Ok(0));
        assert_eq!(parse_bytes("900M"), Ok(900 << 20));
        assert_eq!(parse_bytes("8GiB"), Ok(8 << 30));
        for wrong in ["", "M", "-1", "1.5G", "8X", "99999999999T"] {
            assert!(parse_bytes(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_lane_that_is_not_in_this_build_is_an_error_that_names_the_others() {
        let problem = LaneFlag::Hip.choice().unwrap_err().to_string();
        assert!(problem.contains("cpu"), "{problem}");
    }
}
