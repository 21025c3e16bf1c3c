//! The threads of the lane: the engine thread and its workers share the units of one job at a time. Knows nothing of what a
//! job computes.
//!
//! Every thread starts with a contiguous part of the units and steals from the ends of the others' parts when its own is done, so a
//! thread that the system has put aside holds up at most one grain. A worker that has not noticed a job by the time it is done is
//! not waited for. Waiting spins for [`SPIN`] and then parks, so an idle lane costs nothing.

#![expect(
    unsafe_code,
    reason = "a job borrows the caller's stack while workers run it, and writes disjoint parts of buffers"
)]

use std::any::Any;
use std::marker::PhantomData;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{JoinHandle, Thread};
use std::time::{Duration, Instant};

use crate::lane::LaneError;

/// How long a thread looks for news before it parks: longer than the pauses between the operations of a token, far shorter
/// than a scheduler's time slice.
const SPIN: Duration = Duration::from_micros(40);

/// A job: called with the number of the thread and some of its units.
type Job<'a> = dyn Fn(usize, Range<usize>) + Sync + 'a;

/// Units `start..end` of one thread, packed as `start << 32 | end`; on its own cache lines.
#[repr(align(128))]
struct Share(AtomicU64);

/// Set by a thread before it parks, taken by whoever wakes it.
#[repr(align(128))]
#[derive(Default)]
struct Parked(AtomicBool);

struct Shared {
    /// Number of the job in the upper bits; bit 31: open to be joined; below: workers in it.
    state: AtomicU64,
    shares: Vec<Share>,
    parked: Vec<Parked>,
    job: Mutex<Option<Work>>,
    panic: Mutex<Option<Box<dyn Any + Send>>>,
    stop: AtomicBool,
}

const OPEN: u64 = 1 << 31;
const COUNT: u64 = OPEN - 1;

#[derive(Clone)]
struct Work {
    job: *const Job<'static>,
    grain: usize,
    caller: Thread,
}

// SAFETY: the job is only used by workers that have joined the job, and `Pool::run` does not return before they left.
unsafe impl Send for Work {}

/// See the module documentation.
pub(super) struct Pool {
    shared: Arc<Shared>,
    workers: Vec<JoinHandle<()>>,
}

impl Pool {
    /// Starts `threads - 1` workers named `lane-1`, `lane-2`, ...
    pub(super) fn new(threads: usize) -> Result<Self, LaneError> {
        let threads = threads.max(1);
        let shared = Arc::new(Shared {
            state: AtomicU64::new(0),
            shares: (0..threads).map(|_| Share(AtomicU64::new(0))).collect(),
            parked: (0..threads).map(|_| Parked::default()).collect(),
            job: Mutex::new(None),
            panic: Mutex::new(None),
            stop: AtomicBool::new(false),
        });
        let mut pool = Self { shared, workers: Vec::with_capacity(threads - 1) };
        for index in 1..threads {
            let shared = Arc::clone(&pool.shared);
            let worker = std::thread::Builder::new()
                .name(format!("lane-{index}"))
                .spawn(move || work(&shared, index))
                .map_err(|_| LaneError::OutOfMemory {
                    what: format!("thread lane-{index}"),
                    bytes: 2 << 20,
                })?;
            pool.workers.push(worker);
        }
        Ok(pool)
    }

    /// The engine thread included.
    pub(super) fn threads(&self) -> usize {
        self.shared.shares.len()
    }

    /// Calls `job` until every unit below `units` was given out once, `grain` or fewer at a time, and waits for all calls.
    /// A panic in any of them is raised here, after the others have ended.
    pub(super) fn run(&self, units: usize, grain: usize, job: impl Fn(usize, Range<usize>) + Sync) {
        let grain = grain.max(1);
        let shared = &*self.shared;
        if self.workers.is_empty() || units <= grain {
            if units > 0 {
                job(0, 0..units);
            }
            return;
        }
        let threads = self.threads();
        for (thread, share) in shared.shares.iter().enumerate() {
            let (start, end) = (units * thread / threads, units * (thread + 1) / threads);
            share.0.store(pack(start, end), Ordering::Relaxed);
        }
        let job: &Job<'_> = &job;
        // SAFETY: only the lifetime changes; the state is closed and every worker has left before `job` goes out of scope.
        let pointer: *const Job<'static> = unsafe { std::mem::transmute(std::ptr::from_ref(job)) };
        *lock(&shared.job) = Some(Work { job: pointer, grain, caller: std::thread::current() });
        let number = (shared.state.load(Ordering::Relaxed) >> 32) + 1;
        shared.state.store(number << 32 | OPEN, Ordering::SeqCst);
        for (worker, parked) in self.workers.iter().zip(&shared.parked[1..]) {
            if parked.0.swap(false, Ordering::SeqCst) {
                worker.thread().unpark();
            }
        }
        let outcome = catch_unwind(AssertUnwindSafe(|| take_units(shared, 0, grain, job)));
        shared.state.fetch_and(!OPEN, Ordering::SeqCst);
        wait(&shared.parked[0].0, || shared.state.load(Ordering::SeqCst) & COUNT == 0);
        *lock(&shared.job) = None;
        if let Some(panic) = lock(&shared.panic).take().or(outcome.err()) {
            resume_unwind(panic);
        }
    }
}

impl Pool {
    /// Splits `buffer` into chunks of `len` elements and calls `job(thread, chunk number, chunk)` for each, `grain` chunks at a time.
    pub(super) fn run_chunks<T: Send>(
        &self,
        buffer: &mut [T],
        len: usize,
        grain: usize,
        job: impl Fn(usize, usize, &mut [T]) + Sync,
    ) {
        let chunks = buffer.len() / len;
        let parts = Disjoint::new(buffer);
        self.run(chunks, grain, |thread, range| {
            for chunk in range {
                // SAFETY: chunks do not overlap, and each is given out once.
                job(thread, chunk, unsafe { parts.slice(chunk * len..(chunk + 1) * len) });
            }
        });
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::SeqCst);
        for (worker, parked) in self.workers.drain(..).zip(&self.shared.parked[1..]) {
            parked.0.store(false, Ordering::SeqCst);
            worker.thread().unpark();
            // A worker only ends early by a bug outside jobs, which `catch_unwind` covers; there is nobody left to tell.
            let _ = worker.join();
        }
    }
}

fn pack(start: usize, end: usize) -> u64 {
    let narrow = |n: usize| u64::from(u32::try_from(n).expect("invariant: a job has fewer than 2^32 units"));
    narrow(start) << 32 | narrow(end)
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Spins, then parks, until `ready`.
fn wait(parked: &AtomicBool, ready: impl Fn() -> bool) {
    let start = Instant::now();
    loop {
        for _ in 0..32 {
            if ready() {
                return;
            }
            std::hint::spin_loop();
        }
        if start.elapsed() > SPIN {
            break;
        }
    }
    loop {
        parked.store(true, Ordering::SeqCst);
        if ready() {
            parked.store(false, Ordering::SeqCst);
            return;
        }
        std::thread::park();
    }
}

fn work(shared: &Shared, index: usize) {
    let mut seen = 0;
    loop {
        wait(&shared.parked[index].0, || {
            shared.stop.load(Ordering::SeqCst) || shared.state.load(Ordering::SeqCst) >> 32 != seen
        });
        if shared.stop.load(Ordering::SeqCst) {
            return;
        }
        let state = shared.state.load(Ordering::SeqCst);
        seen = state >> 32;
        if !join(shared, state) {
            continue;
        }
        let Work { job, grain, caller } =
            lock(&shared.job).clone().expect("invariant: a job is written down before it opens");
        // SAFETY: this worker has joined the job, so `run` waits for it before the job's borrows end.
        let job = unsafe { &*job };
        let outcome = catch_unwind(AssertUnwindSafe(|| take_units(shared, index, grain, job)));
        if let Err(panic) = outcome {
            *lock(&shared.panic) = Some(panic);
        }
        let before = shared.state.fetch_sub(1, Ordering::SeqCst);
        let last_of_closed = before & COUNT == 1 && before & OPEN == 0;
        if last_of_closed && shared.parked[0].0.swap(false, Ordering::SeqCst) {
            caller.unpark();
        }
    }
}

/// Enters the job that `state` shows, if it is still open.
fn join(shared: &Shared, mut state: u64) -> bool {
    let number = state >> 32;
    while state & OPEN != 0 && state >> 32 == number {
        match shared.state.compare_exchange_weak(state, state + 1, Ordering::SeqCst, Ordering::SeqCst) {
            Ok(_) => return true,
            Err(now) => state = now,
        }
    }
    false
}

/// Works off the thread's own units from the front, then those of the others from the back.
fn take_units(shared: &Shared, index: usize, grain: usize, job: &Job<'_>) {
    let threads = shared.shares.len();
    while let Some(units) = take(&shared.shares[index].0, grain, true) {
        job(index, units);
    }
    for other in (index + 1..threads).chain(0..index) {
        while let Some(units) = take(&shared.shares[other].0, grain, false) {
            job(index, units);
        }
    }
}

fn take(share: &AtomicU64, grain: usize, front: bool) -> Option<Range<usize>> {
    let mut packed = share.load(Ordering::Relaxed);
    loop {
        let (start, end) = ((packed >> 32) as usize, (packed & 0xffff_ffff) as usize);
        if start >= end {
            return None;
        }
        let n = grain.min(end - start);
        let (rest, taken) = if front {
            (pack(start + n, end), start..start + n)
        } else {
            (pack(start, end - n), end - n..end)
        };
        match share.compare_exchange_weak(packed, rest, Ordering::SeqCst, Ordering::Relaxed) {
            Ok(_) => return Some(taken),
            Err(now) => packed = now,
        }
    }
}

/// A buffer of which the threads of a job write disjoint parts.
pub(super) struct Disjoint<'a, T> {
    start: *mut T,
    len: usize,
    borrow: PhantomData<&'a mut [T]>,
}

// SAFETY: access goes through `Disjoint::slice`, whose callers promise that no two parts overlap.
unsafe impl<T: Send> Sync for Disjoint<'_, T> {}
// SAFETY: as above; it stands for a mutable borrow of a slice.
unsafe impl<T: Send> Send for Disjoint<'_, T> {}

impl<'a, T> Disjoint<'a, T> {
    pub(super) fn new(buffer: &'a mut [T]) -> Self {
        Self { start: buffer.as_mut_ptr(), len: buffer.len(), borrow: PhantomData }
    }

    /// As [`Disjoint::new`], for several buffers of one owner at once.
    ///
    /// # Safety
    /// Until the last use of the result, `buffer` must stay alive and nothing else may touch it.
    pub(super) unsafe fn detached(buffer: &mut [T]) -> Self {
        Self { start: buffer.as_mut_ptr(), len: buffer.len(), borrow: PhantomData }
    }

    /// Where the buffer begins.
    pub(super) fn as_mut_ptr(&self) -> *mut T {
        self.start
    }

    /// Elements of the buffer.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Part `index` of the equal parts of `len` elements, of which each is used by one unit of a job.
    ///
    /// # Safety
    /// As [`Disjoint::slice`].
    ///
    /// # Panics
    /// When the part does not lie in the buffer.
    #[expect(clippy::mut_from_ref, reason = "disjointness is the caller's promise")]
    pub(super) unsafe fn part(&self, index: usize, len: usize) -> &mut [T] {
        // SAFETY: the caller's promise is the same.
        unsafe { self.slice(index * len..(index + 1) * len) }
    }

    /// A part of the buffer.
    ///
    /// # Safety
    /// While the returned slice lives, no other slice of this buffer that overlaps `range` may exist.
    ///
    /// # Panics
    /// When the range does not lie in the buffer.
    #[expect(clippy::mut_from_ref, reason = "disjointness is the caller's promise")]
    pub(super) unsafe fn slice(&self, range: Range<usize>) -> &mut [T] {
        assert!(range.start <= range.end && range.end <= self.len, "part of a buffer");
        // SAFETY: the range lies in the borrowed buffer, and the caller promises that no other part overlaps it.
        unsafe { std::slice::from_raw_parts_mut(self.start.add(range.start), range.len()) }
    }
}

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
    use std::sync::atomic::AtomicUsize;

    #[test]
    fn every_unit_runs_exactly_once_at_any_thread_count_and_grain() {
        for threads in 1..=4 {
            let pool = Pool::new(threads).unwrap();
            for (units, grain) in [(0, 1), (1, 1), (7, 1), (7, 3), (64, 5), (1000, 1), (1000, 2000)] {
                for _ in 0..20 {
                    let counts: Vec<AtomicUsize> = (0..units).map(|_| AtomicUsize::new(0)).collect();
                    pool.run(units, grain, |_, range| {
                        for unit in range {
                            counts[unit].fetch_add(1, Ordering::Relaxed);
                        }
                    });
                    assert!(
                        counts.iter().all(|n| n.load(Ordering::Relaxed) == 1),
                        "{threads} {units} {grain}"
                    );
                }
            }
        }
    }

    #[test]
    fn a_panic_in_a_job_reaches_the_caller_and_the_pool_still_works() {
        let pool = Pool::new(3).unwrap();
        for bad in [0, 5, 99] {
            let outcome = catch_unwind(AssertUnwindSafe(|| {
                pool.run(100, 1, |_, range| assert!(!range.contains(&bad), "unit {bad}"));
            }));
            assert!(outcome.is_err());
            let sum = AtomicUsize::new(0);
            pool.run(100, 1, |_, range| {
                sum.fetch_add(range.sum::<usize>(), Ordering::Relaxed);
            });
            assert_eq!(sum.load(Ordering::Relaxed), 4950);
        }
    }

    #[test]
    fn parked_workers_wake_for_the_next_job() {
        let pool = Pool::new(2).unwrap();
        for _ in 0..5 {
            std::thread::sleep(SPIN * 20);
            let sum = AtomicUsize::new(0);
            pool.run(64, 1, |_, range| {
                sum.fetch_add(range.len(), Ordering::Relaxed);
            });
            assert_eq!(sum.load(Ordering::Relaxed), 64);
        }
    }

    #[test]
    fn cpu_lists_are_read_and_nonsense_is_refused() {
        assert_eq!(parse_cpu_list("0-2,5").unwrap(), [0, 1, 2, 5]);
        assert_eq!(parse_cpu_list("3").unwrap(), [3]);
        assert!(parse_cpu_list("3-1").is_none());
        assert!(parse_cpu_list("0-99999999").is_none());
        assert!(physical_cores() >= 1);
    }
}
