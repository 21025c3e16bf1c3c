//! The commands with the starter model: the JSON they promise, streams, Ctrl-C.

mod program;

use std::io::{Read as _, Write as _};
use std::process::{Command, Stdio};

use onebit::folders::Folders;
use onebit::instance::{self, Answers, Claim, Server};
use program::{Home, ended};
use serde_json::Value;

fn json(home: &Home, arguments: &[&str]) -> Value {
    let ended = home.run(arguments);
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    serde_json::from_str(&ended.stdout).expect("stdout is one JSON value")
}

#[test]
fn complete_gives_text_tokens_times_and_log_probabilities() {
    let home = Home::new();
    let prompt = "The capital of France is";
    let arguments = ["complete", "-m", "starter", "-p", prompt, "-n", "8", "--json", "--logprobs", "3"];
    let first = json(&home, &arguments);
    assert_eq!(first["tokens"].as_array().unwrap().len(), 8);
    assert_eq!(first["finish_reason"], "length");
    assert_eq!(first["prompt_tokens"], 5);
    for time in ["prefill_millis", "decode_millis", "prefill_tok_per_sec", "decode_tok_per_sec"] {
        assert!(first["timings"][time].as_f64().unwrap() > 0.0, "{time}");
    }
    let logprobs = first["logprobs"].as_array().unwrap();
    assert_eq!(logprobs.len(), 8);
    let mut spelled = String::new();
    for (step, token) in logprobs.iter().zip(first["tokens"].as_array().unwrap()) {
        assert_eq!(&step["id"], token);
        assert_eq!(step["top"].as_array().unwrap().len(), 3);
        // Greedy: the token is the most likely one.
        assert_eq!(step["top"][0]["id"], step["id"]);
        assert!(step["logprob"].as_f64().unwrap() < 0.0);
        spelled += step["token"].as_str().unwrap();
    }
    assert_eq!(first["text"], spelled);
    let second = json(&home, &arguments);
    assert_eq!((&first["tokens"], &first["text"]), (&second["tokens"], &second["text"]));
    let plain = home.run(&["complete", "-p", prompt, "-n", "8"]);
    assert_eq!(plain.stdout.strip_suffix('\n'), first["text"].as_str());
}

#[test]
fn reference_and_cpu_lanes_say_their_names() {
    let home = Home::new();
    let base = ["complete", "-p", "One two three", "-n", "2", "--json", "--threads", "1"];
    let lane = |name| json(&home, &[&base[..], &["--lane", name]].concat())["lane"].clone();
    assert_eq!(lane("reference"), "reference");
    assert!(lane("cpu").as_str().unwrap().starts_with("cpu-"));
}

#[test]
fn flags_override_the_settings_file_and_what_is_wrong_in_it_is_said() {
    let home = Home::new();
    let config = home.path().join(".config/onebit");
    std::fs::create_dir_all(&config).unwrap();
    std::fs::write(config.join("settings.toml"), "[models]\nlane = \"reference\"\nthreads = \"two\"\n")
        .unwrap();
    let base = ["complete", "-p", "One two three", "-n", "1", "--json"];
    assert_eq!(json(&home, &base)["lane"], "reference");
    let flag = json(&home, &[&base[..], &["--lane", "cpu", "--threads", "1"]].concat());
    assert!(flag["lane"].as_str().unwrap().starts_with("cpu-"));
    let said = home.run(&base).stderr;
    assert!(said.contains("models.threads: expected a whole number from 0 to 512, found \"two\""), "{said}");
}

#[test]
fn tokenize_parses_specials_and_adds_no_bos_that_the_file_does_not_ask_for() {
    let home = Home::new();
    let found = json(&home, &["tokenize", "-p", "<|im_start|>hi<|im_end|>", "--json"]);
    assert_eq!(found["tokens"], serde_json::json!([1, 6004, 2]));
}

#[test]
fn a_chat_keeps_its_cache_from_turn_to_turn_and_obeys_its_commands() {
    let home = Home::new();
    let mut child = home
        .command(&["chat", "--json", "-n", "8", "--temp", "0"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = "My name is Ada.\nWhat is my name?\n/new\nMy name is Ada.\n/nonsense\n/exit\nnot reached\n";
    child.stdin.take().unwrap().write_all(lines.as_bytes()).unwrap();
    let ended = ended(child.wait_with_output().unwrap());
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    let answers: Vec<Value> = ended.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(answers.len(), 3);
    let cached = |turn: usize| answers[turn]["cached_tokens"].as_u64().unwrap();
    let prompt = |turn: usize| answers[turn]["prompt_tokens"].as_u64().unwrap();
    assert_eq!(cached(0), 0);
    assert!(cached(1) >= prompt(0), "the second turn must reuse the first: {} of {}", cached(1), prompt(1));
    assert_eq!(answers[2]["tokens"], answers[0]["tokens"], "/new must forget");
    assert!(ended.stderr.contains("/nonsense"));
}

#[test]
fn chat_with_a_prompt_answers_once_in_the_json_of_complete() {
    let home = Home::new();
    let answer = json(&home, &["chat", "-s", "Be brief.", "-p", "Hello", "-n", "4", "--seed", "3", "--json"]);
    assert!(answer["tokens"].as_array().unwrap().len() <= 4);
    assert!(answer["lane"].is_string() && answer["timings"].is_object());
}

#[test]
fn perplexity_of_plain_english_is_low_and_counts_every_token_after_the_first() {
    let home = Home::new();
    let text =
        home.file("text", b"The sun rises in the east and sets in the west. There are seven days in a week.");
    let found = json(&home, &["ppl", "-f", &text, "--context", "16", "--max-tokens", "18", "--json"]);
    // Two windows, of 16 and 2 tokens; the first token of each has nothing to be predicted from.
    assert_eq!(found["tokens"], 16);
    let (perplexity, mean) = (found["perplexity"].as_f64().unwrap(), found["mean_nll"].as_f64().unwrap());
    assert!((mean.exp() - perplexity).abs() < 1e-9 * perplexity);
    assert!(perplexity < 500.0, "{perplexity}");
}

#[test]
fn bench_reports_each_test_at_each_depth_and_records_on_request() {
    let home = Home::new();
    let arguments = [
        "bench",
        "-m",
        "synthetic:tiny:i2_s",
        "-p",
        "20",
        "-n",
        "3",
        "-r",
        "2",
        "-d",
        "0,70",
        "--record",
        "--json",
    ];
    let found = json(&home, &arguments);
    let runs = found["runs"].as_array().unwrap();
    let names: Vec<_> =
        runs.iter().map(|run| (run["test"].as_str().unwrap(), run["depth"].as_u64().unwrap())).collect();
    assert_eq!(names, [("pp20", 0), ("tg3", 0), ("pp20", 70), ("tg3", 70)]);
    for run in runs {
        assert_eq!(run["tok_per_sec"].as_array().unwrap().len(), 2);
        assert!(run["gb_per_sec"].as_f64().unwrap() > 0.0);
    }
    assert!(runs[3]["bytes_per_token"].as_f64() > runs[1]["bytes_per_token"].as_f64(), "KV is read as well");
    assert!(found["read_gb_per_sec_ceiling"].as_f64().unwrap() > 0.0);
    json(&home, &arguments);
    let ledger = std::fs::read_to_string(home.path().join(".local/state/onebit/bench.jsonl")).unwrap();
    let lines: Vec<Value> = ledger.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 2);
    assert_eq!(lines[0]["result"], found);
}

#[test]
fn bench_measures_both_kv_storages_at_each_depth_on_a_chosen_instruction_set() {
    let home = Home::new();
    let arguments = ["bench", "-m", "synthetic:tiny:i2_s", "-p", "0", "-n", "2", "-r", "1", "--threads", "1"];
    let table = ["-d", "64,128", "--kv", "f16,int8", "--isa", "portable", "--json"];
    let found = json(&home, &[&arguments[..], &table[..]].concat());
    assert_eq!((found["lane"].as_str(), found["kv"].as_str()), (Some("cpu-portable"), Some("f16,int8")));
    let runs = found["runs"].as_array().unwrap();
    let rows: Vec<_> =
        runs.iter().map(|run| (run["kv"].as_str().unwrap(), run["depth"].as_u64().unwrap())).collect();
    assert_eq!(rows, [("f16", 64), ("f16", 128), ("int8", 64), ("int8", 128)]);
    let bytes = |run: usize| runs[run]["bytes_per_token"].as_f64().unwrap();
    assert!(bytes(0) < bytes(1) && bytes(3) < bytes(1), "int8 reads less");
    let unknown = home.run(&[&arguments[..], &["--isa", "mmx"]].concat());
    program::assert_fails(&unknown, &["--isa mmx", "portable"]);
}

#[test]
fn bench_measures_several_thread_counts_with_a_chosen_head() {
    let home = Home::new();
    let model = "synthetic:tiny:tq2_0+q6_k";
    let found =
        json(&home, &["bench", "-m", model, "-p", "8", "-n", "2", "-r", "1", "--threads", "1,2", "--json"]);
    let runs = found["runs"].as_array().unwrap();
    let names: Vec<_> =
        runs.iter().map(|run| (run["threads"].as_u64().unwrap(), run["test"].as_str().unwrap())).collect();
    assert_eq!(names, [(1, "pp8"), (1, "tg2"), (2, "pp8"), (2, "tg2")]);
    assert!(runs.iter().all(|run| run["read_gb_per_sec_ceiling"].as_f64().unwrap() > 0.0));
    assert_eq!(found["model"], model);
    let bytes = |arguments: &[&str]| {
        let all = [&["bench", "-p", "0", "-n", "2", "-r", "1", "--json"], arguments].concat();
        json(&home, &all)["runs"][0]["bytes_per_token"].as_f64().unwrap()
    };
    let wide = bytes(&["-m", "synthetic:tiny:tq2_0"]);
    assert!(bytes(&["-m", "synthetic:tiny:tq2_0", "--head", "4-bit"]) < wide - 320.0 * 256.0);
    assert!(bytes(&["-m", "synthetic:tiny:tq2_0+q4_0"]) < bytes(&["-m", "synthetic:tiny:tq2_0+q8_0"]));
    for wrong in ["synthetic:tiny:tq2_0+q5", "synthetic:tiny:halo+q4_0"] {
        program::assert_fails(&home.run(&["bench", "-m", wrong]), &["head"]);
    }
}

#[test]
fn inspect_and_verify_say_what_the_starter_is() {
    let home = Home::new();
    let found = json(&home, &["inspect", "starter", "--json"]);
    assert_eq!(found["arch"], "bitnet-b1.58");
    assert_eq!(found["tensors"].as_array().unwrap().len(), 332);
    assert!((found["zero_fraction"].as_f64().unwrap() - 0.358).abs() < 0.001);
    assert_eq!(found["memory"].as_array().unwrap().len(), 2);
    let table = home.run(&["inspect", "starter"]).stdout;
    for word in ["bitnet-b1.58", "TQ1_0", "bits per weight", "zero fraction", "smollm", "memory at 4096"] {
        assert!(table.contains(word), "{word}");
    }
    let checked = json(&home, &["verify", "starter", "--json"]);
    assert_eq!(checked["ok"], true);
    assert_eq!(checked["checks"].as_array().unwrap().len(), 5);
}

#[test]
fn list_and_status_answer_without_a_running_app() {
    let home = Home::new();
    let models = json(&home, &["list", "--json"]);
    assert_eq!(models["models"][0]["id"], "starter");
    assert_eq!(json(&home, &["status", "--json"]), serde_json::json!({ "running": false }));
}

#[test]
fn ctrl_c_ends_a_completion_cleanly_with_what_was_written_so_far() {
    let home = Home::new();
    let mut child = home
        .command(&["complete", "-p", "Once upon a time", "-n", "0", "--temp", "1"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // One byte of text: the generation is under way.
    let mut stdout = child.stdout.take().unwrap();
    let mut text = vec![0];
    stdout.read_exact(&mut text).unwrap();
    let killed = Command::new("sh").args(["-c", &format!("kill -INT {}", child.id())]).status().unwrap();
    assert!(killed.success());
    stdout.read_to_end(&mut text).unwrap();
    let text = String::from_utf8(text).expect("whole characters");
    let rest = ended(child.wait_with_output().unwrap());
    assert_eq!(rest.code, 130, "{}", rest.stderr);
    assert!(text.ends_with('\n'));
    assert!(!rest.stderr.contains("error"), "{}", rest.stderr);
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let home = Home::new();
    let mut child = home
        .command(&["complete", "-p", "Once upon a time", "-n", "200", "--temp", "1"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdout = child.stdout.take().unwrap();
    stdout.read_exact(&mut [0]).unwrap();
    drop(stdout);
    let ended = ended(child.wait_with_output().unwrap());
    assert_eq!((ended.code, ended.stderr.as_str()), (0, ""));
}

#[test]
fn status_shows_what_the_running_app_answers() {
    let home = Home::new();
    let folders = Folders::from_variables(|name| (name == "HOME").then(|| home.path().into())).unwrap();
    let Claim::First(place) = instance::claim(&folders).unwrap() else { panic!("the home is not empty") };
    let answers = Answers {
        status: Box::new(|| serde_json::json!({ "running": true, "lane": "cpu-avx2", "threads": 4 })),
        raise: Box::new(|_| {}),
    };
    let server = Server::start(place, answers).unwrap();
    assert_eq!(json(&home, &["status", "--json"])["lane"], "cpu-avx2");
    let text = home.run(&["status"]).stdout;
    assert!(text.contains("lane cpu-avx2, 4 threads"), "{text}");
    drop(server);
    assert_eq!(json(&home, &["status", "--json"])["running"], false);
}
