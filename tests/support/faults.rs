//! A disk that fails, is full, is slow, or dies with the program, at any of the calls that change it.
//!
//! The functions here stand before those of the C library for all that is linked into a test: Rust's own library and,
//! through it, Lance, and SQLite. They look at what is below one folder; all else goes by. A plan is armed once a
//! process.
#![cfg(target_os = "linux")]
#![allow(dead_code, reason = "not every test has a use for each")]

use std::ffi::{CStr, c_char, c_int, c_void};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use nix::libc::{self, mode_t, off64_t, size_t, ssize_t};

/// What befalls a call, by its number from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Nothing; the calls are counted
    None,
    /// One call fails
    Fails(u64),
    /// From one call on there is no room
    Full(u64),
    /// At one call, half done where it writes, the program is killed
    Kills(u64),
    /// Each call waits for up to some thousandths of a second, one in four; which, the seed says
    Waits { seed: u64, most: u64 },
}

impl Fault {
    pub fn written(self) -> String {
        match self {
            Fault::None => "none".into(),
            Fault::Fails(at) => format!("fails:{at}"),
            Fault::Full(at) => format!("full:{at}"),
            Fault::Kills(at) => format!("kills:{at}"),
            Fault::Waits { seed, most } => format!("waits:{seed}:{most}"),
        }
    }

    pub fn read(text: &str) -> Option<Fault> {
        let mut parts = text.split(':');
        let kind = parts.next()?;
        let mut number = || parts.next()?.parse().ok();
        Some(match kind {
            "none" => Fault::None,
            "fails" => Fault::Fails(number()?),
            "full" => Fault::Full(number()?),
            "kills" => Fault::Kills(number()?),
            "waits" => Fault::Waits { seed: number()?, most: number()? },
            _ => return None,
        })
    }
}

struct Plan {
    folder: Vec<u8>,
    fault: Fault,
}

static PLAN: OnceLock<Plan> = OnceLock::new();
static CALLS: AtomicU64 = AtomicU64::new(0);

/// From now on, calls that change what is below a folder are counted, and one of them meets its fault.
pub fn arm(folder: &Path, fault: Fault) {
    assert!(folder.is_absolute());
    let plan = Plan { folder: folder.as_os_str().as_bytes().to_vec(), fault };
    assert!(PLAN.set(plan).is_ok(), "armed already");
}

/// Calls that changed the disk so far.
pub fn calls() -> u64 {
    CALLS.load(Ordering::SeqCst)
}

/// What is to become of a call.
enum Verdict {
    Done,
    Error(c_int),
    Killed,
}

fn verdict(path: &[u8], takes_room: bool) -> Verdict {
    let Some(plan) = PLAN.get() else { return Verdict::Done };
    // What SQLite shares between processes is made anew after a crash.
    if !path.starts_with(&plan.folder) || path.ends_with(b"-shm") {
        return Verdict::Done;
    }
    let call = CALLS.fetch_add(1, Ordering::SeqCst) + 1;
    let first = matches!(plan.fault, Fault::Fails(at) | Fault::Full(at) | Fault::Kills(at) if call == at);
    if first {
        eprintln!("call {call} to {}", String::from_utf8_lossy(&path[plan.folder.len()..]));
    }
    match plan.fault {
        Fault::Fails(_) if first => Verdict::Error(libc::EIO),
        Fault::Full(at) if call >= at && takes_room => Verdict::Error(libc::ENOSPC),
        Fault::Kills(_) if first => Verdict::Killed,
        Fault::Waits { seed, most } => {
            let chance = mixed(seed ^ mixed(call));
            if chance.is_multiple_of(4) {
                std::thread::sleep(std::time::Duration::from_micros((chance >> 8) % (most * 1000)));
            }
            Verdict::Done
        }
        _ => Verdict::Done,
    }
}

fn mixed(n: u64) -> u64 {
    let z = n.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

fn verdict_of(file: c_int, takes_room: bool) -> Verdict {
    if PLAN.get().is_none() {
        return Verdict::Done;
    }
    let mut link = *b"/proc/self/fd/\0\0\0\0\0\0\0\0\0\0\0\0";
    let (mut digits, mut left, mut count) = ([0u8; 10], file.max(0) as u32, 0);
    loop {
        digits[count] = b'0' + (left % 10) as u8;
        (left, count) = (left / 10, count + 1);
        if left == 0 {
            break;
        }
    }
    for (at, digit) in digits[..count].iter().rev().enumerate() {
        link[14 + at] = *digit;
    }
    let mut path = [0u8; 4096];
    // SAFETY: both are buffers of this function, the first ends with a zero.
    let length = unsafe { libc::readlink(link.as_ptr().cast(), path.as_mut_ptr().cast(), path.len()) };
    verdict(&path[..usize::try_from(length).unwrap_or(0)], takes_room)
}

fn error(code: c_int) -> c_int {
    // SAFETY: the place of this thread's `errno`.
    unsafe { *libc::__errno_location() = code };
    -1
}

fn die() -> ! {
    // SAFETY: ends the process.
    unsafe {
        libc::kill(libc::getpid(), libc::SIGKILL);
        libc::_exit(137)
    }
}

/// A call that moves bytes into a file: half of them come to it where the program is killed.
macro_rules! writes {
    ($name:ident, $number:expr, ($($more:ident: $kind:ty),*)) => {
        /// # Safety
        /// As the function of the C library of this name.
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $name(file: c_int, bytes: *const c_void, count: size_t $(, $more: $kind)*) -> ssize_t {
            // SAFETY: the arguments are those that the caller gave.
            let call = |count: size_t| unsafe { libc::syscall($number, file, bytes, count $(, $more)*) as ssize_t };
            match verdict_of(file, true) {
                Verdict::Done => call(count),
                Verdict::Error(code) => error(code) as ssize_t,
                Verdict::Killed => {
                    call(count / 2);
                    die()
                }
            }
        }
    };
}

writes!(write, libc::SYS_write, ());
writes!(writev, libc::SYS_writev, ());
writes!(pwrite, libc::SYS_pwrite64, (at: off64_t));
writes!(pwrite64, libc::SYS_pwrite64, (at: off64_t));

/// A call about an open file.
macro_rules! of_file {
    ($name:ident, $number:expr, ($($more:ident: $kind:ty),*)) => {
        /// # Safety
        /// As the function of the C library of this name.
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $name(file: c_int $(, $more: $kind)*) -> c_int {
            match verdict_of(file, false) {
                // SAFETY: the arguments are those that the caller gave.
                Verdict::Done => unsafe { libc::syscall($number, file $(, $more)*) as c_int },
                Verdict::Error(code) => error(code),
                Verdict::Killed => die(),
            }
        }
    };
}

of_file!(fsync, libc::SYS_fsync, ());
of_file!(fdatasync, libc::SYS_fdatasync, ());
of_file!(ftruncate, libc::SYS_ftruncate, (length: off64_t));
of_file!(ftruncate64, libc::SYS_ftruncate, (length: off64_t));

/// A call about paths, of which the last is the one that comes to be, or goes.
macro_rules! of_path {
    ($name:ident, ($($more:ident: $kind:ty),*), $last:ident, $room:expr, ($($given:expr),*)) => {
        /// # Safety
        /// As the function of the C library of this name.
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $name($($more: $kind),*) -> c_int {
            // SAFETY: callers give paths that end with a zero.
            match verdict(unsafe { CStr::from_ptr($last) }.to_bytes(), $room) {
                // SAFETY: the arguments are those that the caller gave.
                Verdict::Done => unsafe { libc::syscall($($given),*) as c_int },
                Verdict::Error(code) => error(code),
                Verdict::Killed => die(),
            }
        }
    };
}

type Text = *const c_char;
const HERE: c_int = libc::AT_FDCWD;

of_path!(rename, (from: Text, to: Text), to, false, (libc::SYS_renameat2, HERE, from, HERE, to, 0));
of_path!(link, (from: Text, to: Text), to, true, (libc::SYS_linkat, HERE, from, HERE, to, 0));
of_path!(mkdir, (path: Text, mode: mode_t), path, true, (libc::SYS_mkdirat, HERE, path, mode));
of_path!(unlink, (path: Text), path, false, (libc::SYS_unlinkat, HERE, path, 0));
of_path!(rmdir, (path: Text), path, false, (libc::SYS_unlinkat, HERE, path, libc::AT_REMOVEDIR));

/// # Safety
/// As `open` of the C library.
unsafe fn opened(path: *const c_char, flags: c_int, mode: mode_t) -> c_int {
    if flags & libc::O_CREAT != 0 {
        // SAFETY: callers give paths that end with a zero.
        match verdict(unsafe { CStr::from_ptr(path) }.to_bytes(), true) {
            Verdict::Done => {}
            Verdict::Error(code) => return error(code),
            Verdict::Killed => die(),
        }
    }
    // SAFETY: the arguments are those that the caller gave.
    unsafe { libc::syscall(libc::SYS_openat, HERE, path, flags, mode) as c_int }
}

/// # Safety
/// As the function of the C library of this name.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn open(path: *const c_char, flags: c_int, mode: mode_t) -> c_int {
    // SAFETY: as the caller's.
    unsafe { opened(path, flags, mode) }
}

/// # Safety
/// As the function of the C library of this name.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn open64(path: *const c_char, flags: c_int, mode: mode_t) -> c_int {
    // SAFETY: as the caller's. Files are large on 64 bits without a flag.
    unsafe { opened(path, flags, mode) }
}
