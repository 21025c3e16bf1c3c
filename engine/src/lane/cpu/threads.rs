//! The threads of the lane: the engine thread and its workers share the units of one job at a time. Knows nothing of what a
//! job computes.
//!
//! Every thread starts with a contiguous part of the units and steals from the ends of the others' parts when its own is done, so a
//! thread that the system has put aside holds up at most one grain, and grains become smaller towards the end. A worker that has
//! not noticed a job by the time it is done is not waited for. Waiting spins for [`SPIN`] and then parks, so an idle lane costs nothing. A worker that others had to wait for
//! because the system ran something else on its core is left out for a while: with fewer threads than cores nobody waits, and
//! the other program has its core.

#![expect(
    unsafe_code,
    reason = "a job borrows the caller's stack while workers run it, and writes disjoint parts of buffers"
)]

use std::any::Any;
use std::cell::{Cell, UnsafeCell};
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

/// A wait this long, and twice as long as the caller's own work, says that the system runs something else on a worker's core.
const STALL: Duration = Duration::from_millis(1);
/// How long such a worker is left out at first, and at most.
const SHORTEST_ABSENCE: Duration = Duration::from_millis(10);
const LONGEST_ABSENCE: Duration = Duration::from_millis(640);

/// A job: called with the number of the thread and some of its units.
type Job<'a> = dyn Fn(usize, Range<usize>) + Sync + 'a;

/// What announces a job, on one cache line, so that a worker that waits for it has all of it with one transfer.
#[repr(align(128))]
struct Board {
    /// Number of the job in the upper bits; bit 31: open to be joined; below: workers in it.
    state: AtomicU64,
    /// Written while no job is open and no worker in one; read by workers that have joined.
    work: UnsafeCell<Work>,
    stop: AtomicBool,
}

// SAFETY: `work` is written by the one caller of `run` before it opens a job, and read only by workers that joined that job;
// opening and joining go through `state`, and `run` does not return before they left.
unsafe impl Sync for Board {}
// SAFETY: as above; the pointer in `work` is only followed by workers that have joined.
unsafe impl Send for Board {}

#[derive(Clone, Copy)]
struct Work {
    /// `None` before the first job.
    job: Option<*const Job<'static>>,
    grain: usize,
}

/// Units `start..end` of one thread, packed as `start << 32 | end`; on its own cache lines.
#[repr(align(128))]
struct Share(AtomicU64);

struct Shared {
    board: Board,
    shares: Vec<Share>,
    seats: Vec<Seat>,
    /// Whom the last worker wakes; written by a caller before it parks.
    caller: Mutex<Option<Thread>>,
    panic: Mutex<Option<Box<dyn Any + Send>>>,
    /// Whether `panic` holds one, so that jobs without a panic need not lock it.
    panicked: AtomicBool,
}

/// What a thread shows the others.
#[repr(align(128))]
#[derive(Default)]
struct Seat {
    /// Set by the thread before it parks, taken by whoever wakes it.
    parked: AtomicBool,
    /// Number of the job that a worker is in; 0 for none.
    job: AtomicU64,
    /// Whether a worker is to join no job for the time being.
    away: AtomicBool,
}

const OPEN: u64 = 1 << 31;
const COUNT: u64 = OPEN - 1;

/// See the module documentation.
pub(super) struct Pool {
    shared: Arc<Shared>,
    workers: Vec<JoinHandle<()>>,
    /// Of each worker. Cells also keep two threads from sharing a pool, and a job from running jobs of its own pool.
    absences: Vec<Absence>,
    /// Workers that are not away.
    present: Cell<usize>,
}

/// When a worker that held up the others is asked again.
#[derive(Default)]
struct Absence {
    until: Cell<Option<Instant>>,
    /// How long it is or was.
    length: Cell<Duration>,
}

impl Pool {
    /// Starts `threads - 1` workers named `lane-1`, `lane-2`, ...
    pub(super) fn new(threads: usize) -> Result<Self, LaneError> {
        let threads = threads.max(1);
        let shared = Arc::new(Shared {
            board: Board {
                state: AtomicU64::new(0),
                work: UnsafeCell::new(Work { job: None, grain: 1 }),
                stop: AtomicBool::new(false),
            },
            shares: (0..threads).map(|_| Share(AtomicU64::new(0))).collect(),
            seats: (0..threads).map(|_| Seat::default()).collect(),
            caller: Mutex::new(None),
            panic: Mutex::new(None),
            panicked: AtomicBool::new(false),
        });
        let mut pool = Self {
            shared,
            workers: Vec::with_capacity(threads - 1),
            absences: (1..threads).map(|_| Absence::default()).collect(),
            present: Cell::new(threads - 1),
        };
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
        if self.present.get() < self.workers.len() {
            self.recall();
        }
        if self.present.get() == 0 || units <= grain {
            if units > 0 {
                job(0, 0..units);
            }
            return;
        }
        let start = Instant::now();
        self.deal(units);
        let job: &Job<'_> = &job;
        // SAFETY: only the lifetime changes; the state is closed and every worker has left before `job` goes out of scope.
        let pointer: *const Job<'static> = unsafe { std::mem::transmute(std::ptr::from_ref(job)) };
        // SAFETY: no job is open and every worker has left the last one, so nobody reads this.
        unsafe { *shared.board.work.get() = Work { job: Some(pointer), grain } };
        let state = &shared.board.state;
        let number = (state.load(Ordering::Relaxed) >> 32) + 1;
        state.store(number << 32 | OPEN, Ordering::SeqCst);
        for (worker, seat) in self.workers.iter().zip(&shared.seats[1..]) {
            // Looking first keeps the line of a worker that spins where it is.
            let parked = seat.parked.load(Ordering::SeqCst) && !seat.away.load(Ordering::Relaxed);
            if parked && seat.parked.swap(false, Ordering::SeqCst) {
                worker.thread().unpark();
            }
        }
        let outcome = catch_unwind(AssertUnwindSafe(|| take_units(shared, 0, grain, job)));
        let done = Instant::now();
        if state.fetch_and(!OPEN, Ordering::SeqCst) & COUNT != 0 {
            let all_left = || state.load(Ordering::SeqCst) & COUNT == 0;
            if !spin(all_left) {
                let late: Vec<usize> = self.late(number).collect();
                *lock(&shared.caller) = Some(std::thread::current());
                park(&shared.seats[0].parked, all_left);
                if done.elapsed() > STALL.max(2 * (done - start)) {
                    late.into_iter().for_each(|worker| self.send_away(worker));
                }
            }
        }
        let panic = match shared.panicked.swap(false, Ordering::SeqCst) {
            true => lock(&shared.panic).take(),
            false => None,
        };
        if let Some(panic) = panic.or(outcome.err()) {
            resume_unwind(panic);
        }
    }

    /// Gives every thread that takes part an equal share of the units.
    fn deal(&self, units: usize) {
        let threads = self.present.get() + 1;
        let mut seated = 0;
        for (share, seat) in self.shared.shares.iter().zip(&self.shared.seats) {
            let away = seat.away.load(Ordering::Relaxed);
            let (start, end) = match away {
                true => (0, 0),
                false => (units * seated / threads, units * (seated + 1) / threads),
            };
            seated += usize::from(!away);
            share.0.store(pack(start, end), Ordering::Relaxed);
        }
    }

    /// Workers that are in job `number`.
    fn late(&self, number: u64) -> impl Iterator<Item = usize> {
        let seats = self.shared.seats[1..].iter().enumerate();
        seats.filter(move |(_, seat)| seat.job.load(Ordering::SeqCst) == number).map(|(worker, _)| worker)
    }

    /// Leaves a worker out for a while, so that other programs have its core and nobody waits for it: twice as long as before when
    /// that was not long ago.
    fn send_away(&self, worker: usize) {
        let (absence, now) = (&self.absences[worker], Instant::now());
        let recent = absence.until.get().is_some_and(|until| now < until + LONGEST_ABSENCE);
        let twice = (2 * absence.length.get()).min(LONGEST_ABSENCE);
        absence.length.set(if recent { twice } else { SHORTEST_ABSENCE });
        absence.until.set(Some(now + absence.length.get()));
        let seat = &self.shared.seats[worker + 1];
        if !seat.away.swap(true, Ordering::SeqCst) {
            self.present.set(self.present.get() - 1);
        }
    }

    /// Lets workers take part again whose time has come.
    fn recall(&self) {
        let now = Instant::now();
        for (absence, seat) in self.absences.iter().zip(&self.shared.seats[1..]) {
            let over = absence.until.get().is_some_and(|until| until <= now);
            if over && seat.away.swap(false, Ordering::SeqCst) {
                self.present.set(self.present.get() + 1);
            }
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
        self.shared.board.stop.store(true, Ordering::SeqCst);
        for (worker, seat) in self.workers.drain(..).zip(&self.shared.seats[1..]) {
            seat.parked.store(false, Ordering::SeqCst);
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

/// Spins until `ready` or for [`SPIN`]; gives whether it is ready.
fn spin(ready: impl Fn() -> bool) -> bool {
    let mut start = None;
    loop {
        for _ in 0..32 {
            if ready() {
                return true;
            }
            std::hint::spin_loop();
        }
        if start.get_or_insert_with(Instant::now).elapsed() > SPIN {
            return false;
        }
    }
}

/// Parks until `ready`.
fn park(parked: &AtomicBool, ready: impl Fn() -> bool) {
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
    let Board { state, work, stop } = &shared.board;
    let seat = &shared.seats[index];
    let mut seen = 0;
    loop {
        let news = || {
            let job = || !seat.away.load(Ordering::SeqCst) && state.load(Ordering::SeqCst) >> 32 != seen;
            stop.load(Ordering::SeqCst) || job()
        };
        if !spin(news) {
            park(&seat.parked, news);
        }
        if stop.load(Ordering::SeqCst) {
            return;
        }
        let now = state.load(Ordering::SeqCst);
        seen = now >> 32;
        if !join(state, now) {
            continue;
        }
        seat.job.store(seen, Ordering::SeqCst);
        // SAFETY: this worker has joined the job, so its caller wrote the work before and does not change it until it left.
        let Work { job, grain } = unsafe { *work.get() };
        let job = job.expect("invariant: a job is written down before it opens");
        // SAFETY: as above, `run` waits for this worker before the job's borrows end.
        let job = unsafe { &*job };
        let outcome = catch_unwind(AssertUnwindSafe(|| take_units(shared, index, grain, job)));
        if let Err(panic) = outcome {
            *lock(&shared.panic) = Some(panic);
            shared.panicked.store(true, Ordering::SeqCst);
        }
        seat.job.store(0, Ordering::SeqCst);
        let before = state.fetch_sub(1, Ordering::SeqCst);
        let last_of_closed = before & COUNT == 1 && before & OPEN == 0;
        if last_of_closed
            && shared.seats[0].parked.swap(false, Ordering::SeqCst)
            && let Some(caller) = &*lock(&shared.caller)
        {
            caller.unpark();
        }
    }
}

/// Enters the job that `seen` shows, if it is still open.
fn join(state: &AtomicU64, mut seen: u64) -> bool {
    let number = seen >> 32;
    while seen & OPEN != 0 && seen >> 32 == number {
        match state.compare_exchange_weak(seen, seen + 1, Ordering::SeqCst, Ordering::SeqCst) {
            Ok(_) => return true,
            Err(now) => seen = now,
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
        // Smaller towards the end, so that whoever is last does not have much left.
        let n = grain.min(((end - start) / 4).max(1));
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

#[cfg(test)]
mod tests;
