//! A read-only memory map that survives its file being cut short.
//!
//! Reading a mapped page that lies behind the end of the file, or that the disk cannot deliver, raises SIGBUS, which would end the
//! process. A handler, installed once, looks the address up in a registry of our maps; inside one it puts a page of zeros
//! there, marks the map as cut and lets the read go on, so the reader sees zeros and [`Map::check`] reports the loss. A
//! SIGBUS elsewhere goes to the handler that was there before. This module knows nothing of what the bytes mean.

#![expect(unsafe_code, reason = "mapping a file and handling SIGBUS have no safe interface")]

use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use memmap2::{Advice, Mmap, UncheckedAdvice};

/// Maps that can be open at a time.
const SLOTS: usize = 256;

/// One registered range. Only atomics: the handler may run at any instruction of any thread.
struct Slot {
    /// Whether a map owns the slot (claimed before the range is written).
    owned: AtomicBool,
    /// First address; 0 while there is no range.
    start: AtomicUsize,
    /// Address behind the last byte, rounded up to a page.
    end: AtomicUsize,
    /// Set by the handler.
    cut: AtomicBool,
}

static REGISTRY: [Slot; SLOTS] = [const {
    Slot {
        owned: AtomicBool::new(false),
        start: AtomicUsize::new(0),
        end: AtomicUsize::new(0),
        cut: AtomicBool::new(false),
    }
}; SLOTS];

/// Page size, written before the handler is installed.
static PAGE_BYTES: AtomicUsize = AtomicUsize::new(0);

/// What handled SIGBUS before; errno when the handler could not be installed.
static PREVIOUS: OnceLock<Result<libc::sigaction, i32>> = OnceLock::new();

/// A mapped file, kept open so that its length and time can be compared.
pub(super) struct Map {
    bytes: Mmap,
    file: File,
    opened: Metadata,
    slot: &'static Slot,
}

impl Map {
    /// Maps a regular, non-empty file.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        // Without O_NONBLOCK, opening a named pipe would wait for its writer.
        let file = File::options().read(true).custom_flags(libc::O_NONBLOCK).open(path)?;
        let opened = file.metadata()?;
        if !opened.is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
        }
        if opened.len() == 0 {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the file is empty"));
        }
        install_handler()?;
        let slot = claim_slot()?;
        // SAFETY: the map is read-only and private to this process. Other processes may change or cut the file; cut pages become
        // zeros through the SIGBUS handler, and no reader of the bytes relies on them staying the same for memory safety.
        let bytes = match unsafe { Mmap::map(&file) } {
            Ok(bytes) => bytes,
            Err(err) => {
                slot.owned.store(false, Ordering::Release);
                return Err(err);
            }
        };
        let start = bytes.as_ptr() as usize;
        let page = PAGE_BYTES.load(Ordering::Relaxed);
        slot.cut.store(false, Ordering::Relaxed);
        slot.end.store((start + bytes.len()).next_multiple_of(page), Ordering::Release);
        slot.start.store(start, Ordering::Release);
        Ok(Self { bytes, file, opened, slot })
    }

    /// The mapped bytes.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Asks the system to read a range of the file that will be needed soon. A wish: without it, reading waits where it must.
    pub(super) fn read_ahead(&self, offset: usize, len: usize) {
        let len = len.min(self.bytes.len().saturating_sub(offset));
        let _ = self.bytes.advise_range(Advice::WillNeed, offset, len);
    }

    /// Gives back the memory of a range that was read; reading it again finds the same bytes in the file.
    pub(super) fn release(&self, offset: usize, len: usize) {
        let len = len.min(self.bytes.len().saturating_sub(offset));
        // SAFETY: pages of a private map of a file that nobody has written are filled from the file again when they are touched, so no
        // reader sees other bytes than before, up to changes of the file, on which nobody's memory safety depends. A refusal
        // changes nothing.
        let _ = unsafe { self.bytes.unchecked_advise_range(UncheckedAdvice::DontNeed, offset, len) };
    }

    /// Whether the bytes are still those of the file that was opened: no fault was handled, and length and time of change
    /// are the same. One `fstat`.
    pub(super) fn is_intact(&self) -> bool {
        if self.slot.cut.load(Ordering::Acquire) {
            return false;
        }
        // A cut inside the last page raises no signal, so the length is compared too.
        self.file.metadata().is_ok_and(|now| {
            now.len() == self.opened.len() && now.modified().ok() == self.opened.modified().ok()
        })
    }
}

impl Drop for Map {
    fn drop(&mut self) {
        // The range leaves the registry before `bytes` is unmapped: nobody can read it any more.
        self.slot.start.store(0, Ordering::Release);
        self.slot.end.store(0, Ordering::Release);
        self.slot.owned.store(false, Ordering::Release);
    }
}

fn claim_slot() -> io::Result<&'static Slot> {
    REGISTRY
        .iter()
        .find(|slot| slot.owned.compare_exchange(false, true, Ordering::AcqRel, Ordering::Relaxed).is_ok())
        .ok_or_else(|| {
            io::Error::other(format!("{SLOTS} model files are open already; unload one and try again"))
        })
}

fn install_handler() -> io::Result<()> {
    let installed = PREVIOUS.get_or_init(|| {
        // SAFETY: sysconf has no preconditions.
        let page = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
        PAGE_BYTES.store(usize::try_from(page).unwrap_or(4096), Ordering::Release);
        // SAFETY: an all-zero sigaction is a valid value (SIG_DFL, empty mask); both pointers are valid for the call, and the
        // handler only calls functions that are safe inside a signal handler.
        unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            let mut previous: libc::sigaction = std::mem::zeroed();
            let handler: extern "C" fn(libc::c_int, *mut libc::siginfo_t, *mut libc::c_void) = on_sigbus;
            action.sa_sigaction = handler as usize;
            action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
            libc::sigemptyset(&mut action.sa_mask);
            if libc::sigaction(libc::SIGBUS, &action, &mut previous) != 0 {
                return Err(*libc::__errno_location());
            }
            Ok(previous)
        }
    });
    match installed {
        Ok(_) => Ok(()),
        Err(errno) => Err(io::Error::from_raw_os_error(*errno)),
    }
}

/// Runs inside the faulting thread. Uses atomics and system calls only.
extern "C" fn on_sigbus(signal: libc::c_int, info: *mut libc::siginfo_t, context: *mut libc::c_void) {
    // SAFETY: with SA_SIGINFO the kernel passes a valid siginfo, and SIGBUS fills in its address.
    let address = unsafe { (*info).si_addr() } as usize;
    if put_zeros(address) {
        return;
    }
    match PREVIOUS.get() {
        Some(Ok(previous)) if previous.sa_sigaction > libc::SIG_IGN => {
            // SAFETY: the kernel accepted this address as the handler of SIGBUS, with the signature its flags say.
            unsafe {
                if previous.sa_flags & libc::SA_SIGINFO != 0 {
                    let handler: extern "C" fn(libc::c_int, *mut libc::siginfo_t, *mut libc::c_void) =
                        std::mem::transmute(previous.sa_sigaction);
                    handler(signal, info, context);
                } else {
                    let handler: extern "C" fn(libc::c_int) = std::mem::transmute(previous.sa_sigaction);
                    handler(signal);
                }
            }
        }
        // The read is repeated on return and ends the process as it would have without us.
        // SAFETY: setting the default action has no preconditions.
        _ => unsafe {
            libc::signal(libc::SIGBUS, libc::SIG_DFL);
        },
    }
}

/// Replaces the page at `address` by zeros if it lies in one of our maps.
fn put_zeros(address: usize) -> bool {
    let page = PAGE_BYTES.load(Ordering::Relaxed);
    for slot in &REGISTRY {
        let start = slot.start.load(Ordering::Acquire);
        let end = slot.end.load(Ordering::Acquire);
        // The second look at `start` refuses a pair of which one half belongs to a map that has just been closed.
        if start == 0 || address < start || address >= end || slot.start.load(Ordering::Acquire) != start {
            continue;
        }
        slot.cut.store(true, Ordering::Release);
        let at = (address & !(page - 1)) as *mut libc::c_void;
        // SAFETY: the page lies wholly inside a map that `Map` owns and that its faulting reader keeps borrowed, so replacing it
        // touches nobody else's memory; the map's later munmap covers it too. errno is kept for the interrupted code.
        unsafe {
            let errno = *libc::__errno_location();
            let flags = libc::MAP_FIXED | libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
            let zeros = libc::mmap(at, page, libc::PROT_READ, flags, -1, 0);
            *libc::__errno_location() = errno;
            return zeros != libc::MAP_FAILED;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    /// Set for the process that is meant to end.
    const CHILD: &str = "ONEBIT_TEST_SIGBUS_CHILD";

    fn file_of(bytes: usize) -> tempfile::NamedTempFile {
        let mut file = tempfile::NamedTempFile::new().expect("temporary file");
        file.write_all(&vec![7; bytes]).expect("write");
        file
    }

    #[test]
    fn pages_of_a_cut_file_read_as_zeros_and_are_reported() {
        let file = file_of(5 * 65536);
        let map = Map::open(file.path()).expect("map");
        assert!(map.is_intact());
        file.as_file().set_len(65536).expect("truncate");
        let sum: u64 = map.bytes().iter().map(|&b| u64::from(b)).sum();
        assert_eq!(sum, 7 * 65536);
        file.as_file().set_len(5 * 65536).expect("grow again");
        assert!(!map.is_intact(), "the loss is remembered");
    }

    #[test]
    fn cut_inside_the_last_page_is_reported_without_a_fault() {
        let file = file_of(5000);
        let map = Map::open(file.path()).expect("map");
        file.as_file().set_len(4999).expect("truncate");
        assert!(!map.is_intact());
    }

    #[test]
    fn other_maps_stay_intact_and_slots_are_returned() {
        let (whole, cut) = (file_of(8192), file_of(8192));
        for _ in 0..2 * SLOTS {
            Map::open(whole.path()).expect("slots are returned on drop");
        }
        let (a, b) = (Map::open(whole.path()).expect("map"), Map::open(cut.path()).expect("map"));
        cut.as_file().set_len(0).expect("truncate");
        assert_eq!(b.bytes()[8191], 0);
        assert!(a.is_intact() && !b.is_intact());
    }

    #[test]
    fn empty_files_and_folders_are_refused() {
        assert!(Map::open(file_of(0).path()).is_err());
        assert!(Map::open(&std::env::temp_dir()).is_err());
    }

    #[test]
    fn fault_outside_our_maps_ends_the_process_as_before() {
        use std::os::unix::process::ExitStatusExt as _;
        let name = "model::map::tests::child_that_faults_outside_our_maps";
        let child = std::process::Command::new(std::env::current_exe().expect("this test"))
            .args(["--exact", name, "--ignored", "--test-threads=1"])
            .env(CHILD, "1")
            .output()
            .expect("started");
        assert_eq!(child.status.signal(), Some(libc::SIGBUS), "{child:?}");
    }

    #[test]
    #[ignore = "ends its process with SIGBUS; run by the test above"]
    fn child_that_faults_outside_our_maps() {
        if std::env::var_os(CHILD).is_none() {
            return;
        }
        let (ours, foreign) = (file_of(8192), file_of(8192));
        let _ours = Map::open(ours.path()).expect("map");
        // SAFETY: the map is cut on purpose; this process ends at the read.
        let bytes = unsafe { Mmap::map(foreign.as_file()) }.expect("map");
        foreign.as_file().set_len(0).expect("truncate");
        std::hint::black_box(bytes[5000]);
    }
}
