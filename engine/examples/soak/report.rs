//! The soak report as Markdown: command, machine, lane, counts, memory, speed.

use std::fmt::Write as _;

use onebit_engine::session::{EngineStatus, ModelStatus};

use super::Plan;
use super::load::Tally;

/// The whole report.
pub fn markdown(
    plan: &Plan,
    model: &ModelStatus,
    status: &EngineStatus,
    short: (&Tally, f64),
    mixed: (&Tally, f64),
    growth: Option<f64>,
) -> String {
    let mut text = String::new();
    let mut line = |s: String| {
        text.push_str(&s);
        text.push('\n');
    };
    line(format!("# Soak, {}\n", today()));
    line(format!(
        "Command: `make soak` (`soak --requests {} --minutes {}`). Every number is from this run.\n",
        plan.requests, plan.minutes
    ));
    line("| | |\n|---|---|".into());
    line(format!("| machine | {} |", machine()));
    line(format!("| lane | {}, {} threads |", status.lane, status.threads));
    line(format!("| model | {} ({}), context {} |", model.name, model.packing, model.context));
    line(format!(
        "| KV | {} bytes reserved, {} used at the end |",
        model.kv_reserved_bytes,
        status.models.first().map_or(0, |m| m.kv_used_bytes)
    ));
    line(String::new());
    line("| phase | requests | seconds | length | end of text | stop string | cancelled | dropped | scorings | prompt tokens | of them cached | new tokens | new tok/s |".into());
    line("|---|---|---|---|---|---|---|---|---|---|---|---|---|".into());
    line(row("short", short));
    line(row("mixed", mixed));
    line(String::new());
    line("No request failed; each that was read ended exactly once. Dropped requests are cancelled by their reader going away.\n".into());
    match growth {
        Some(growth) => line(format!(
            "Resident memory after the last short request is {:+.2} % of that after request 1,000 (allowed: +3 %).\n",
            (growth - 1.0) * 100.0
        )),
        None => line("Fewer than 1,000 requests: growth was not judged.\n".into()),
    }
    line(series("Resident MiB by short requests", short.0));
    line(series("Resident MiB by mixed requests", mixed.0));
    text
}

fn row(name: &str, (t, secs): (&Tally, f64)) -> String {
    format!(
        "| {name} | {} | {secs:.0} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {:.0} |",
        t.submitted,
        t.length,
        t.end_of_text,
        t.stop_string,
        t.cancelled,
        t.dropped,
        t.scored,
        t.prompt_tokens,
        t.cached_tokens,
        t.new_tokens,
        t.new_tokens as f64 / secs.max(1e-9)
    )
}

fn series(title: &str, tally: &Tally) -> String {
    let mut text = format!("{title}:");
    for (requests, kib) in &tally.rss {
        let _ = write!(text, " {requests}: {:.1};", *kib as f64 / 1024.0);
    }
    text.push('\n');
    text
}

fn machine() -> String {
    let cpu = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = cpu.lines().find_map(|l| l.strip_prefix("model name")?.split_once(':').map(|(_, n)| n.trim()));
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    format!("{}, {cores} threads available", name.unwrap_or("unknown processor"))
}

/// Date in UTC (civil-from-days, H. Hinnant).
fn today() -> String {
    let secs = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |d| d.as_secs());
    let z = i64::try_from(secs / 86_400).unwrap_or(0) + 719_468;
    let era = z.div_euclid(146_097);
    let doe = z.rem_euclid(146_097);
    let yoe = (doe - doe / 1460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let day = doy - (153 * mp + 2) / 5 + 1;
    let month = if mp < 10 { mp + 3 } else { mp - 9 };
    let year = yoe + era * 400 + i64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}")
}
