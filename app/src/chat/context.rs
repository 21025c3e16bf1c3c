//! The context of a model and what fills it: the figures of the gauge, and the rule for what is left out when it is full.
//!
//! The rule: while everything fits, the model is told everything. When it no longer does, the oldest turns are left out, as many as
//! bring the prompt down to [`KEEP_PART`] of the context, so that the beginning stays the same for several turns and what was
//! read of it can be used again. The last question is never left out; if it alone is too long, the engine refuses it.

use super::counting::{Count, Counter, TextKey};
use super::prompt;
use super::{Answer, Conversation, Stage};
use crate::store::{Message, MessageId, Role};

/// Part of the context that the prompt fills after old turns were left out.
const KEEP_PART: f64 = 0.6;
/// Part of the context that an answer has at least, when old turns can be left out for it.
const ANSWER_PART: f64 = 0.15;
/// What a template writes around a message, in tokens: more than any known one does.
const FRAME_TOKENS: usize = 8;
/// From this part of the context on the user is told what will happen.
pub const NEARLY_FULL: f32 = 0.8;

/// What fills the context.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ContextUse {
    /// System prompt.
    pub system: usize,
    /// Messages that the model is told.
    pub messages: usize,
    /// The answer that is being written.
    pub answer: usize,
    /// What is in the composer.
    pub draft: usize,
    /// Tokens the context holds.
    pub limit: usize,
    /// Messages that are left out.
    pub left_out: usize,
    /// Whether part of it is estimated.
    pub estimated: bool,
}

impl ContextUse {
    /// Everything together.
    pub fn used(&self) -> usize {
        self.system + self.messages + self.answer + self.draft
    }

    /// Part of the context, 0 to 1 and beyond.
    pub fn level(&self) -> f32 {
        self.used() as f32 / self.limit.max(1) as f32
    }
}

/// A model as the context sees it.
#[derive(Debug, Clone, Copy)]
pub struct Limits<'a> {
    /// Its id.
    pub model: &'a str,
    /// Tokens its context holds.
    pub tokens: usize,
    /// The system prompt it is told.
    pub system: &'a str,
}

/// Measures a conversation and, with `draft`, what would be sent next.
pub fn measure(
    conversation: Option<&Conversation>,
    draft: Count,
    counter: &Counter,
    limits: Limits<'_>,
) -> ContextUse {
    let Limits { model, tokens: limit, system } = limits;
    let counted = counter.look_up(model, TextKey::of(system), system.len());
    let mut sum = ContextUse {
        system: counted.tokens,
        draft: draft.tokens,
        estimated: !draft.exact || !counted.exact,
        limit,
        ..ContextUse::default()
    };
    let Some(conversation) = conversation else { return sum };
    let told = conversation.told();
    let (known, rest) = known_up_to(told, conversation.answer.as_ref());
    sum.messages = known.saturating_sub(sum.system);
    for message in &told[rest..] {
        if conversation.answer.as_ref().is_some_and(|answer| answer.message == message.id) {
            sum.answer = message.stats.tokens as usize;
            continue;
        }
        let counted = tokens_of(message, counter, model);
        sum.messages += counted.tokens + FRAME_TOKENS;
        sum.estimated |= !counted.exact;
    }
    sum.left_out = conversation.messages.len() - told.len();
    sum
}

/// Tokens of a message in a prompt.
pub fn tokens_of(message: &Message, counter: &Counter, model: &str) -> Count {
    counter.look_up(model, TextKey::of_message(message), prompt::bytes_of(message))
}

/// Tokens of the beginning of a conversation as the engine counted them, and how many messages they are. Answers that were
/// interrupted have no counts.
fn known_up_to(told: &[Message], answer: Option<&Answer>) -> (usize, usize) {
    let running = answer.map(|answer| answer.message);
    let last = told.iter().rposition(|message| message.stats.prompt_tokens > 0);
    let Some(last) = last else { return (0, 0) };
    let stats = &told[last].stats;
    if Some(told[last].id) == running {
        return (stats.prompt_tokens as usize, last);
    }
    let answered = stats.tokens.saturating_sub(stats.thinking_tokens);
    (stats.prompt_tokens.saturating_add(answered) as usize, last + 1)
}

/// Texts that [`measure`] and [`first_told`] need counted; most are known from earlier answers.
pub fn uncounted(conversation: &Conversation) -> impl Iterator<Item = &Message> {
    let (_, rest) = known_up_to(conversation.told(), conversation.answer.as_ref());
    let running = conversation.answer.as_ref().map(|answer| answer.message);
    conversation.told()[rest..].iter().filter(move |message| Some(message.id) != running)
}

/// Decides what of a conversation the model is told. False while tokens are being counted for that.
pub fn fit(conversation: &mut Conversation, counter: &mut Counter, limits: Limits<'_>) -> bool {
    let Limits { model, tokens: limit, system } = limits;
    if surely_fits(system, &conversation.messages, limit) {
        conversation.told_from = None;
        return true;
    }
    let mut known = counter.ask(model, TextKey::of(system), || system.to_owned());
    for message in &conversation.messages {
        known &= counter.ask(model, TextKey::of_message(message), || prompt::text_of(message).into_owned());
    }
    if !known {
        if let Some(answer) = &mut conversation.answer {
            answer.stage = Stage::Counting;
        }
        return false;
    }
    let system_tokens = counter.look_up(model, TextKey::of(system), system.len()).tokens;
    let tokens = |message: &Message| tokens_of(message, counter, model).tokens;
    conversation.told_from =
        first_told(&conversation.messages, conversation.told_from, system_tokens, limit, tokens);
    true
}

/// Decides it for the question to come, once for what is shown, so that a chat that was just opened shows what is left out.
pub fn foresee(conversation: &mut Conversation, counter: &mut Counter, limits: Limits<'_>) {
    let Some(leaf) = conversation.messages.last().map(|message| message.id) else { return };
    let asked = Some((leaf, limits.tokens));
    if conversation.answer.is_none() && conversation.foreseen != asked && fit(conversation, counter, limits) {
        conversation.foreseen = asked;
    }
}

/// Whether a prompt surely fits, by its bytes: no token is shorter than one.
pub fn surely_fits(system: &str, told: &[Message], limit: usize) -> bool {
    let bytes: usize =
        told.iter().map(|message| prompt::bytes_of(message) + file_frames(message) + 2 * FRAME_TOKENS).sum();
    system.len() + bytes + 128 <= room(limit)
}

/// What fences and names of attached files add, in bytes, at most.
fn file_frames(message: &Message) -> usize {
    message.attachments.iter().map(|file| file.name.len() + 2 * file.text.len().min(256) + 32).sum()
}

/// Tokens a prompt may have.
fn room(limit: usize) -> usize {
    (limit as f64 * (1.0 - ANSWER_PART)) as usize
}

/// The first message that the model is told by the rule of this module; `None` = all. `tokens` counts a message.
pub fn first_told(
    shown: &[Message],
    from: Option<MessageId>,
    system_tokens: usize,
    limit: usize,
    tokens: impl Fn(&Message) -> usize,
) -> Option<MessageId> {
    let sizes: Vec<usize> = shown.iter().map(|message| tokens(message) + FRAME_TOKENS).collect();
    let begin = from.and_then(|id| shown.iter().position(|message| message.id == id)).unwrap_or(0);
    let fixed = system_tokens + FRAME_TOKENS;
    if fixed + sizes[begin..].iter().sum::<usize>() <= room(limit) {
        return from.filter(|_| begin > 0);
    }
    let target = (limit as f64 * KEEP_PART) as usize;
    let questions = (begin..shown.len()).filter(|&index| shown[index].role == Role::User);
    // The last question stays whatever it costs; before it, the first that brings the prompt down far enough.
    let mut first = begin;
    for index in questions {
        first = index;
        if fixed + sizes[index..].iter().sum::<usize>() <= target {
            break;
        }
    }
    shown.get(first).filter(|_| first > 0).map(|message| message.id)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::store::{Chat, ChatId, MessageState};

    const LIMITS: Limits<'static> = Limits { model: "m", tokens: 1000, system: "" };
    const NOTHING: Count = Count { tokens: 0, exact: true };

    fn turns(count: usize) -> Vec<Message> {
        let role = |index: usize| if index.is_multiple_of(2) { Role::User } else { Role::Assistant };
        (0..count).map(|index| Message::complete(ChatId(1), None, role(index), "word ".repeat(18))).collect()
    }

    fn hundred(_: &Message) -> usize {
        100 - FRAME_TOKENS
    }

    #[test]
    fn everything_is_told_while_it_fits() {
        let shown = turns(9);
        assert_eq!(first_told(&shown, None, 0, 1100, hundred), None);
    }

    #[test]
    fn the_oldest_turns_are_left_out_and_the_cut_stays_for_several_turns() {
        let shown = turns(11);
        let first = first_told(&shown, None, 0, 1100, hundred);
        // At most 660 tokens stay: the last five messages, which begin with a question.
        assert_eq!(first, Some(shown[6].id));
        let mut longer = shown.clone();
        longer.extend(turns(4));
        assert_eq!(first_told(&longer, first, 0, 1100, hundred), first, "the same beginning, read already");
        longer.extend(turns(2));
        let next = first_told(&longer, first, 0, 1100, hundred);
        assert!(next > first);
    }

    #[test]
    fn the_last_question_stays_even_if_it_is_too_long() {
        let shown = turns(3);
        assert_eq!(first_told(&shown, None, 0, 50, hundred), Some(shown[2].id));
        assert_eq!(first_told(&shown[..1], None, 0, 50, hundred), None);
    }

    #[test]
    fn a_chat_that_was_just_opened_shows_what_is_left_out() {
        let mut shown = turns(31);
        for index in 1..shown.len() {
            shown[index].parent = Some(shown[index - 1].id);
        }
        let mut conversation = Conversation::restore(Chat::new("t", "m"), shown);
        let mut counter = Counter::start(Arc::new(|| {}));
        foresee(&mut conversation, &mut counter, LIMITS);
        assert!(conversation.told_from.is_some());
        foresee(&mut conversation, &mut counter, Limits { tokens: 100_000, ..LIMITS });
        assert_eq!(conversation.told_from, None, "another model may hold all of it");
    }

    #[test]
    fn an_interrupted_answer_is_counted_though_it_has_no_figures() {
        let counter = Counter::start(Arc::new(|| {}));
        let mut shown = turns(2);
        shown[1].state = MessageState::Interrupted;
        let leaf = shown[1].id;
        shown[1].parent = Some(shown[0].id);
        let mut chat = Chat::new("t", "m");
        chat.leaf = Some(leaf);
        let conversation = Conversation::restore(chat, shown);
        let used = measure(Some(&conversation), NOTHING, &counter, LIMITS);
        assert!(used.messages >= 2 * 20 && used.estimated, "{used:?}");
        assert_eq!(uncounted(&conversation).count(), 2);
    }

    #[test]
    fn figures_of_the_engine_are_used_where_they_are_known() {
        let counter = Counter::start(Arc::new(|| {}));
        let mut shown = turns(2);
        shown[1].parent = Some(shown[0].id);
        shown[1].stats.prompt_tokens = 40;
        shown[1].stats.tokens = 30;
        shown[1].stats.thinking_tokens = 10;
        let conversation = Conversation::restore(Chat::new("t", "m"), shown);
        let used = measure(Some(&conversation), NOTHING, &counter, LIMITS);
        assert_eq!((used.used(), used.estimated), (60, false), "reasoning is not told again");
    }
}
