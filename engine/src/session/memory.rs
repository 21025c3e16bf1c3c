//! How much memory the engine may use when nobody says: three quarters of what this machine or its container has.

use std::path::Path;

/// Budget when the machine's memory cannot be read.
const UNKNOWN_MACHINE_BYTES: u64 = 4 << 30;

/// Budget in bytes, and a notice when it is a guess.
pub(super) fn budget(asked_bytes: u64) -> (u64, Option<String>) {
    if asked_bytes > 0 {
        return (asked_bytes, None);
    }
    let read = |path: &Path| std::fs::read_to_string(path).ok();
    match read(Path::new("/proc/meminfo")).as_deref().and_then(total_from_meminfo) {
        Some(total) => {
            let limits = cgroup_limit_files(&read(Path::new("/proc/self/cgroup")).unwrap_or_default());
            let limit = limits.iter().filter_map(|f| limit_from_cgroup(&read(Path::new(f))?)).min();
            (three_quarters(limit.map_or(total, |l| l.min(total))), None)
        }
        None => {
            let gib = UNKNOWN_MACHINE_BYTES >> 30;
            let notice =
                format!("the memory size of this machine could not be read; models may use {gib} GiB");
            (UNKNOWN_MACHINE_BYTES, Some(notice))
        }
    }
}

fn three_quarters(bytes: u64) -> u64 {
    bytes - bytes / 4
}

/// `MemTotal:       24684096 kB`.
fn total_from_meminfo(text: &str) -> Option<u64> {
    let line = text.lines().find_map(|l| l.strip_prefix("MemTotal:"))?;
    line.split_whitespace().next()?.parse::<u64>().ok()?.checked_mul(1024)
}

/// A number of bytes, or `max`. Version 1 writes a number near 2^63 for "no limit", which exceeds any machine.
fn limit_from_cgroup(text: &str) -> Option<u64> {
    text.trim().parse().ok()
}

/// Files that may hold a limit for this process: its own group and every group above it, version 2 and version 1.
fn cgroup_limit_files(proc_self_cgroup: &str) -> Vec<String> {
    let mut files = Vec::new();
    for line in proc_self_cgroup.lines() {
        let mut fields = line.splitn(3, ':');
        let (Some(_), Some(controllers), Some(path)) = (fields.next(), fields.next(), fields.next()) else {
            continue;
        };
        let (root, name) = if controllers.is_empty() {
            ("/sys/fs/cgroup", "memory.max")
        } else if controllers.split(',').any(|c| c == "memory") {
            ("/sys/fs/cgroup/memory", "memory.limit_in_bytes")
        } else {
            continue;
        };
        let mut group = Some(Path::new(path));
        while let Some(path) = group {
            let path_text = path.to_string_lossy();
            files.push(format!("{root}/{}/{name}", path_text.trim_matches('/')).replace("//", "/"));
            group = path.parent();
        }
    }
    files
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_asked_budget_is_taken_as_it_is() {
        assert_eq!(budget(123), (123, None));
    }

    #[test]
    fn meminfo_counts_kibibytes() {
        assert_eq!(
            total_from_meminfo("MemFree: 1 kB\nMemTotal:       24684096 kB\n"),
            Some(24_684_096 * 1024)
        );
        assert_eq!(total_from_meminfo("MemFree: 1 kB\n"), None);
    }

    #[test]
    fn every_group_above_the_process_may_limit_it() {
        let files = cgroup_limit_files("9:name=systemd:/\n4:memory:/a/b\n0::/c\n");
        assert_eq!(
            files,
            [
                "/sys/fs/cgroup/memory/a/b/memory.limit_in_bytes",
                "/sys/fs/cgroup/memory/a/memory.limit_in_bytes",
                "/sys/fs/cgroup/memory/memory.limit_in_bytes",
                "/sys/fs/cgroup/c/memory.max",
                "/sys/fs/cgroup/memory.max",
            ]
        );
        assert_eq!(limit_from_cgroup("max\n"), None);
        assert_eq!(limit_from_cgroup("1073741824\n"), Some(1 << 30));
    }
}
