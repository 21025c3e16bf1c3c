//! Values of settings, and what a setting may hold.

use std::borrow::Cow;

/// A value.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// On or off.
    Switch(bool),
    /// A whole number.
    Whole(i64),
    /// Another number.
    Real(f64),
    /// A text, or the name of a choice.
    Text(Cow<'static, str>),
}

/// What a setting may hold.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Kind {
    /// On or off.
    Switch,
    /// One of these: name in the file, word for people.
    Choice(&'static [(&'static str, &'static str)]),
    /// A whole number.
    Whole {
        /// Smallest.
        least: i64,
        /// Largest.
        most: i64,
        /// Distance of two steps of the slider.
        step: i64,
        /// Unit, if any.
        unit: &'static str,
        /// What 0 means, if it means something else than a number.
        zero: Option<&'static str>,
    },
    /// A number with decimals.
    Real {
        /// Smallest.
        least: f64,
        /// Largest.
        most: f64,
        /// Distance of two steps of the slider.
        step: f64,
    },
    /// A text of at most so many bytes.
    Text {
        /// At most.
        most_bytes: usize,
    },
}

/// Decimals of a number with decimals.
pub const DECIMALS: usize = 2;

impl Value {
    /// On or off; off for anything else.
    pub fn is_on(&self) -> bool {
        matches!(self, Self::Switch(true))
    }

    /// The whole number; 0 for anything else.
    pub fn whole(&self) -> i64 {
        if let Self::Whole(value) = self { *value } else { 0 }
    }

    /// The number; 0 for anything else.
    pub fn real(&self) -> f64 {
        if let Self::Real(value) = self { *value } else { 0.0 }
    }

    /// The text; empty for anything else.
    pub fn text(&self) -> &str {
        if let Self::Text(text) = self { text } else { "" }
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Switch(value)
    }
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Self::Whole(value)
    }
}

impl From<f64> for Value {
    fn from(value: f64) -> Self {
        Self::Real(value)
    }
}

impl From<String> for Value {
    fn from(value: String) -> Self {
        Self::Text(Cow::Owned(value))
    }
}

impl From<&'static str> for Value {
    fn from(value: &'static str) -> Self {
        Self::Text(Cow::Borrowed(value))
    }
}

impl Kind {
    /// Checks type and range.
    ///
    /// # Errors
    /// What is expected, as text.
    pub fn check(&self, value: &Value) -> Result<(), String> {
        let fits = match (self, value) {
            (Self::Switch, Value::Switch(_)) => true,
            (Self::Choice(choices), Value::Text(text)) => choices.iter().any(|(name, _)| name == text),
            (Self::Whole { least, most, .. }, Value::Whole(value)) => (least..=most).contains(&value),
            // A value that is not a number is in no range.
            (Self::Real { least, most, .. }, Value::Real(value)) => (least..=most).contains(&value),
            (Self::Text { most_bytes }, Value::Text(text)) => text.len() <= *most_bytes,
            _ => false,
        };
        if fits { Ok(()) } else { Err(self.expected()) }
    }

    /// What it may hold, for a message.
    pub fn expected(&self) -> String {
        match self {
            Self::Switch => "true or false".to_owned(),
            Self::Choice(choices) => {
                let names: Vec<String> = choices.iter().map(|(name, _)| format!("\"{name}\"")).collect();
                names.join(", ")
            }
            Self::Whole { least, most, .. } => format!("a whole number from {least} to {most}"),
            Self::Real { least, most, .. } => format!("a number from {least} to {most}"),
            Self::Text { most_bytes } => format!("a text of at most {most_bytes} bytes"),
        }
    }

    /// A value as people read it.
    pub fn shown(&self, value: &Value) -> String {
        match (self, value) {
            (Self::Switch, value) => if value.is_on() { "on" } else { "off" }.to_owned(),
            (Self::Choice(choices), value) => {
                let known = choices.iter().find(|(name, _)| *name == value.text());
                known.map_or_else(|| value.text().to_owned(), |(_, word)| (*word).to_owned())
            }
            (Self::Whole { zero: Some(word), .. }, Value::Whole(0)) => (*word).to_owned(),
            (Self::Whole { unit: "", .. }, value) => value.whole().to_string(),
            (Self::Whole { unit, .. }, value) => format!("{} {unit}", value.whole()),
            (Self::Real { .. }, value) => format!("{:.DECIMALS$}", value.real()),
            (Self::Text { .. }, value) => value.text().to_owned(),
        }
    }
}
