//! Flags that several commands share, and their meaning for the engine.

use clap::{Args, ValueEnum};
use onebit_engine::lane::{KvDtype, LaneChoice};
use onebit_engine::sampler::Sampling;
use onebit_engine::session::Head;

use super::output;
use crate::folders::Folders;
use crate::settings::{Key, Settings};

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

/// Where a model runs. What is not given comes from the settings.
#[derive(Debug, Clone, Args)]
pub struct EngineFlags {
    #[arg(long, value_enum, help = help(Key::Lane))]
    lane: Option<LaneFlag>,
    #[arg(long, value_name = "N", help = help(Key::Threads))]
    threads: Option<usize>,
    #[arg(long, value_enum, help = help(Key::KvType))]
    kv: Option<KvFlag>,
    #[arg(long, value_enum, help = help(Key::Head))]
    head: Option<HeadFlag>,
    /// Memory for weights, KV cache and scratch, e.g. 900M or 8G; 0 = three quarters of the machine's
    /// [default: the setting models.memory_limit_mib]
    #[arg(long, value_name = "BYTES", value_parser = parse_bytes)]
    memory_limit: Option<u64>,
}

/// What flags, settings and defaults come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EngineChoice {
    /// Where to run.
    pub lane: LaneChoice,
    /// Worker threads; 0 = one per physical core.
    pub threads: usize,
    /// Storage of the KV cache.
    pub kv: KvDtype,
    /// How the LM head is computed.
    pub head: Head,
    /// Memory budget; 0 = three quarters of the machine's.
    pub memory_bytes: u64,
}

/// How tokens are picked.
#[derive(Debug, Clone, Args)]
pub struct SamplingFlags {
    /// Seed of the random stream
    #[arg(long, value_name = "S", default_value_t = 0)]
    seed: u64,
    /// Keep the K most likely tokens; 0 = all
    #[arg(long, value_name = "K")]
    top_k: Option<u32>,
    /// Keep the most likely tokens up to this mass
    #[arg(long, value_name = "P")]
    top_p: Option<f32>,
    /// Drop tokens below this fraction of the most likely one
    #[arg(long, value_name = "P")]
    min_p: Option<f32>,
    /// Divide the logits of recent tokens by this
    #[arg(long, value_name = "X")]
    repeat_penalty: Option<f32>,
    /// End at this text; may be given several times
    #[arg(long, value_name = "TEXT")]
    pub stop: Vec<String>,
}

/// Help of a flag that a setting stands behind.
pub fn help(key: Key) -> String {
    format!("{} [default: the setting {}]", key.row().help.trim_end_matches('.'), key.row().path())
}

/// The settings of the user. What cannot be used is said on stderr, and the default is used.
pub fn settings(folders: &Folders) -> Settings {
    let path = crate::settings::path(folders);
    let loaded = crate::settings::load(&path);
    for problem in &loaded.problems {
        output::note(&format!("note: {}: {problem}; the default is used", path.display()));
    }
    loaded.settings
}

impl EngineFlags {
    /// Flags over settings over defaults, for a model.
    ///
    /// # Errors
    /// A lane that this build has not.
    pub fn choose(&self, settings: &Settings, model: &str) -> anyhow::Result<EngineChoice> {
        let base = settings.engine_options();
        Ok(EngineChoice {
            lane: self.lane.map_or(Ok(base.lane), LaneFlag::choice)?,
            threads: self.threads.unwrap_or(base.threads),
            kv: self.kv.map_or_else(|| settings.kv_dtype(model), KvFlag::dtype),
            head: self.head.map_or(base.head, HeadFlag::head),
            memory_bytes: self.memory_limit.unwrap_or(base.memory_bytes),
        })
    }
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
    /// As on the command line.
    pub fn name(self) -> &'static str {
        match self {
            KvFlag::F16 => "f16",
            KvFlag::Int8 => "int8",
        }
    }

    /// The engine's name for it.
    pub fn dtype(self) -> KvDtype {
        match self {
            KvFlag::F16 => KvDtype::F16,
            KvFlag::Int8 => KvDtype::Int8,
        }
    }
}

impl SamplingFlags {
    /// The engine's form: flags over `base`.
    pub fn sampling(&self, temperature: Option<f32>, base: Sampling) -> Sampling {
        Sampling {
            temperature: temperature.unwrap_or(base.temperature),
            top_k: self.top_k.unwrap_or(base.top_k),
            top_p: self.top_p.unwrap_or(base.top_p),
            min_p: self.min_p.unwrap_or(base.min_p),
            repetition_penalty: self.repeat_penalty.unwrap_or(base.repetition_penalty),
            seed: self.seed,
            ..base
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
    use crate::settings::Change;

    #[test]
    fn sizes_are_powers_of_1024() {
        assert_eq!(parse_bytes("0"), Ok(0));
        assert_eq!(parse_bytes("900M"), Ok(900 << 20));
        assert_eq!(parse_bytes("8GiB"), Ok(8 << 30));
        for wrong in ["", "M", "-1", "1.5G", "8X", "99999999999T"] {
            assert!(parse_bytes(wrong).is_err(), "{wrong}");
        }
    }

    #[derive(Debug, clap::Parser)]
    struct Line {
        #[command(flatten)]
        engine: EngineFlags,
        #[command(flatten)]
        sampling: SamplingFlags,
    }

    fn line(arguments: &[&str]) -> Line {
        clap::Parser::parse_from(std::iter::once("onebit").chain(arguments.iter().copied()))
    }

    #[test]
    fn flags_override_settings_and_settings_override_defaults() {
        let mut settings = Settings::default();
        let plain = line(&[]).engine.choose(&settings, "m").unwrap();
        assert_eq!((plain.lane, plain.threads, plain.kv), (LaneChoice::Auto, 0, KvDtype::F16));
        for (key, model, value) in [
            (Key::Lane, None, "cpu".into()),
            (Key::Threads, None, 3.into()),
            (Key::KvType, None, "int8".into()),
            (Key::Head, None, "exact".into()),
            (Key::MemoryLimit, None, 900.into()),
            (Key::Temperature, None, 0.5.into()),
            (Key::Temperature, Some("m".to_owned()), 0.25.into()),
            (Key::TopK, None, 7.into()),
        ] {
            settings.apply(&Change::Set { key, model, value: Some(value) }).unwrap();
        }
        let set = line(&[]).engine.choose(&settings, "m").unwrap();
        let expected = EngineChoice {
            lane: LaneChoice::Cpu,
            threads: 3,
            kv: KvDtype::Int8,
            head: Head::Exact,
            memory_bytes: 900 << 20,
        };
        assert_eq!(set, expected);
        let given = line(&[
            "--head",
            "4-bit",
            "--lane",
            "reference",
            "--threads",
            "0",
            "--kv",
            "f16",
            "--memory-limit",
            "1G",
        ]);
        let given = given.engine.choose(&settings, "m").unwrap();
        let expected = EngineChoice {
            lane: LaneChoice::Reference,
            threads: 0,
            kv: KvDtype::F16,
            head: Head::FourBit,
            memory_bytes: 1 << 30,
        };
        assert_eq!(given, expected);
        let base = || settings.sampling("m");
        assert_eq!(line(&[]).sampling.sampling(None, base()).temperature, 0.25);
        assert_eq!(line(&[]).sampling.sampling(Some(0.0), settings.sampling("other")).temperature, 0.0);
        assert_eq!(line(&["--top-k", "0"]).sampling.sampling(None, base()).top_k, 0);
        assert_eq!(line(&["--top-p", "1"]).sampling.sampling(None, base()).top_k, 7);
    }

    #[test]
    fn a_lane_that_is_not_in_this_build_is_an_error_that_names_the_others() {
        let problem = LaneFlag::Hip.choice().unwrap_err().to_string();
        assert!(problem.contains("cpu"), "{problem}");
    }
}
