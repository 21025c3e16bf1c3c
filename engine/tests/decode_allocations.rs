//! Decoding a token allocates nothing: every buffer has its size after the first tokens, and a thread's own after its first part.

#![expect(unsafe_code, reason = "an allocator that counts")]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop here")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

use onebit_engine::arch::{Batch, Head, Resident, ResidentOptions};
use onebit_engine::lane::cpu::CpuLane;
use onebit_engine::lane::{KvDtype, Row, Wanted};
use onebit_engine::model::write::Synthetic;
use onebit_engine::model::{self, Family, TensorType};
use onebit_engine::telemetry::Telemetry;

static ALLOCATIONS: AtomicUsize = AtomicUsize::new(0);

struct Counting;

// SAFETY: everything is passed on to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Allocations of sixteen tokens behind others: the fewest of four runs, since a thread may get its first part of a job late.
fn allocations(family: Family, linear: TensorType, embedding: TensorType, threads: usize) -> usize {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.gguf");
    let model = Synthetic { embedding, ..Synthetic::tiny(family, linear) };
    model.write_gguf(std::fs::File::create(&path).unwrap()).unwrap();
    let file = model::open(&path).unwrap();
    let mut lane = CpuLane::open(threads).unwrap();
    let options = ResidentOptions {
        kv_dtype: KvDtype::F16,
        kv_pages: 2,
        max_rows: 16,
        max_logit_rows: 1,
        head: Head::default(),
    };
    let mut resident = Resident::load(&file, &mut lane, options, &mut |_, _| true).unwrap();
    let telemetry = Telemetry::default();
    let pages = [0, 1];
    let mut token = |position: u32| {
        let rows = [Row { pages: &pages, position }];
        let batch = Batch {
            tokens: &[position * 7 % 256],
            rows: &rows,
            logit_rows: &[0],
            wanted: &[Wanted::Largest(40)],
        };
        let logits = resident.forward(&mut lane, &batch, &telemetry).unwrap();
        assert!(logits.iter().all(|logit| logit.is_finite()));
    };
    (0..16).for_each(&mut token);
    let mut run = |first: u32| {
        let before = ALLOCATIONS.load(Ordering::Relaxed);
        (first..first + 16).for_each(&mut token);
        ALLOCATIONS.load(Ordering::Relaxed) - before
    };
    let fewest = [16, 32, 48, 64].map(&mut run).into_iter().min().unwrap();
    resident.unload(&mut lane);
    fewest
}

// One test, so that no other test allocates meanwhile.
#[test]
fn a_decoded_token_allocates_nothing() {
    for threads in [1, 3] {
        for (family, linear, embedding) in [
            (Family::BitNetB158, TensorType::I2S, TensorType::F16),
            (Family::BitNet, TensorType::Tq1_0, TensorType::Q8_0),
            (Family::Llama, TensorType::Tq2_0, TensorType::Q4_0),
            (Family::Qwen3, TensorType::Tq2_0, TensorType::F32),
        ] {
            let found = allocations(family, linear, embedding, threads);
            assert_eq!(found, 0, "{family:?} {linear:?} {embedding:?} on {threads} threads");
        }
    }
}
