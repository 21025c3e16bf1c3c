//! The chain against its specification written out naively, and its random draws against exact probabilities.

use super::super::random::splitmix64;
use super::*;

fn random_logits(seed: u64, count: usize) -> Vec<f32> {
    let mut state = seed;
    // Few distinct values, so that ties are common.
    (0..count).map(|_| (splitmix64(&mut state) % 41) as f32 * 0.25 - 5.0).collect()
}

fn chain(sampling: &Sampling, vocab: usize) -> Chain {
    Chain::new(sampling, vocab).expect("valid parameters")
}

/// Bias and penalties as the documentation of `Sampling` states them.
fn naive_adjusted(sampling: &Sampling, logits: &[f32], recent: &[u32]) -> Vec<f32> {
    let mut out = logits.to_vec();
    for &(id, bias) in &sampling.logit_bias {
        out[id as usize] += bias;
    }
    let skipped = recent.len().saturating_sub(sampling.penalty_window as usize);
    for (id, logit) in out.iter_mut().enumerate() {
        let times = recent[skipped..].iter().filter(|&&r| r as usize == id).count();
        if times == 0 {
            continue;
        }
        for _ in 0..times {
            if *logit > 0.0 {
                *logit /= sampling.repetition_penalty;
            } else {
                *logit *= sampling.repetition_penalty;
            }
        }
        *logit -= sampling.frequency_penalty * times as f32 + sampling.presence_penalty;
    }
    out
}

/// Ids and probabilities that survive the filters, in id order, by sorting everything.
fn naive_distribution(sampling: &Sampling, logits: &[f32]) -> Vec<(u32, f64)> {
    let mut ranked: Vec<u32> = (0..logits.len() as u32).collect();
    ranked.sort_by(|a, b| logits[*b as usize].total_cmp(&logits[*a as usize]).then(a.cmp(b)));
    if sampling.top_k > 0 && (sampling.top_k as usize) < ranked.len() {
        let threshold = logits[ranked[sampling.top_k as usize - 1] as usize];
        ranked.retain(|&id| logits[id as usize] >= threshold);
    }
    let best = f64::from(logits[ranked[0] as usize]);
    let weight =
        |id: &u32| ((f64::from(logits[*id as usize]) - best) / f64::from(sampling.temperature)).exp();
    let total: f64 = ranked.iter().map(weight).sum();
    if sampling.top_p < 1.0 {
        let mut mass = 0.0;
        let mut kept = 0;
        while kept < ranked.len() && (kept == 0 || mass < f64::from(sampling.top_p) * total) {
            mass += weight(&ranked[kept]);
            kept += 1;
        }
        ranked.truncate(kept);
    }
    ranked.retain(|id| weight(id) >= f64::from(sampling.min_p));
    ranked.sort_unstable();
    let total: f64 = ranked.iter().map(weight).sum();
    ranked.iter().map(|id| (*id, weight(id) / total)).collect()
}

fn kept_by(chain: &Chain) -> Vec<u32> {
    chain.candidates.iter().map(|candidate| candidate.id).collect()
}

#[test]
fn every_combination_of_filters_keeps_what_the_specification_keeps() {
    for seed in 0..400u64 {
        let mut state = seed;
        let mut pick = |from: &[f32]| from[(splitmix64(&mut state) % from.len() as u64) as usize];
        let sampling = Sampling {
            temperature: pick(&[0.3, 1.0, 2.5]),
            top_k: pick(&[0.0, 1.0, 5.0, 40.0, 1000.0]) as u32,
            top_p: pick(&[0.0, 0.1, 0.5, 0.9, 0.999, 1.0]),
            min_p: pick(&[0.0, 0.05, 0.5, 1.0]),
            seed,
            ..Sampling::default()
        };
        let logits = random_logits(seed ^ 0xABCD, 700);
        let mut chain = chain(&sampling, logits.len());
        let id = chain.pick(&mut logits.clone(), &[]).expect("finite logits");
        let expected: Vec<u32> =
            naive_distribution(&sampling, &logits).into_iter().map(|(id, _)| id).collect();
        assert_eq!(kept_by(&chain), expected, "seed {seed}: {sampling:?}");
        assert!(expected.contains(&id), "seed {seed}");
    }
}

#[test]
fn logits_beyond_the_largest_needed_do_not_change_a_pick() {
    for seed in 0..400 {
        let logits = random_logits(seed, 90);
        let (temperature, top_k) = ([0.0, 0.7, 1.5][seed as usize % 3], [0, 1, 7, 40][seed as usize % 4]);
        let sampling =
            Sampling { temperature, top_k, top_p: 0.9, min_p: 0.01, seed: seed / 12, ..Sampling::default() };
        let Some(count) = chain(&sampling, 90).largest_needed() else {
            assert!(temperature > 0.0 && top_k == 0, "only an open draw looks at everything");
            continue;
        };
        let mut sorted = logits.clone();
        sorted.sort_by(|a, b| b.total_cmp(a));
        let least = sorted[count - 1];
        // What a screen leaves: any number below.
        let screened: Vec<f32> =
            logits.iter().map(|&l| if l >= least { l } else { least - 0.01 * (l - least).abs() }).collect();
        let pick = |logits: &[f32]| chain(&sampling, 90).pick(&mut logits.to_vec(), &[]);
        assert_eq!(pick(&screened), pick(&logits), "seed {seed}");
    }
    let looks_at_all = [
        Sampling { repetition_penalty: 1.1, ..Sampling::default() },
        Sampling { logit_bias: vec![(3, 1.0)], ..Sampling::default() },
        Sampling { temperature: 1.0, top_k: 90, ..Sampling::default() },
        Sampling { temperature: 1.0, min_p: 0.1, ..Sampling::default() },
    ];
    for sampling in looks_at_all {
        assert_eq!(chain(&sampling, 90).largest_needed(), None, "{sampling:?}");
    }
}

#[test]
fn bias_and_penalties_change_logits_as_documented() {
    for seed in 0..200u64 {
        let mut state = seed;
        let mut logits = random_logits(seed, 50);
        let sampling = Sampling {
            repetition_penalty: 0.5 + (splitmix64(&mut state) % 4) as f32 * 0.5,
            frequency_penalty: (splitmix64(&mut state) % 5) as f32 * 0.25 - 0.5,
            presence_penalty: (splitmix64(&mut state) % 5) as f32 * 0.25 - 0.5,
            penalty_window: (splitmix64(&mut state) % 20) as u32,
            logit_bias: vec![(3, 2.5), (7, f32::NEG_INFINITY), (3, -1.0)],
            ..Sampling::default()
        };
        let recent: Vec<u32> = (0..30).map(|_| (splitmix64(&mut state) % 12) as u32).collect();
        let expected = naive_adjusted(&sampling, &logits, &recent);
        let id = chain(&sampling, 50).pick(&mut logits, &recent).expect("finite logits");
        for (id, (found, expected)) in logits.iter().zip(&expected).enumerate() {
            let error = (found - expected).abs();
            assert!(
                found == expected || error < 1e-4 * expected.abs(),
                "seed {seed}, id {id}: {found} {expected}"
            );
        }
        let best = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        assert_eq!(id as usize, logits.iter().position(|&l| l == best).expect("some"), "seed {seed}");
    }
}

#[test]
fn greedy_takes_the_lowest_id_of_equal_logits_and_uses_no_random_number() {
    let mut greedy = chain(&Sampling::default(), 4);
    assert_eq!(greedy.pick(&mut [1.0, 5.0, 5.0, f32::NEG_INFINITY], &[]), Ok(1));
    let sampling = Sampling { temperature: 1.0, ..Sampling::default() };
    assert_eq!(chain(&sampling, 4).random.unit(), Random::new(0).unit());
    assert_eq!(greedy.random.unit(), Random::new(0).unit());
}

#[test]
fn draws_follow_the_exact_distribution() {
    const DRAWS: usize = 40_000;
    let sampling = Sampling { temperature: 0.8, top_k: 8, top_p: 0.95, seed: 42, ..Sampling::default() };
    let logits = [0.5f32, 2.0, -1.0, 1.5, 0.0, 1.5, f32::NEG_INFINITY, -0.5, 0.25, 1.0];
    let mut chain = chain(&sampling, logits.len());
    let mut counts = [0usize; 10];
    for _ in 0..DRAWS {
        counts[chain.pick(&mut logits.clone(), &[]).expect("finite logits") as usize] += 1;
    }
    let expected = naive_distribution(&sampling, &logits);
    let mut chi_squared = 0.0;
    for &(id, probability) in &expected {
        let mean = probability * DRAWS as f64;
        chi_squared += (counts[id as usize] as f64 - mean).powi(2) / mean;
    }
    let kept: usize = expected.iter().map(|&(id, _)| counts[id as usize]).sum();
    assert_eq!(kept, DRAWS, "an id that was filtered out was drawn");
    // 99.9 % point of chi-squared with 7 degrees of freedom, as many as there are kept ids less one.
    assert!(expected.len() <= 8 && chi_squared < 24.3, "{chi_squared}, {counts:?}");
}

#[test]
fn the_same_seed_gives_the_same_ids_and_another_seed_gives_others() {
    let ids = |seed: u64| -> Vec<u32> {
        let sampling = Sampling { temperature: 1.0, seed, ..Sampling::default() };
        let mut chain = chain(&sampling, 300);
        (0..50).map(|at| chain.pick(&mut random_logits(at, 300), &[]).expect("finite")).collect()
    };
    assert_eq!(ids(1), ids(1));
    assert_ne!(ids(1), ids(2));
}

#[test]
fn masked_ids_are_never_drawn_and_bad_numbers_are_errors() {
    let sampling = Sampling { temperature: 5.0, seed: 3, ..Sampling::default() };
    let mut sampled = chain(&sampling, 3);
    for _ in 0..200 {
        let mut logits = [f32::NEG_INFINITY, 0.0, f32::NEG_INFINITY];
        assert_eq!(sampled.pick(&mut logits, &[]), Ok(1));
    }
    for mut bad in [[0.0, f32::NAN, 1.0], [0.0, f32::INFINITY, 1.0], [f32::NEG_INFINITY; 3]] {
        assert_eq!(sampled.pick(&mut bad.clone(), &[]), Err(NotFinite));
        assert_eq!(chain(&Sampling::default(), 3).pick(&mut bad, &[]), Err(NotFinite));
    }
}

#[test]
fn extreme_penalties_stay_finite() {
    let sampling = Sampling { repetition_penalty: 100.0, penalty_window: 500, ..Sampling::default() };
    let mut logits = [0.0, -3.0, 4.0, -5.0];
    let recent = [0u32, 1, 2].repeat(100);
    chain(&sampling, 4).pick(&mut logits, &recent).expect("finite logits");
    assert!(logits.iter().all(|logit| logit.is_finite()), "{logits:?}");
}

#[test]
fn nothing_is_allocated_after_the_first_pick() {
    let sampling = Sampling { temperature: 1.0, top_k: 50, top_p: 0.9, ..Sampling::default() };
    let mut chain = chain(&sampling, 1000);
    // All logits equal: every id ties at the threshold, so the buffers reach their largest size.
    chain.pick(&mut [0.0; 1000], &[]).expect("finite logits");
    let sizes = (chain.candidates.capacity(), chain.ordered.capacity());
    for seed in 0..20 {
        chain.pick(&mut random_logits(seed, 1000), &[]).expect("finite logits");
    }
    assert_eq!((chain.candidates.capacity(), chain.ordered.capacity()), sizes);
}

#[test]
fn unusable_parameters_are_named() {
    let default = Sampling::default;
    let cases = [
        (Sampling { temperature: f32::NAN, ..default() }, "temperature"),
        (Sampling { temperature: -1.0, ..default() }, "temperature"),
        (Sampling { top_p: 1.5, ..default() }, "top_p"),
        (Sampling { min_p: f32::NAN, ..default() }, "min_p"),
        (Sampling { repetition_penalty: 0.0, ..default() }, "repetition_penalty"),
        (Sampling { frequency_penalty: f32::INFINITY, ..default() }, "frequency_penalty"),
        (Sampling { logit_bias: vec![(10, 0.0)], ..default() }, "id 10"),
        (Sampling { logit_bias: vec![(1, f32::INFINITY)], ..default() }, "logit_bias"),
    ];
    for (sampling, named) in cases {
        let err = Chain::new(&sampling, 10).expect_err(named);
        assert!(err.0.contains(named), "{err}");
    }
}
