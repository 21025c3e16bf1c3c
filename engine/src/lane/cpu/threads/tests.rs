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
                assert!(counts.iter().all(|n| n.load(Ordering::Relaxed) == 1), "{threads} {units} {grain}");
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
fn more_threads_than_units_is_no_problem() {
    let pool = Pool::new(8).unwrap();
    for units in 0..8 {
        let counts: Vec<AtomicUsize> = (0..units).map(|_| AtomicUsize::new(0)).collect();
        pool.run(units, 1, |thread, range| {
            assert!(thread < 8);
            for unit in range {
                counts[unit].fetch_add(1, Ordering::Relaxed);
            }
        });
        assert!(counts.iter().all(|n| n.load(Ordering::Relaxed) == 1), "{units} units");
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
fn a_worker_that_holds_up_the_others_is_left_out_and_comes_back() {
    let pool = Pool::new(2).unwrap();
    let all = |slow: bool| {
        let counts: Vec<AtomicUsize> = (0..64).map(|_| AtomicUsize::new(0)).collect();
        pool.run(counts.len(), 1, |thread, range| {
            for unit in range {
                if slow && thread == 1 {
                    std::thread::sleep(20 * STALL);
                }
                counts[unit].fetch_add(1, Ordering::Relaxed);
            }
        });
        assert!(counts.iter().all(|n| n.load(Ordering::Relaxed) == 1));
    };
    // The caller may be done before the worker has come.
    while pool.present.get() == 1 {
        all(true);
    }
    assert_eq!(pool.present.get(), 0);
    all(true);
    while pool.present.get() == 0 {
        std::thread::sleep(STALL);
        all(false);
    }
    let workers = AtomicUsize::new(0);
    while workers.load(Ordering::Relaxed) == 0 {
        pool.run(64, 1, |thread, _| {
            workers.fetch_add(thread, Ordering::Relaxed);
            std::thread::sleep(SPIN);
        });
    }
}
