//! Reading, editing and surviving settings files.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use onebit_engine::lane::{KvDtype, LaneChoice};

use super::*;

struct Place {
    _folder: tempfile::TempDir,
    path: PathBuf,
}

fn place(text: &str) -> Place {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("settings.toml");
    if !text.is_empty() {
        fs::write(&path, text).unwrap();
    }
    Place { _folder: folder, path }
}

impl Place {
    fn load(&self) -> Loaded {
        load(&self.path)
    }

    fn save(&self, changes: &[Change]) -> Option<PathBuf> {
        file::save(&self.path, changes).unwrap()
    }

    fn text(&self) -> String {
        fs::read_to_string(&self.path).unwrap()
    }
}

fn splitmix64(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

const FULL: &str = r#"# mine
version = 1

[appearance]
theme = "light" # by day
text_size = 120

[chat]
temperature = 1
system_prompt = "Be brief."

[models]
threads = 3
kv_type = "int8"
memory_limit_mib = 900

[model."bitnet-2b".chat]
temperature = 0.25

[shortcuts]
"chat.new" = "Ctrl+Shift+N"
"#;

#[test]
fn a_missing_file_is_all_defaults() {
    assert_eq!(place("").load(), Loaded::default());
}

#[test]
fn every_kind_of_value_is_read_and_reaches_the_engine_typed() {
    let loaded = place(FULL).load();
    assert_eq!(loaded.problems, []);
    let settings = loaded.settings;
    assert_eq!(settings.appearance(), Appearance::Light);
    assert_eq!(settings.zoom(), 1.2);
    assert_eq!(settings.system_prompt("any"), "Be brief.");
    assert_eq!(
        (settings.sampling("any").temperature, settings.sampling("bitnet-2b").temperature),
        (1.0, 0.25)
    );
    assert_eq!(settings.kv_dtype("any"), KvDtype::Int8);
    let options = settings.engine_options();
    assert_eq!((options.lane, options.threads, options.memory_bytes), (LaneChoice::Auto, 3, 900 << 20));
    assert_eq!(settings.overriding(Key::Temperature), 1);
    assert_eq!(settings.shortcuts().collect::<Vec<_>>(), [("chat.new", "Ctrl+Shift+N")]);
}

#[test]
fn what_cannot_be_used_is_named_and_the_rest_is_used() {
    let text = r#"
        [appearance]
        theme = "pink"
        text_size = 500
        reduced_motion = "yes"
        [chat]
        temperature = nan
        top_k = 1.5
        warmth = 3
        [models]
        threads = -1
        context = 2048
        [model.x.appearance]
        theme = "dark"
        [shortcuts]
        "chat.new" = "Hyper+N"
        "chat.nothing" = "Ctrl+N"
        [nonsense]
        a = 1
    "#;
    let loaded = place(text).load();
    assert_eq!(loaded.settings.context("any"), 2048);
    assert_eq!(loaded.settings.appearance(), Appearance::System);
    assert!(!loaded.sets_aside);
    let named: Vec<String> = loaded.problems.iter().map(ToString::to_string).collect();
    for (key, found) in [
        ("appearance.theme", "\"pink\""),
        ("appearance.text_size", "500"),
        ("appearance.reduced_motion", "\"yes\""),
        ("chat.temperature", "nan"),
        ("chat.top_k", "1.5"),
        ("chat.warmth", "3"),
        ("models.threads", "-1"),
        ("model.x.appearance.theme", "\"dark\""),
        ("shortcuts.chat.new", "\"Hyper+N\""),
        ("shortcuts.chat.nothing", "\"Ctrl+N\""),
        ("nonsense", "a table"),
    ] {
        assert!(
            named
                .iter()
                .any(|problem| problem.starts_with(&format!("{key}: expected ")) && problem.ends_with(found)),
            "{key}: {named:#?}"
        );
    }
    assert_eq!(named.len(), 11, "{named:#?}");
}

#[test]
fn the_switch_of_earlier_files_still_says_whether_anything_moves() {
    for (old, desktop, reduced) in
        [("true", false, true), ("false", true, false), ("\"system\"", true, true), ("\"on\"", false, true)]
    {
        let place = place(&format!("[appearance]\nreduced_motion = {old} # quiet\n"));
        let loaded = place.load();
        assert_eq!(loaded.problems, Vec::new());
        assert_eq!(loaded.settings.reduced_motion(desktop), reduced, "{old}");
        place.save(&[Change::set(Key::ReducedMotion, "off")]);
        assert!(place.text().contains("reduced_motion = \"off\" # quiet"), "{}", place.text());
    }
}

#[test]
fn a_change_keeps_comments_order_and_unknown_keys() {
    let place = place(&FULL.replace("[chat]", "[chat]\nwarmth = 3"));
    place.save(&[
        Change::set(Key::Theme, "dark"),
        Change::set(Key::TopK, 7),
        Change::reset(Key::TextSize),
        Change::Set { key: Key::Temperature, model: Some("bitnet-2b".to_owned()), value: None },
    ]);
    let text = place.text();
    for kept in ["# mine", "theme = \"dark\" # by day", "warmth = 3", "top_k = 7"] {
        assert!(text.contains(kept), "{kept}:\n{text}");
    }
    for gone in ["text_size", "bitnet-2b"] {
        assert!(!text.contains(gone), "{gone}:\n{text}");
    }
    place.save(&[Change::ResetAll]);
    assert_eq!(place.load().settings, Settings::default());
    assert!(place.text().contains("version = 1"));
}

#[test]
fn what_is_written_is_read_back() {
    let place = place("");
    let model = || Some("a \"model\".gguf".to_owned());
    let changes = [
        Change::set(Key::ReducedMotion, "on"),
        Change::set(Key::Temperature, 0.35),
        Change::set(Key::SystemPrompt, "Two\nlines \"quoted\"".to_owned()),
        Change::Set { key: Key::TopK, model: model(), value: Some(40.into()) },
        Change::Shortcut { action: "chat.new".to_owned(), keys: Some(String::new()) },
    ];
    let mut expected = Settings::default();
    for change in &changes {
        expected.apply(change).unwrap();
    }
    assert_eq!(place.save(&changes), None);
    let loaded = place.load();
    assert_eq!((loaded.settings, loaded.problems), (expected, Vec::new()));
    assert!(place.text().starts_with("version = 1"), "{}", place.text());
    assert!(place.text().contains("temperature = 0.35"), "{}", place.text());
}

#[test]
fn a_broken_file_is_set_aside_whole_before_the_first_change() {
    for broken in ["theme = [", "\u{1}", "version = 2\n[appearance]\ntheme = \"dark\"\n"] {
        let place = place(broken);
        let loaded = place.load();
        assert!(loaded.sets_aside && loaded.problems.len() == 1, "{loaded:?}");
        let aside = place.save(&[Change::set(Key::Theme, "light")]).unwrap();
        assert_eq!(fs::read_to_string(&aside).unwrap(), broken);
        assert_eq!(place.load().settings.appearance(), Appearance::Light);
        fs::write(&place.path, "[").unwrap();
        assert_ne!(place.save(&[Change::set(Key::Theme, "light")]).unwrap(), aside);
    }
}

#[test]
fn what_is_no_file_of_text_is_refused_without_waiting_for_it() {
    let place = place("");
    fs::create_dir(&place.path).unwrap();
    assert_eq!(place.load().problems[0].expected, "a file");
    fs::remove_dir(&place.path).unwrap();
    fs::write(&place.path, vec![b'#'; (1 << 20) + 1]).unwrap();
    assert_eq!(place.load().problems[0].expected, "at most 1 MiB");
    fs::write(&place.path, b"a = \"\xff\"").unwrap();
    assert_eq!(place.load().problems[0].found, "other bytes at offset 5");
}

#[test]
fn a_link_to_a_file_elsewhere_stays_a_link() {
    let place = place("");
    let real = place.path.with_file_name("dotfiles.toml");
    fs::write(&real, "# kept\n").unwrap();
    std::os::unix::fs::symlink(&real, &place.path).unwrap();
    place.save(&[Change::set(Key::Theme, "dark")]);
    assert!(place.path.symlink_metadata().unwrap().is_symlink());
    assert!(fs::read_to_string(&real).unwrap().contains("dark"));
}

/// Whatever bytes stand in the file, reading gives values that the table allows and does not panic, and a change can be written.
#[test]
fn damaged_files_never_panic_and_never_give_a_value_out_of_range() {
    let mut state = 0x5E77_1465;
    for round in 0..600 {
        let mut bytes = FULL.as_bytes().to_vec();
        match splitmix64(&mut state) % 3 {
            0 => bytes.truncate(splitmix64(&mut state) as usize % bytes.len()),
            1 => {
                for _ in 0..1 + splitmix64(&mut state) % 4 {
                    let at = splitmix64(&mut state) as usize % bytes.len();
                    bytes[at] ^= 1 << (splitmix64(&mut state) % 8);
                }
            }
            _ => {
                let values = [
                    "1e400",
                    "-9223372036854775808",
                    "[[]]",
                    "{a={b=1}}",
                    "\"\\u0000\"",
                    "1979-05-27",
                    "true",
                    "''''",
                ];
                let text = String::from_utf8(bytes).unwrap();
                let lines: Vec<&str> = text.lines().collect();
                let at = splitmix64(&mut state) as usize % lines.len();
                let value = values[splitmix64(&mut state) as usize % values.len()];
                let swapped = |line: &str| match line.split_once('=') {
                    Some((name, _)) => format!("{name}= {value}"),
                    None => line.to_owned(),
                };
                let all: Vec<String> = lines
                    .iter()
                    .enumerate()
                    .map(|(index, line)| if index == at { swapped(line) } else { (*line).to_owned() })
                    .collect();
                bytes = all.join("\n").into_bytes();
            }
        }
        let place = place("");
        fs::write(&place.path, &bytes).unwrap();
        let loaded = place.load();
        for row in table::TABLE.iter() {
            for value in [loaded.settings.get(row.key), loaded.settings.get_for(row.key, "bitnet-2b")] {
                assert_eq!(row.kind.check(value), Ok(()), "round {round}: {}", row.path());
            }
        }
        place.save(&[Change::set(Key::Threads, 2)]);
        assert_eq!(place.load().settings.engine_options().threads, 2, "round {round}: {}", place.text());
    }
}

#[test]
fn a_deeply_nested_file_is_refused_and_not_walked_into() {
    let deep = format!("a = {}{}", "[".repeat(100_000), "]".repeat(100_000));
    assert_eq!(place(&deep).load().problems.len(), 1);
}

fn wait(keeper: &Keeper) -> Said {
    let begun = Instant::now();
    loop {
        if let Some(said) = keeper.try_next() {
            return said;
        }
        assert!(begun.elapsed() < Duration::from_secs(20), "the keeper said nothing");
        std::thread::sleep(Duration::from_millis(2));
    }
}

#[test]
fn the_keeper_writes_together_and_reads_what_others_wrote() {
    let place = place("");
    let keeper = Keeper::start(&place.path, Arc::new(|| {})).unwrap();
    for size in [110, 120, 130] {
        keeper.change(Change::set(Key::TextSize, size));
    }
    assert_eq!(wait(&keeper), Said::Saved { aside: None });
    assert_eq!(place.load().settings.zoom(), 1.3);
    fs::write(&place.path, "[appearance]\ntheme = \"dark\"\ntext_size = 90\n").unwrap();
    keeper.look();
    let Said::Reread(loaded) = wait(&keeper) else { panic!("not read again") };
    assert_eq!((loaded.settings.appearance(), loaded.settings.zoom()), (Appearance::Dark, 0.9));
    keeper.look();
    keeper.change(Change::set(Key::TextSize, 100));
    drop(keeper);
    assert!(!place.text().contains("text_size"), "{}", place.text());
}

#[test]
fn changes_that_cannot_be_written_are_kept_and_written_later() {
    let place = place("");
    let folder = place.path.with_file_name("folder");
    fs::write(&folder, "in the way").unwrap();
    let keeper = Keeper::start(&folder.join("settings.toml"), Arc::new(|| {})).unwrap();
    keeper.change(Change::set(Key::TextSize, 110));
    assert!(matches!(wait(&keeper), Said::Failed(_)));
    fs::remove_file(&folder).unwrap();
    keeper.change(Change::set(Key::Theme, "dark"));
    assert!(matches!(wait(&keeper), Said::Saved { .. }));
    assert_eq!(load(&folder.join("settings.toml")).settings.zoom(), 1.1);
}

#[test]
fn the_documentation_says_what_the_table_says() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/settings.md");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(path, document::markdown()).unwrap();
    }
    let page = fs::read_to_string(path).unwrap_or_default();
    assert!(
        page == document::markdown(),
        "app/docs/settings.md is not what the table says; run this test with UPDATE_DOCS=1"
    );
}
