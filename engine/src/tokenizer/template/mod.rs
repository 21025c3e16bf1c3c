//! Jinja chat templates from model files, and the official BitNet template for files without one.
//!
//! A template is part of a model file and so hostile input: its work, its output and every text on the way are bounded
//! (`bounded`), and the methods of Python's `str` and `dict` that real templates call are here (`operators`, `python`). What a template
//! writes is turned into ids by `super::chat`.

mod bounded;
mod clock;
mod operators;
mod python;

use minijinja::Value;

use super::vocab;
use crate::model::TokenizerData;
use bounded::Program;

/// Who says a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// Instructions to the model.
    System,
    /// The person.
    User,
    /// The model.
    Assistant,
}

impl Role {
    /// The name that templates know.
    pub fn name(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::User => "user",
            Self::Assistant => "assistant",
        }
    }
}

/// One message of a chat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Speaker.
    pub role: Role,
    /// Text, taken literally.
    pub content: String,
}

/// Why a chat could not be rendered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("chat template: {0}")]
pub struct TemplateError(pub String);

/// What Microsoft's BitNet b1.58 2B-4T was tuned with (formats.md 3.5). `END` is the token that ends a turn.
const BITNET: &str = "{% for message in messages %}\
    {% set content = message['role'] | capitalize + ': ' + message['content'] | trim + 'END' %}\
    {% if loop.index0 == 0 %}{% set content = bos_token + content %}{% endif %}\
    {{ content }}{% endfor %}\
    {% if add_generation_prompt %}{{ 'Assistant: ' }}{% endif %}";

/// End of a turn in the BitNet template.
const BITNET_END: &str = "<|eot_id|>";

/// A chat template, compiled.
#[derive(Debug)]
pub struct ChatTemplate {
    program: Program,
    source: String,
    bos_token: String,
    eos_token: String,
    now_secs: Option<u64>,
}

impl ChatTemplate {
    /// Compiles the Jinja source of a model file, as Hugging Face does (`trim_blocks`, `lstrip_blocks`).
    ///
    /// `bos_token` and `eos_token` are the texts of those tokens, which templates may write.
    ///
    /// # Errors
    /// A syntax error, with its line, or a template larger than real ones are.
    pub fn from_source(source: &str, bos_token: &str, eos_token: &str) -> Result<Self, TemplateError> {
        Ok(Self {
            program: Program::compile(source)?,
            source: source.to_owned(),
            bos_token: bos_token.to_owned(),
            eos_token: eos_token.to_owned(),
            now_secs: None,
        })
    }

    /// The official template of BitNet b1.58 2B-4T, for Llama 3 vocabularies.
    ///
    /// # Errors
    /// None in practice: the template is a constant.
    pub fn bitnet() -> Result<Self, TemplateError> {
        Self::from_source(&BITNET.replace("END", BITNET_END), "<|begin_of_text|>", "<|end_of_text|>")
    }

    /// The template of a model file; the official BitNet one for a file without, ending turns with the file's own end
    /// token where the vocabulary lacks `<|eot_id|>`.
    ///
    /// # Errors
    /// As [`Self::from_source`].
    pub fn for_model(data: &TokenizerData) -> Result<Self, TemplateError> {
        let text = |id: Option<u32>| id.map_or("", |id| vocab::text(data, id));
        let (bos, eos) = (text(data.bos), text(data.eos));
        if let Some(source) = &data.chat_template {
            return Self::from_source(source, bos, eos);
        }
        let has_eot = (0..data.tokens.len() as u32).any(|id| vocab::text(data, id) == BITNET_END);
        let end = match text(data.eot) {
            _ if has_eot => BITNET_END,
            "" => eos,
            eot => eot,
        };
        let quoted = end.replace('\\', "\\\\").replace('\'', "\\'");
        Self::from_source(&BITNET.replace("END", &quoted), bos, eos)
    }

    /// The same template at a fixed time (seconds since 1970, UTC), for templates that write today's date.
    #[must_use]
    pub fn at(mut self, unix_secs: u64) -> Self {
        self.now_secs = Some(unix_secs);
        self
    }

    /// Jinja source.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The chat as text. Contents are used as they are: the result is for reading, not for encoding.
    ///
    /// # Errors
    /// The template failed, raised an error of its own (`raise_exception`), or went beyond its bounds.
    pub fn render(&self, messages: &[Message], add_generation_prompt: bool) -> Result<String, TemplateError> {
        let input_bytes = messages.iter().map(|message| message.content.len()).sum();
        let messages = messages.iter().map(|message| {
            Value::from_pairs([
                ("role", Value::from(message.role.name())),
                ("content", Value::from(message.content.as_str())),
            ])
        });
        let context = Value::from_pairs([
            ("messages", messages.collect::<Value>()),
            ("add_generation_prompt", Value::from(add_generation_prompt)),
            ("bos_token", Value::from(self.bos_token.as_str())),
            ("eos_token", Value::from(self.eos_token.as_str())),
            ("now_secs", Value::from(self.now_secs)),
            // Hugging Face passes these too; templates ask whether they are none.
            ("tools", Value::from(())),
            ("documents", Value::from(())),
        ]);
        self.program.run(context, input_bytes)
    }

    /// All text a rendering may contain besides the contents of messages.
    pub(super) fn own_texts(&self) -> [&str; 3] {
        [&self.source, &self.bos_token, &self.eos_token]
    }
}
