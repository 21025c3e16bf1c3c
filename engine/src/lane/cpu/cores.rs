//! How many cores this process may use.

/// Physical cores that this process may use: its affinity and control group respected.
pub(super) fn physical_cores() -> usize {
    let allowed = std::thread::available_parallelism().map_or(1, usize::from);
    cores_of(&allowed_cpus().unwrap_or_default()).map_or(allowed, |cores| cores.clamp(1, allowed))
}

/// Numbers of the CPUs in this process's affinity mask.
fn allowed_cpus() -> Option<Vec<usize>> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let list = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"))?;
    parse_cpu_list(list.trim())
}

/// `0-3,8` as numbers.
fn parse_cpu_list(list: &str) -> Option<Vec<usize>> {
    let mut cpus = Vec::new();
    for part in list.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last): (usize, usize) = (first.parse().ok()?, last.parse().ok()?);
        if first > last || last >= 1 << 16 {
            return None;
        }
        cpus.extend(first..=last);
    }
    Some(cpus)
}

/// Distinct cores among `cpus`: hardware threads of a core name the same siblings.
fn cores_of(cpus: &[usize]) -> Option<usize> {
    let mut siblings = Vec::with_capacity(cpus.len());
    for cpu in cpus {
        let path = format!("/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list");
        siblings.push(std::fs::read_to_string(path).ok()?);
    }
    siblings.sort_unstable();
    siblings.dedup();
    (!siblings.is_empty()).then_some(siblings.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpu_lists_are_read_and_nonsense_is_refused() {
        assert_eq!(parse_cpu_list("0-2,5").unwrap(), [0, 1, 2, 5]);
        assert_eq!(parse_cpu_list("3").unwrap(), [3]);
        assert!(parse_cpu_list("3-1").is_none());
        assert!(parse_cpu_list("0-99999999").is_none());
        assert!(physical_cores() >= 1);
    }
}
