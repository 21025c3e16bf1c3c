//! Chats to ids. The markup that a template writes becomes special tokens; what people write never does.
//!
//! The template decides where contents go and may trim, cut or search them, so contents must go through it as text. A marker
//! character that occurs nowhere in the chat is put into each content such that no special token's text survives whole in
//! it or across its ends. The rendered text is cut at special tokens, all of which are then the template's own, and the
//! marker is taken out of the plain parts before they are encoded.

use std::collections::HashSet;

use super::merge::Scratch;
use super::specials::{Part, SpecialFinder};
use super::template::{ChatTemplate, Message, Role, TemplateError};
use super::vocab::Kind;
use super::{EncodeError, Tokenizer, TokenizerError};

impl Tokenizer {
    /// Ids of a rendered chat: markup of the template is parsed for specials, message contents never are.
    ///
    /// Control tokens come from the template alone, whoever speaks. User-defined tokens (`<think>`) count as markup where the
    /// template's source mentions them; the template may also find them in an assistant's message, whose text the model wrote
    /// with them, but not in anybody else's. BOS is in front once, written by the template or not, when the model asks for it.
    ///
    /// Without `add_generation_prompt` the chat ends after its last message.
    ///
    /// # Errors
    /// The template failed, or asks for something it may not do; a text cannot be encoded.
    pub fn encode_chat(
        &self,
        template: &ChatTemplate,
        messages: &[Message],
        add_generation_prompt: bool,
    ) -> Result<Vec<u32>, TemplateError> {
        let guard = Guard::new(self, template, messages)?;
        let text = template.render(&guard.all(messages), add_generation_prompt)?;
        self.encode_guarded(&guard, &text)
    }

    /// Ids of a chat whose last message is an answer to go on with: everything before it as in [`Self::encode_chat`], then what
    /// there is of the answer, without the end of its turn. A chat that ends with somebody else's message is encoded as usual.
    ///
    /// # Errors
    /// As [`Self::encode_chat`].
    pub fn encode_continuation(
        &self,
        template: &ChatTemplate,
        messages: &[Message],
    ) -> Result<Vec<u32>, TemplateError> {
        let Some((begun, said)) = messages.split_last().filter(|(last, _)| last.role == Role::Assistant)
        else {
            return self.encode_chat(template, messages, true);
        };
        let guard = Guard::new(self, template, messages)?;
        let mut text = template.render(&guard.all(said), true)?;
        text.push_str(&guard.content(begun));
        self.encode_guarded(&guard, &text)
    }

    /// Ids of rendered text in which contents carry the guard's marker.
    fn encode_guarded(&self, guard: &Guard<'_>, text: &str) -> Result<Vec<u32>, TemplateError> {
        let mut ids = Vec::with_capacity(text.len() / 4 + 1);
        let mut scratch = Scratch::default();
        for part in guard.finder.parts(text) {
            match part {
                Part::Special(id) => ids.push(id),
                Part::Plain(plain) => {
                    self.encode_plain(&plain.replace(guard.marker, ""), &mut scratch, &mut ids)?;
                }
            }
        }
        if let Some(bos) = self.bos.filter(|bos| self.add_bos && ids.first() != Some(bos)) {
            ids.insert(0, bos);
        }
        Ok(ids)
    }
}

impl From<EncodeError> for TemplateError {
    fn from(err: EncodeError) -> Self {
        Self(err.to_string())
    }
}

impl From<TokenizerError> for TemplateError {
    fn from(err: TokenizerError) -> Self {
        Self(err.to_string())
    }
}

/// Keeps contents from becoming markup.
struct Guard<'v> {
    /// A character that occurs nowhere in the chat.
    marker: char,
    /// Finds the tokens that are markup in this chat.
    finder: SpecialFinder,
    /// First and last characters of their texts.
    firsts: HashSet<char>,
    lasts: HashSet<char>,
    /// Texts that a template may look for in an assistant's message.
    left_to_assistant: Vec<&'v str>,
}

impl<'v> Guard<'v> {
    fn new(
        tokenizer: &'v Tokenizer,
        template: &ChatTemplate,
        messages: &[Message],
    ) -> Result<Self, TemplateError> {
        let mentions = |text: &str| template.own_texts().iter().any(|own| own.contains(text));
        // A marker cannot break up a single character, so those are nobody's markup; nor are runs of white space.
        let is_markup = |text: &str, kind: Kind| {
            let is_long = text.chars().nth(1).is_some();
            is_long && (kind == Kind::Control || (!text.trim().is_empty() && mentions(text)))
        };
        let markup: Vec<(&str, u32, Kind)> =
            tokenizer.vocabulary.specials().filter(|&(text, _, kind)| is_markup(text, kind)).collect();
        Ok(Self {
            marker: unused_character(template, messages)?,
            finder: SpecialFinder::new(markup.iter().map(|&(text, id, _)| (text, id)))?,
            firsts: markup.iter().filter_map(|(text, ..)| text.chars().next()).collect(),
            lasts: markup.iter().filter_map(|(text, ..)| text.chars().next_back()).collect(),
            left_to_assistant: markup
                .iter()
                .filter(|(_, _, kind)| *kind == Kind::UserDefined)
                .map(|&(text, ..)| text)
                .collect(),
        })
    }

    /// All messages with their contents marked.
    fn all(&self, messages: &[Message]) -> Vec<Message> {
        let guarded = |message: &Message| Message { role: message.role, content: self.content(message) };
        messages.iter().map(guarded).collect()
    }

    /// The content with markers: after every character that may begin a special token, so that none can begin inside;
    /// before every one that may end it, so that none can end inside; and at the end, so that none can reach across.
    /// White space at the ends stays where it is, so that trimming works.
    fn content(&self, message: &Message) -> String {
        let (body, tail) = message.content.split_at(message.content.trim_end().len());
        let mut out = String::with_capacity(message.content.len() + 16);
        let mut rest = body;
        while let Some(c) = rest.chars().next() {
            if let Some(kept) = self.kept_prefix(message.role, rest) {
                out.push_str(kept);
                rest = &rest[kept.len()..];
                continue;
            }
            if self.lasts.contains(&c) {
                out.push(self.marker);
            }
            out.push(c);
            if self.firsts.contains(&c) {
                out.push(self.marker);
            }
            rest = &rest[c.len_utf8()..];
        }
        if !body.is_empty() {
            out.push(self.marker);
        }
        out.push_str(tail);
        out
    }

    /// A text at the beginning of `rest` that stays whole.
    fn kept_prefix(&self, role: Role, rest: &str) -> Option<&'v str> {
        let candidates = self.left_to_assistant.iter().copied().filter(|_| role == Role::Assistant);
        candidates.filter(|text| rest.starts_with(text)).max_by_key(|text| text.len())
    }
}

/// A character that neither a message nor the template contains: a noncharacter, or else one of private use.
fn unused_character(template: &ChatTemplate, messages: &[Message]) -> Result<char, TemplateError> {
    const NONCHARACTERS: std::ops::RangeInclusive<char> = '\u{FDD0}'..='\u{FDEF}';
    const PRIVATE_USE: std::ops::RangeInclusive<char> = '\u{F0000}'..='\u{FFFFD}';
    let contents = messages.iter().map(|message| message.content.as_str());
    let used: HashSet<char> = contents
        .chain(template.own_texts())
        .flat_map(str::chars)
        .filter(|c| NONCHARACTERS.contains(c) || PRIVATE_USE.contains(c))
        .collect();
    NONCHARACTERS
        .chain(PRIVATE_USE)
        .find(|c| !used.contains(c))
        .ok_or_else(|| TemplateError("the chat uses every character of private use".to_owned()))
}
