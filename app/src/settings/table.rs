//! The table of settings. Flags, pane and documentation are made from it; nothing else says what a setting may hold.

use std::sync::LazyLock;

use super::value::{Kind, Value};

/// Longest system prompt that the program lets anybody write, in bytes.
pub const MAX_SYSTEM_PROMPT_BYTES: usize = 32 << 10;

/// Where settings are listed together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Group {
    /// Start and end.
    General,
    /// How it looks.
    Appearance,
    /// Conversations.
    Chat,
    /// Where and how models run.
    Models,
    /// For those who look for a fault.
    Advanced,
}

impl Group {
    /// All groups, in order.
    pub const ALL: [Self; 5] = [Self::General, Self::Appearance, Self::Chat, Self::Models, Self::Advanced];

    /// Heading.
    pub fn title(self) -> &'static str {
        match self {
            Self::General => "General",
            Self::Appearance => "Appearance",
            Self::Chat => "Chat",
            Self::Models => "Models and memory",
            Self::Advanced => "Advanced",
        }
    }
}

/// When a change takes effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// At once, or with the next message.
    AtOnce,
    /// When a model is loaded.
    Load,
    /// When the engine is started.
    Engine,
    /// When the program is started.
    Start,
}

impl Effect {
    /// When, for people.
    pub fn words(self) -> &'static str {
        match self {
            Self::AtOnce => "at once",
            Self::Load => "when a model is loaded",
            Self::Engine => "when the engine is started",
            Self::Start => "at the next start",
        }
    }
}

/// A setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Key {
    /// What the window opens with.
    Start,
    /// What closing the window does.
    Closing,
    /// Whether the desktop starts it.
    Autostart,
    /// Whether notifications are shown.
    Notifications,
    /// Whether the desktop keeps keys that work from anywhere.
    Anywhere,
    /// Light or dark.
    Theme,
    /// Size of everything.
    TextSize,
    /// No animation: always, never, or where the desktop asks for it.
    ReducedMotion,
    /// Enter or Ctrl+Enter.
    SendWith,
    /// How long deletions can be undone.
    KeepDeleted,
    /// Before every conversation.
    SystemPrompt,
    /// Variation.
    Temperature,
    /// Candidates by count.
    TopK,
    /// Candidates by mass.
    TopP,
    /// Candidates by likelihood.
    MinP,
    /// Against repetition.
    RepeatPenalty,
    /// Longest answer.
    MaxTokens,
    /// Where to run.
    Lane,
    /// Worker threads.
    Threads,
    /// How the LM head is computed.
    Head,
    /// Memory budget.
    MemoryLimit,
    /// KV storage.
    KvType,
    /// Context length.
    Context,
    /// What is logged.
    LogLevel,
}

/// A row of the table.
#[derive(Debug)]
pub struct Row {
    /// Which setting.
    pub key: Key,
    /// Table of the settings file.
    pub section: &'static str,
    /// Name in that table.
    pub name: &'static str,
    /// Where it is listed.
    pub group: Group,
    /// What it is called, in sentence case.
    pub label: &'static str,
    /// One or two sentences.
    pub help: &'static str,
    /// What it may hold.
    pub kind: Kind,
    /// What it holds when nobody chose.
    pub default: Value,
    /// Whether it can be set for one model.
    pub per_model: bool,
    /// When a change takes effect.
    pub effect: Effect,
    /// Flag of the command line that overrides it.
    pub flag: Option<&'static str>,
}

impl Row {
    fn new(
        key: Key,
        (section, name): (&'static str, &'static str),
        group: Group,
        kind: Kind,
        default: Value,
    ) -> Self {
        let (label, help) = ("", "");
        let (per_model, effect, flag) = (false, Effect::AtOnce, None);
        Self { key, section, name, group, label, help, kind, default, per_model, effect, flag }
    }

    fn says(self, label: &'static str, help: &'static str) -> Self {
        Self { label, help, ..self }
    }

    fn per_model(self) -> Self {
        Self { per_model: true, ..self }
    }

    fn effect(self, effect: Effect) -> Self {
        Self { effect, ..self }
    }

    fn flag(self, flag: &'static str) -> Self {
        Self { flag: Some(flag), ..self }
    }

    /// Name with its table, as messages and documentation write it.
    pub fn path(&self) -> String {
        format!("{}.{}", self.section, self.name)
    }
}

impl Key {
    /// Its row.
    pub fn row(self) -> &'static Row {
        &TABLE[self as usize]
    }
}

fn text(text: &'static str) -> Value {
    Value::Text(std::borrow::Cow::Borrowed(text))
}

fn real(least: f64, most: f64, step: f64) -> Kind {
    Kind::Real { least, most, step }
}

const LOG_LEVELS: &[(&str, &str)] =
    &[("error", "Problems"), ("warn", "Warnings"), ("info", "Events"), ("debug", "Details")];

/// Every setting, in the order of [`Key`].
pub static TABLE: LazyLock<[Row; 24]> = LazyLock::new(|| {
    [
        Row::new(
            Key::Start,
            ("general", "start"),
            Group::General,
            Kind::Choice(&[("last", "Last chat"), ("new", "New chat")]),
            text("last"),
        )
        .says("When the window opens", "Shows the chat that was open last, or an empty one.")
        .effect(Effect::Start),
        Row::new(
            Key::Closing,
            ("general", "closing"),
            Group::General,
            Kind::Choice(&[("ask", "Asks"), ("stay", "Keeps running"), ("quit", "Quits")]),
            text("ask"),
        )
        .says(
            "Closing the window",
            "Keeps running in the tray, or quits. Where the desktop shows no tray, closing always quits.",
        ),
        Row::new(
            Key::Autostart,
            ("general", "autostart"),
            Group::General,
            Kind::Switch,
            Value::Switch(false),
        )
        .says(
            "Start with the desktop",
            "Starts in the tray when you log in; where the desktop shows no tray, with a window.",
        ),
        Row::new(
            Key::Notifications,
            ("general", "notifications"),
            Group::General,
            Kind::Switch,
            Value::Switch(true),
        )
        .says(
            "Notifications",
            "Tells when an answer that took more than ten seconds ends and you are not looking at it.",
        ),
        Row::new(Key::Anywhere, ("general", "anywhere"), Group::General, Kind::Switch, Value::Switch(false))
            .says(
                "Keys that work from anywhere",
                "Show or hide the window, or begin a chat, from any program. The desktop asks which keys.",
            ),
        Row::new(
            Key::Theme,
            ("appearance", "theme"),
            Group::Appearance,
            Kind::Choice(&[("system", "System"), ("light", "Light"), ("dark", "Dark")]),
            text("system"),
        )
        .says("Theme", "Follows the desktop unless you choose one."),
        Row::new(
            Key::TextSize,
            ("appearance", "text_size"),
            Group::Appearance,
            Kind::Whole { least: 80, most: 200, step: 10, unit: "%", zero: None },
            Value::Whole(100),
        )
        .says("Text size", "Text, and everything else with it."),
        Row::new(
            Key::ReducedMotion,
            ("appearance", "reduced_motion"),
            Group::Appearance,
            Kind::Choice(&[("system", "System"), ("on", "On"), ("off", "Off")]),
            text("system"),
        )
        .says("Reduced motion", "Turns off all animation. Follows the desktop unless you choose."),
        Row::new(
            Key::SendWith,
            ("chat", "send_with"),
            Group::Chat,
            Kind::Choice(&[("enter", "Enter"), ("ctrl-enter", "Ctrl+Enter")]),
            text("enter"),
        )
        .says("Send with", "Shift+Enter always makes a new line."),
        Row::new(
            Key::KeepDeleted,
            ("chat", "keep_deleted_days"),
            Group::Chat,
            Kind::Whole { least: 0, most: 365, step: 1, unit: "days", zero: Some("A minute") },
            Value::Whole(30),
        )
        .says(
            "Keep what was deleted",
            "Deleted chats, messages, personas and folders can be restored so long; 0 removes them after a minute.",
        ),
        Row::new(
            Key::SystemPrompt,
            ("chat", "system_prompt"),
            Group::Chat,
            Kind::Text { most_bytes: MAX_SYSTEM_PROMPT_BYTES },
            text(""),
        )
        .says("System prompt", "What a model reads before every new conversation.")
        .per_model()
        .flag("system"),
        Row::new(
            Key::Temperature,
            ("chat", "temperature"),
            Group::Chat,
            real(0.0, 2.0, 0.05),
            Value::Real(0.7),
        )
        .says("Temperature", "Higher values vary more; 0 always takes the most likely token.")
        .per_model()
        .flag("temp"),
        Row::new(
            Key::TopK,
            ("chat", "top_k"),
            Group::Chat,
            Kind::Whole { least: 0, most: 1000, step: 1, unit: "", zero: Some("All") },
            Value::Whole(40),
        )
        .says("Top K", "Picks among so many of the most likely tokens; 0 keeps all.")
        .per_model()
        .flag("top-k"),
        Row::new(Key::TopP, ("chat", "top_p"), Group::Chat, real(0.0, 1.0, 0.01), Value::Real(0.95))
            .says("Top P", "Picks among the most likely tokens up to this share; 1 keeps all.")
            .per_model()
            .flag("top-p"),
        Row::new(Key::MinP, ("chat", "min_p"), Group::Chat, real(0.0, 1.0, 0.01), Value::Real(0.05))
            .says("Min P", "Drops tokens below this part of the most likely one; 0 keeps all.")
            .per_model()
            .flag("min-p"),
        Row::new(
            Key::RepeatPenalty,
            ("chat", "repeat_penalty"),
            Group::Chat,
            real(1.0, 2.0, 0.05),
            Value::Real(1.1),
        )
        .says("Repeat penalty", "Makes recent tokens less likely; 1 changes nothing.")
        .per_model()
        .flag("repeat-penalty"),
        Row::new(
            Key::MaxTokens,
            ("chat", "max_tokens"),
            Group::Chat,
            Kind::Whole { least: 0, most: 131_072, step: 64, unit: "", zero: Some("Context") },
            Value::Whole(0),
        )
        .says("Longest answer", "Tokens after which an answer ends; 0 goes on until the context is full.")
        .per_model()
        .flag("max-tokens"),
        Row::new(
            Key::Lane,
            ("models", "lane"),
            Group::Models,
            Kind::Choice(&[("auto", "Automatic"), ("cpu", "Processor"), ("reference", "Reference")]),
            text("auto"),
        )
        .says("Lane", "Where models run. The reference lane is slow and exact, for comparison.")
        .effect(Effect::Engine)
        .flag("lane"),
        Row::new(
            Key::Threads,
            ("models", "threads"),
            Group::Models,
            Kind::Whole { least: 0, most: 512, step: 1, unit: "", zero: Some("All cores") },
            Value::Whole(0),
        )
        .says("Threads", "Worker threads of the processor; 0 is one for each core.")
        .effect(Effect::Engine)
        .flag("threads"),
        Row::new(
            Key::Head,
            ("models", "head"),
            Group::Models,
            Kind::Choice(&[("screened", "Screened"), ("exact", "Exact"), ("4-bit", "4-bit")]),
            text("screened"),
        )
        .says(
            "LM head",
            "Screened gives the words of exact with less memory traffic; 4-bit gives slightly other answers.",
        )
        .effect(Effect::Engine)
        .flag("head"),
        Row::new(
            Key::MemoryLimit,
            ("models", "memory_limit_mib"),
            Group::Models,
            Kind::Whole { least: 0, most: 4 << 20, step: 256, unit: "MiB", zero: Some("Automatic") },
            Value::Whole(0),
        )
        .says(
            "Memory limit",
            "For weights, KV cache and scratch; 0 is three quarters of this computer’s memory.",
        )
        .effect(Effect::Engine)
        .flag("memory-limit"),
        Row::new(
            Key::KvType,
            ("models", "kv_type"),
            Group::Models,
            Kind::Choice(&[("f16", "f16"), ("int8", "int8")]),
            text("f16"),
        )
        .says("KV cache type", "int8 halves the memory of long chats.")
        .per_model()
        .effect(Effect::Load)
        .flag("kv"),
        Row::new(
            Key::Context,
            ("models", "context"),
            Group::Models,
            Kind::Whole { least: 0, most: 131_072, step: 256, unit: "", zero: Some("Automatic") },
            Value::Whole(0),
        )
        .says("Context length", "What a chat can hold; 0 is what the model allows, at most 4,096 tokens.")
        .per_model()
        .effect(Effect::Load)
        .flag("context"),
        Row::new(Key::LogLevel, ("log", "level"), Group::Advanced, Kind::Choice(LOG_LEVELS), text("info"))
            .says("Log", "What is written down. What you type and what models answer never is."),
    ]
});

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_row_stands_where_its_key_says_and_holds_a_value_it_allows() {
        let mut paths = HashSet::new();
        for (index, row) in TABLE.iter().enumerate() {
            assert_eq!(row.key as usize, index, "{}", row.path());
            assert_eq!(row.kind.check(&row.default), Ok(()), "{}", row.path());
            assert!(paths.insert(row.path()), "{} stands twice", row.path());
            assert!(row.help.ends_with('.') && !row.label.ends_with('.'), "{}", row.path());
        }
    }
}
