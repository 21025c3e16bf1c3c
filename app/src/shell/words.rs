//! Numbers and names as the interface writes them.

/// `1,842`.
pub fn count(value: u64) -> String {
    let digits = value.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// `83.3 tok/s`.
pub fn rate(tok_per_sec: f64) -> String {
    format!("{tok_per_sec:.1} tok/s")
}

/// `12.0 ms`, `142 ms`, `1.5 s`.
pub fn millis(millis: f64) -> String {
    if millis < 100.0 {
        format!("{millis:.1} ms")
    } else if millis < 999.5 {
        format!("{millis:.0} ms")
    } else {
        format!("{:.1} s", millis / 1e3)
    }
}

/// `34.5 MiB`, `1.07 GiB`: at most three significant digits.
pub fn bytes(bytes: u64) -> String {
    let mib = bytes as f64 / f64::from(1 << 20);
    let (value, unit) = if mib < 1000.0 { (mib, "MiB") } else { (mib / 1024.0, "GiB") };
    match value {
        ..10.0 => format!("{value:.2} {unit}"),
        10.0..100.0 => format!("{value:.1} {unit}"),
        _ => format!("{value:.0} {unit}"),
    }
}

/// Size of a text file: `812 B`, `34.5 KiB`, then as [`bytes`].
pub fn file_bytes(size: usize) -> String {
    match size {
        ..1024 => format!("{size} B"),
        1024..0x10_0000 => format!("{:.1} KiB", size as f64 / 1024.0),
        _ => bytes(size as u64),
    }
}

/// `0.1 / 27.1 GiB`.
pub fn memory(used_bytes: u64, of_bytes: u64) -> String {
    let gib = |bytes: u64| bytes as f64 / f64::from(1 << 30);
    format!("{:.1} / {:.1} GiB", gib(used_bytes), gib(of_bytes))
}

/// `45 %`.
pub fn percent(part: f64) -> String {
    format!("{:.0} %", (part * 100.0).clamp(0.0, 100.0))
}

/// Lane for people: `cpu-avx512vnni` is `CPU · AVX-512 VNNI`.
pub fn lane(name: &str) -> String {
    let (device, isa) = name.split_once(['-', ' ']).unwrap_or((name, ""));
    let device = match device {
        "cpu" => "CPU".to_owned(),
        "hip" => "HIP".to_owned(),
        "reference" => "Reference".to_owned(),
        other => other.to_owned(),
    };
    let isa = match isa.replace(['-', '_', ' '], "").as_str() {
        "" => return device,
        "avx2" => "AVX2".to_owned(),
        "avx512" => "AVX-512".to_owned(),
        "avx512amx" => "AVX-512 AMX".to_owned(),
        "avx512vnni" | "vnni" => "AVX-512 VNNI".to_owned(),
        _ => isa.to_owned(),
    };
    format!("{device} · {isa}")
}

/// Device part of a lane: `CPU`.
pub fn device(name: &str) -> String {
    let lane = lane(name);
    lane.split(" · ").next().unwrap_or_default().to_owned()
}

/// A message of the engine begins with a small letter; on a card it is a sentence. One that begins with the name of a file or a field stays
/// as it is.
pub fn sentence(text: &str) -> String {
    let is_word = text.split_whitespace().next().is_some_and(|word| word.chars().all(char::is_alphabetic));
    let mut letters = text.chars();
    match letters.next() {
        Some(first) if is_word => first.to_uppercase().chain(letters).collect(),
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_follow_the_rules_of_the_interface() {
        assert_eq!(count(1_842), "1,842");
        assert_eq!(count(999), "999");
        assert_eq!(count(1_000_000), "1,000,000");
        assert_eq!(rate(83.25), "83.2 tok/s");
        assert_eq!(
            (millis(12.0), millis(142.2), millis(1500.0)),
            ("12.0 ms".into(), "142 ms".into(), "1.5 s".into())
        );
        assert_eq!(bytes(36_175_872), "34.5 MiB");
        assert_eq!(bytes(1_148_903_751), "1.07 GiB");
        assert_eq!(memory(107_374_182, 29_098_403_430), "0.1 / 27.1 GiB");
        assert_eq!((file_bytes(812), file_bytes(35_328)), ("812 B".into(), "34.5 KiB".into()));
        assert_eq!(percent(0.449), "45 %");
        assert_eq!(sentence("the engine stopped"), "The engine stopped");
        assert_eq!(sentence("model.gguf: is cut"), "model.gguf: is cut");
    }

    #[test]
    fn lanes_are_named_for_people() {
        assert_eq!(lane("cpu-avx512-vnni"), "CPU · AVX-512 VNNI");
        assert_eq!(lane("cpu-avx512-amx"), "CPU · AVX-512 AMX");
        assert_eq!(lane("cpu-avx2"), "CPU · AVX2");
        assert_eq!(lane("reference"), "Reference");
        assert_eq!(device("cpu-avx2"), "CPU");
    }
}
