//! Sampling parameters that a chat or a persona sets itself, as JSON text. Knows no engine; whoever asks it fills in the defaults.

use serde::{Deserialize, Serialize};

/// Parameters that differ from the defaults; `None` = the default applies.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ChatSampling {
    /// 0 to 1000; 0 always takes the most likely token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub temperature: Option<f32>,
    /// Keep the k most likely; 0 = all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub top_k: Option<u32>,
    /// 0 to 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub top_p: Option<f32>,
    /// 0 to 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_p: Option<f32>,
    /// 0.01 to 100; 1 = off.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repetition_penalty: Option<f32>,
    /// -100 to 100; 0 = off.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub frequency_penalty: Option<f32>,
    /// -100 to 100; 0 = off.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub presence_penalty: Option<f32>,
    /// Seed of the random stream; the default is another one for every answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    /// Longest answer in tokens; 0 = until the context is full.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_new_tokens: Option<u32>,
}

impl ChatSampling {
    /// Whether every parameter is the default.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// Checks the ranges.
    ///
    /// # Errors
    /// Names the parameter, what was found and what was expected.
    pub fn check(&self) -> Result<(), String> {
        let ranges = [
            ("temperature", self.temperature, 0.0, 1000.0),
            ("top_p", self.top_p, 0.0, 1.0),
            ("min_p", self.min_p, 0.0, 1.0),
            ("repetition_penalty", self.repetition_penalty, 0.01, 100.0),
            ("frequency_penalty", self.frequency_penalty, -100.0, 100.0),
            ("presence_penalty", self.presence_penalty, -100.0, 100.0),
        ];
        for (name, value, least, most) in ranges {
            // A value that is not a number is in no range.
            if let Some(value) = value.filter(|value| !(least..=most).contains(value)) {
                return Err(format!("{name} is {value}; expected {least} to {most}"));
            }
        }
        match self.temperature {
            // Below this the softmax is the argmax, and the engine refuses the division.
            Some(temperature) if temperature > 0.0 && temperature < 1e-4 => {
                Err(format!("temperature is {temperature}; expected 0, or 0.0001 to 1000"))
            }
            _ => Ok(()),
        }
    }

    /// As JSON text.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("numbers serialise")
    }

    /// From JSON text, checked.
    ///
    /// # Errors
    /// Says which field is wrong.
    pub fn from_json(text: &str) -> Result<Self, String> {
        let sampling: Self = serde_json::from_str(text).map_err(|err| err.to_string())?;
        sampling.check()?;
        Ok(sampling)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_set_is_written_and_read_back_exactly() {
        assert_eq!(ChatSampling::default().to_json(), "{}");
        let set = ChatSampling {
            temperature: Some(0.7),
            seed: Some(u64::MAX),
            top_k: Some(0),
            ..ChatSampling::default()
        };
        assert_eq!(ChatSampling::from_json(&set.to_json()), Ok(set));
    }

    #[test]
    fn a_value_out_of_range_or_of_another_type_is_named() {
        for (text, named) in [
            (r#"{"temperature":-1}"#, "temperature"),
            (r#"{"temperature":0.00001}"#, "temperature"),
            (r#"{"top_p":1.5}"#, "top_p"),
            (r#"{"top_k":"many"}"#, "expected u32"),
            (r#"{"warmth":1}"#, "warmth"),
            (r#"{"min_p":1e9}"#, "min_p"),
            // No number of this width: where it stands is said.
            (r#"{"min_p":1e99}"#, "number out of range at line 1 column 13"),
            ("[", "EOF"),
        ] {
            let problem = ChatSampling::from_json(text).unwrap_err();
            assert!(problem.contains(named), "{text}: {problem}");
        }
    }
}
