//! Where a token's time goes: calls, nanoseconds and bytes per phase, and L2 norms of K rows on request.
//! Off costs one branch per phase; on is counted with relaxed atomics so that front ends read without a lock.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::lane::HeadWork;

/// A part of the forward pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Phase {
    /// Every RMSNorm: of the residual stream, of heads, of sub-layers, of the output.
    Norm,
    /// Query, key and value projections.
    Qkv,
    /// Rotation, append to the KV cache, attention over it.
    Attention,
    /// Output projection of attention.
    O,
    /// Gate and up projections and their product.
    GateUp,
    /// Down projection.
    Down,
    /// Logits.
    LmHead,
    /// Choosing the token.
    Sampling,
}

impl Phase {
    /// All phases in the order of one layer.
    pub const ALL: [Phase; 8] = [
        Phase::Norm,
        Phase::Qkv,
        Phase::Attention,
        Phase::O,
        Phase::GateUp,
        Phase::Down,
        Phase::LmHead,
        Phase::Sampling,
    ];

    /// Name used in JSON and on dashboards.
    pub fn name(self) -> &'static str {
        match self {
            Phase::Norm => "norm",
            Phase::Qkv => "qkv",
            Phase::Attention => "attention",
            Phase::O => "o",
            Phase::GateUp => "gate_up",
            Phase::Down => "down",
            Phase::LmHead => "lm_head",
            Phase::Sampling => "sampling",
        }
    }
}

#[derive(Default)]
struct Counter {
    calls: AtomicU64,
    nanos: AtomicU64,
    bytes: AtomicU64,
}

/// Totals of one phase since the last reset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PhaseTotals {
    /// Which phase.
    pub phase: Phase,
    /// Timed calls.
    pub calls: u64,
    /// Wall time.
    pub nanos: u64,
    /// Weight and KV bytes read.
    pub bytes: u64,
}

/// How the LM head came to its logits since the last reset.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct HeadTotals {
    /// Rows for which a coarse copy of the head decided which logits to compute.
    pub screened: u64,
    /// Logits computed for these rows after the coarse pass.
    pub rescored: u64,
    /// Of these rows, those for which all logits had to be computed after it.
    pub fell_back: u64,
}

/// Counters shared between the engine thread, which adds, and front ends, which read.
#[derive(Default)]
pub struct Telemetry {
    on: AtomicBool,
    phases: [Counter; 8],
    /// Screened, computed again, fell back.
    head: [AtomicU64; 3],
}

impl Telemetry {
    /// Starts or stops counting.
    pub fn set_on(&self, on: bool) {
        self.on.store(on, Ordering::Relaxed);
    }

    /// Whether phases are being timed.
    pub fn is_on(&self) -> bool {
        self.on.load(Ordering::Relaxed)
    }

    /// Runs `work`, and when counting is on adds its time and `bytes` to `phase`.
    pub fn time<R>(&self, phase: Phase, bytes: u64, work: impl FnOnce() -> R) -> R {
        if !self.is_on() {
            return work();
        }
        let start = std::time::Instant::now();
        let result = work();
        let c = &self.phases[phase as usize];
        c.calls.fetch_add(1, Ordering::Relaxed);
        c.nanos.fetch_add(u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX), Ordering::Relaxed);
        c.bytes.fetch_add(bytes, Ordering::Relaxed);
        result
    }

    /// Adds what a pass over the LM head did; its bytes only when counting is on.
    pub fn add_head(&self, work: &HeadWork) {
        if self.is_on() {
            self.phases[Phase::LmHead as usize].bytes.fetch_add(work.bytes, Ordering::Relaxed);
        }
        for (counter, n) in self.head.iter().zip([work.screened, work.rescored, work.fell_back]) {
            counter.fetch_add(n, Ordering::Relaxed);
        }
    }

    /// Totals of the LM head.
    pub fn head_totals(&self) -> HeadTotals {
        let [screened, rescored, fell_back] = self.head.each_ref().map(|n| n.load(Ordering::Relaxed));
        HeadTotals { screened, rescored, fell_back }
    }

    /// Totals per phase.
    pub fn totals(&self) -> Vec<PhaseTotals> {
        Phase::ALL
            .iter()
            .map(|&phase| {
                let c = &self.phases[phase as usize];
                PhaseTotals {
                    phase,
                    calls: c.calls.load(Ordering::Relaxed),
                    nanos: c.nanos.load(Ordering::Relaxed),
                    bytes: c.bytes.load(Ordering::Relaxed),
                }
            })
            .collect()
    }

    /// Sets all counters to zero.
    pub fn reset(&self) {
        for c in &self.phases {
            c.calls.store(0, Ordering::Relaxed);
            c.nanos.store(0, Ordering::Relaxed);
            c.bytes.store(0, Ordering::Relaxed);
        }
        self.head.iter().for_each(|n| n.store(0, Ordering::Relaxed));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_counted_while_off() {
        let telemetry = Telemetry::default();
        assert_eq!(telemetry.time(Phase::Qkv, 10, || 7), 7);
        assert!(telemetry.totals().iter().all(|t| (t.calls, t.nanos, t.bytes) == (0, 0, 0)));
    }

    #[test]
    fn calls_and_bytes_add_up_in_their_own_phase_until_reset() {
        let telemetry = Telemetry::default();
        telemetry.set_on(true);
        for bytes in [10, 32] {
            telemetry.time(Phase::Down, bytes, || std::hint::black_box((0..1000).sum::<u64>()));
        }
        for t in telemetry.totals() {
            let expected = if t.phase == Phase::Down { (2, 42) } else { (0, 0) };
            assert_eq!((t.calls, t.bytes), expected, "{}", t.phase.name());
        }
        telemetry.reset();
        assert!(telemetry.totals().iter().all(|t| t.calls == 0 && t.bytes == 0 && t.nanos == 0));
    }

    #[test]
    fn phases_are_listed_in_the_order_of_their_counters() {
        for (index, phase) in Phase::ALL.into_iter().enumerate() {
            assert_eq!(phase as usize, index, "{}", phase.name());
        }
    }
}
