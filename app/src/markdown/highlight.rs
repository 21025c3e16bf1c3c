//! Colours for code: a small lexer with a table of languages. It knows comments, strings, numbers, keywords, and names that look like
//! types or calls; it never fails, and what it does not know stays plain. Lexing happens once for a text, with its layout.

use std::ops::Range;

use eframe::egui::Color32;

use crate::theme::Tokens;

/// What a piece of code is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Anything else.
    Plain,
    /// A word of the language.
    Keyword,
    /// A name that is called.
    Function,
    /// A name of a type.
    Type,
    /// A number.
    Number,
    /// A string or a character.
    Text,
    /// A comment.
    Comment,
}

impl Kind {
    /// Its colour.
    pub fn color(self, tokens: &Tokens) -> Color32 {
        match self {
            Self::Plain => tokens.text,
            Self::Keyword => tokens.code_keyword,
            Self::Function => tokens.code_function,
            Self::Type => tokens.code_type,
            Self::Number => tokens.code_number,
            Self::Text => tokens.code_string,
            Self::Comment => tokens.text3,
        }
    }
}

/// What tells a language apart.
struct Language {
    /// Names after the fence.
    names: &'static [&'static str],
    /// Words of the language, separated by spaces.
    keywords: &'static str,
    /// Names of types that begin with a small letter.
    types: &'static str,
    /// What begins a comment that ends with the line.
    line_comments: &'static [&'static str],
    /// What begins and ends a comment.
    block_comment: Option<(&'static str, &'static str)>,
    /// Quotes of strings within a line.
    quotes: &'static str,
    /// Quotes of strings that go over lines, longest first.
    long_quotes: &'static [&'static str],
    /// Whether names with a capital letter are types.
    capital_types: bool,
    /// Whether case matters in keywords.
    any_case: bool,
}

/// What most languages share.
const C_LIKE: Language = Language {
    names: &[],
    keywords: "",
    types: "",
    line_comments: &["//"],
    block_comment: Some(("/*", "*/")),
    quotes: "\"'",
    long_quotes: &[],
    capital_types: true,
    any_case: false,
};

/// As in shells and configuration files.
const HASH_LIKE: Language =
    Language { line_comments: &["#"], block_comment: None, capital_types: false, ..C_LIKE };

static LANGUAGES: &[Language] = &[
    Language {
        names: &["rust", "rs"],
        keywords: "as async await box break const continue crate dyn else enum extern false fn for if impl in let loop match mod \
                   move mut pub ref return self Self static struct super trait true type union unsafe use where while yield",
        types: "bool char f16 f32 f64 i8 i16 i32 i64 i128 isize str u8 u16 u32 u64 u128 usize",
        quotes: "\"",
        ..C_LIKE
    },
    Language {
        names: &["c", "h", "cpp", "c++", "cc", "cxx", "hpp", "cuda", "hip", "glsl", "wgsl", "objc"],
        keywords: "alignas alignof auto break case catch class const constexpr const_cast continue co_await co_return co_yield \
                   default delete do dynamic_cast else enum explicit export extern false final for friend goto if inline mutable \
                   namespace new noexcept nullptr operator override private protected public register reinterpret_cast return \
                   sizeof static static_assert static_cast struct switch template this throw true try typedef typename union \
                   using virtual volatile while #include #define #if #ifdef #ifndef #else #elif #endif #pragma #undef __global__ \
                   __device__ __shared__ NULL",
        types: "bool char double float int long short signed unsigned void size_t ssize_t int8_t int16_t int32_t int64_t uint8_t \
                uint16_t uint32_t uint64_t half wchar_t",
        ..C_LIKE
    },
    Language {
        names: &["javascript", "js", "jsx", "typescript", "ts", "tsx", "mjs"],
        keywords: "abstract as async await break case catch class const continue debugger declare default delete do else enum \
                   export extends false finally for from function get if implements import in instanceof interface is keyof let \
                   namespace new null of private protected public readonly return satisfies set static super switch this throw \
                   true try type typeof undefined var void while with yield",
        types: "any bigint boolean never number object string symbol unknown",
        long_quotes: &["`"],
        ..C_LIKE
    },
    Language {
        names: &["java", "kotlin", "kt", "scala", "csharp", "cs", "c#", "dart", "swift", "groovy"],
        keywords: "abstract as async await base break by case catch class companion const continue data default defer do else \
                   enum extends extension final finally for foreach fun func get guard if implements import in init interface \
                   internal is let lock namespace new nil null object open operator out override package private protected \
                   protocol public readonly record ref return sealed self set static struct super switch synchronized this throw \
                   throws true false trait try type typealias typeof using val var vararg virtual void volatile when where while \
                   with yield",
        types: "bool boolean byte char decimal double float int long sbyte short string uint ulong ushort",
        long_quotes: &["\"\"\""],
        ..C_LIKE
    },
    Language {
        names: &["go", "golang"],
        keywords: "break case chan const continue default defer else fallthrough false for func go goto if import interface iota \
                   map nil package range return select struct switch true type var",
        types: "any bool byte complex64 complex128 error float32 float64 int int8 int16 int32 int64 rune string uint uint8 uint16 \
                uint32 uint64 uintptr",
        long_quotes: &["`"],
        ..C_LIKE
    },
    Language {
        names: &["php"],
        keywords: "abstract and array as break case catch class clone const continue declare default do echo else elseif empty \
                   extends final finally fn for foreach function global goto if implements include instanceof interface isset \
                   list match namespace new or print private protected public readonly require return static switch this throw \
                   trait try unset use var while xor yield true false null",
        types: "bool float int iterable mixed object string void",
        line_comments: &["//", "#"],
        ..C_LIKE
    },
    Language {
        names: &["python", "py", "python3"],
        keywords: "and as assert async await break case class continue def del elif else except False finally for from global if \
                   import in is lambda match None nonlocal not or pass raise return True try while with yield",
        types: "bool bytes dict float frozenset int list object self set str tuple",
        long_quotes: &["\"\"\"", "'''"],
        capital_types: true,
        ..HASH_LIKE
    },
    Language {
        names: &["ruby", "rb", "elixir", "ex", "crystal"],
        keywords: "alias and begin break case class def defmodule do else elsif end ensure false fn for if in module next nil not \
                   or raise redo require rescue retry return self super then true undef unless until use when while yield",
        capital_types: true,
        ..HASH_LIKE
    },
    Language {
        names: &["bash", "sh", "shell", "zsh", "fish", "console", "shell-session"],
        keywords: "alias break case cd continue do done echo elif else esac eval exec exit export fi for function if in local \
                   read return select set shift source sudo then trap unset until while",
        ..HASH_LIKE
    },
    Language {
        names: &["toml", "ini", "conf", "cfg", "properties", "desktop", "systemd"],
        keywords: "true false",
        line_comments: &["#", ";"],
        long_quotes: &["\"\"\"", "'''"],
        ..HASH_LIKE
    },
    Language { names: &["yaml", "yml"], keywords: "true false null yes no on off", ..HASH_LIKE },
    Language {
        names: &["dockerfile", "docker", "make", "makefile", "cmake"],
        keywords: "ADD ARG CMD COPY ENTRYPOINT ENV EXPOSE FROM HEALTHCHECK LABEL RUN SHELL USER VOLUME WORKDIR else endif export \
                   if ifdef ifeq ifndef ifneq include set function macro foreach endforeach endfunction",
        ..HASH_LIKE
    },
    Language {
        names: &["json", "jsonc", "json5"],
        keywords: "true false null",
        capital_types: false,
        ..C_LIKE
    },
    Language {
        names: &["sql", "sqlite", "postgresql", "mysql"],
        keywords: "add all alter and as asc begin between by case check column commit constraint create cross default delete desc \
                   distinct drop else end exists explain false foreign from full group having if in index inner insert into is \
                   join key left like limit not null offset on or order outer pragma primary references replace returning right \
                   rollback select set table then transaction trigger true union unique update values view when where with",
        types: "bigint blob boolean char date decimal double float int integer json numeric real text timestamp varchar",
        line_comments: &["--"],
        capital_types: false,
        any_case: true,
        ..C_LIKE
    },
    Language {
        names: &["lua"],
        keywords: "and break do else elseif end false for function goto if in local nil not or repeat return then true until while",
        line_comments: &["--"],
        block_comment: Some(("--[[", "]]")),
        ..C_LIKE
    },
    Language {
        names: &["haskell", "hs", "elm", "ocaml", "ml", "fsharp", "f#"],
        keywords: "and as begin case class data deriving do else end exception false forall fun function if import in infix \
                   infixl infixr instance let match module mutable newtype of open rec then true try type val when where with",
        line_comments: &["--"],
        block_comment: Some(("{-", "-}")),
        quotes: "\"",
        ..C_LIKE
    },
    Language {
        names: &["html", "xml", "svg", "vue", "svelte"],
        keywords: "",
        line_comments: &[],
        block_comment: Some(("<!--", "-->")),
        quotes: "\"",
        capital_types: false,
        ..C_LIKE
    },
    Language {
        names: &["css", "scss", "less"],
        keywords: "@media @import @keyframes @supports @font-face @layer @use @include @mixin important from to",
        line_comments: &[],
        capital_types: false,
        ..C_LIKE
    },
];

/// The pieces of a code that are not plain, in order. A language that is not known has none.
pub fn pieces(language: &str, code: &str) -> Vec<(Range<usize>, Kind)> {
    let name = language.to_ascii_lowercase();
    let Some(language) = LANGUAGES.iter().find(|known| known.names.contains(&name.as_str())) else {
        return Vec::new();
    };
    let mut lexer = Lexer { language, code, at: 0, found: Vec::new() };
    while lexer.at < code.len() {
        lexer.step();
    }
    lexer.found
}

struct Lexer<'a> {
    language: &'a Language,
    code: &'a str,
    at: usize,
    found: Vec<(Range<usize>, Kind)>,
}

impl Lexer<'_> {
    fn rest(&self) -> &str {
        &self.code[self.at..]
    }

    /// Takes `bytes` bytes as one piece.
    fn take(&mut self, bytes: usize, kind: Kind) {
        let end = self.at + bytes;
        if kind != Kind::Plain {
            self.found.push((self.at..end, kind));
        }
        self.at = end;
    }

    fn step(&mut self) {
        let language = self.language;
        let rest = self.rest();
        let Some(first) = rest.chars().next() else { return };
        if let Some((open, close)) = language.block_comment.filter(|(open, _)| rest.starts_with(open)) {
            let end = rest[open.len()..].find(close).map_or(rest.len(), |at| open.len() + at + close.len());
            return self.take(end, Kind::Comment);
        }
        if language.line_comments.iter().any(|begin| rest.starts_with(begin)) && self.comment_may_begin() {
            let end = rest.find('\n').unwrap_or(rest.len());
            return self.take(end, Kind::Comment);
        }
        if let Some(quote) = language.long_quotes.iter().find(|quote| rest.starts_with(**quote)) {
            let end = rest[quote.len()..].find(quote).map_or(rest.len(), |at| at + 2 * quote.len());
            return self.take(end, Kind::Text);
        }
        if language.quotes.contains(first) {
            let end = string_end(rest, first);
            return self.take(end, Kind::Text);
        }
        if first == '\''
            && let Some(end) = character_end(rest)
        {
            return self.take(end, Kind::Text);
        }
        if first.is_ascii_digit() {
            let end = number_end(rest);
            return self.take(end, Kind::Number);
        }
        if first.is_alphabetic() || "_@#$".contains(first) {
            return self.word();
        }
        self.take(first.len_utf8(), Kind::Plain);
    }

    /// A `#` inside a word or after `$` begins no comment.
    fn comment_may_begin(&self) -> bool {
        !self.rest().starts_with('#')
            || self.code[..self.at]
                .chars()
                .next_back()
                .is_none_or(|before| before.is_whitespace() || before == ';')
    }

    fn word(&mut self) {
        let rest = self.rest();
        let first = rest.chars().next().map_or(1, char::len_utf8);
        let more = rest[first..].find(|c: char| !(c.is_alphanumeric() || c == '_'));
        let end = more.map_or(rest.len(), |more| first + more);
        let (word, after) = rest.split_at(end);
        let language = self.language;
        let has = |list: &str, word: &str| list.split(' ').any(|known| known == word);
        let lower = if language.any_case { word.to_ascii_lowercase() } else { String::new() };
        let asked = if language.any_case { lower.as_str() } else { word };
        let kind = if has(language.keywords, asked) {
            Kind::Keyword
        } else if has(language.types, asked) {
            Kind::Type
        } else if after.starts_with('(') || after.starts_with("!(") || after.starts_with("![") {
            Kind::Function
        } else if language.capital_types && is_type_name(word) {
            Kind::Type
        } else {
            Kind::Plain
        };
        self.take(end, kind);
    }
}

/// `HashMap` and `T`, not `MAX_BYTES`.
fn is_type_name(word: &str) -> bool {
    word.starts_with(char::is_uppercase) && (word.len() == 1 || word.chars().any(char::is_lowercase))
}

/// Where a string that begins a text ends: at its quote, or with the line.
fn string_end(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '\n' => return at,
            c if c == quote => return at + c.len_utf8(),
            _ => {}
        }
    }
    text.len()
}

/// Where a character literal that begins a text ends; `None` for a lifetime.
fn character_end(text: &str) -> Option<usize> {
    let inside = &text[1..];
    let content = if inside.starts_with('\\') {
        inside.get(1..)?.find('\'').map(|at| at + 1)?
    } else {
        inside.chars().next().filter(|c| *c != '\'' && *c != '\n')?.len_utf8()
    };
    inside.get(content..)?.starts_with('\'').then_some(content + 2)
}

/// Where a number that begins a text ends: `0xff_u8`, `1.5e-3`, but not the dots of `0..5`.
fn number_end(text: &str) -> usize {
    let mut letters = text.char_indices().peekable();
    let mut before = '0';
    while let Some((at, c)) = letters.next() {
        let next = letters.peek().map(|(_, next)| *next);
        let goes_on = match c {
            '.' => next.is_some_and(|next| next.is_ascii_digit()),
            '+' | '-' => matches!(before, 'e' | 'E') && !text.starts_with("0x"),
            c => c.is_ascii_alphanumeric() || c == '_',
        };
        if !goes_on {
            return at;
        }
        before = c;
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found<'a>(language: &str, code: &'a str) -> Vec<(&'a str, Kind)> {
        pieces(language, code).into_iter().map(|(range, kind)| (&code[range], kind)).collect()
    }

    #[test]
    fn rust_is_told_apart() {
        let code =
            "fn f<'a>(x: &'a u8) -> Option<u8> { // note\n    let c = '\\n'; g(\"a\\\"b\", 0xff_u8, 1..5)\n}";
        assert_eq!(
            found("rust", code),
            [
                ("fn", Kind::Keyword),
                ("u8", Kind::Type),
                ("Option", Kind::Type),
                ("u8", Kind::Type),
                ("// note", Kind::Comment),
                ("let", Kind::Keyword),
                ("'\\n'", Kind::Text),
                ("g", Kind::Function),
                ("\"a\\\"b\"", Kind::Text),
                ("0xff_u8", Kind::Number),
                ("1", Kind::Number),
                ("5", Kind::Number),
            ]
        );
    }

    #[test]
    fn other_languages_have_their_own_comments_and_strings() {
        assert_eq!(
            found("Python", "x = '''a\nb''' # c"),
            [("'''a\nb'''", Kind::Text), ("# c", Kind::Comment)]
        );
        assert_eq!(
            found("sql", "SELECT 1 -- one"),
            [("SELECT", Kind::Keyword), ("1", Kind::Number), ("-- one", Kind::Comment)]
        );
        assert_eq!(found("bash", "echo $#x 'a'"), [("echo", Kind::Keyword), ("'a'", Kind::Text)]);
        assert_eq!(found("json", "{\"a\": true}"), [("\"a\"", Kind::Text), ("true", Kind::Keyword)]);
        assert_eq!(found("brainf", "fn 1"), []);
    }

    #[test]
    fn pieces_are_in_order_and_inside_any_text() {
        let parts = [
            "'", "\"", "\"\"\"", "/*", "*/", "//", "#", "\\", "é", "fn", " ", "\n", "0.", "e-", "🦀", "$",
            "--[[",
        ];
        let mut state = 3u64;
        for seed in 0..2000 {
            let mut code = String::new();
            for _ in 0..12 {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                code.push_str(parts[(state >> 33) as usize % parts.len()]);
            }
            for language in ["rust", "python", "js", "lua", "yaml", "html", "sql"] {
                let mut last = 0;
                for (range, _) in pieces(language, &code) {
                    assert!(range.start >= last && range.end > range.start, "{seed} {language} {code:?}");
                    assert!(code.get(range.clone()).is_some(), "{seed} {language} {code:?}");
                    last = range.end;
                }
                assert!(last <= code.len());
            }
        }
    }
}
