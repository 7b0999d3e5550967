//! What statements share: memory for what they hold, and room on the disk for what does not fit.

use std::fmt;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use datafusion::common::{DataFusionError, Result};
use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::memory_pool::{FairSpillPool, MemoryConsumer, MemoryLimit, MemoryPool, MemoryReservation};
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};

use crate::error::OF_A_SHARE;

/// The part of the machine's memory that statements may hold.
const SHARE: f64 = 0.6;

/// What a machine is taken to have where it does not say.
const ASSUMED: u64 = 8 << 30;

/// How old a folder of spilled rows is that a process left behind when it was killed.
const STALE: Duration = Duration::from_secs(24 * 60 * 60);

/// Bytes that statements may hold together where nobody says how many.
pub(super) fn default_limit() -> u64 {
    let (machine, group) = (of_machine(), of_group());
    let all = machine.into_iter().chain(group).min().unwrap_or(ASSUMED);
    (all as f64 * SHARE) as u64
}

/// The memory of a Linux machine.
fn of_machine() -> Option<u64> {
    let text = fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|l| l.strip_prefix("MemTotal:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib << 10)
}

/// The memory of a container, where it has less than the machine.
fn of_group() -> Option<u64> {
    fs::read_to_string("/sys/fs/cgroup/memory.max").ok()?.trim().parse().ok()
}

/// A pool of so many bytes, and a folder for what does not fit: in the database, as it is meant to hold much, or in the
/// system's own where there is none yet, or it cannot be written.
///
/// # Errors
/// If there is no folder for either.
pub(super) fn runtime(root: &Path, limit: u64) -> Result<Arc<RuntimeEnv>> {
    let pool = Arc::new(FairSpillPool::new(usize::try_from(limit).unwrap_or(usize::MAX)));
    let folder = root.join("tmp");
    // A folder that is no database yet is left as it is: a statement may never write one.
    let inside = root.join("VERSION").is_file() && fs::create_dir_all(&folder).is_ok();
    if inside {
        remove_stale(&folder);
    }
    let build = |mode| {
        let disk = DiskManagerBuilder::default().with_mode(mode);
        RuntimeEnvBuilder::new().with_memory_pool(pool.clone()).with_disk_manager_builder(disk).build_arc()
    };
    if inside && let Ok(runtime) = build(DiskManagerMode::Directories(vec![folder])) {
        return Ok(runtime);
    }
    build(DiskManagerMode::OsTmpDirectory)
}

/// A part of the memory of all statements, which some of them hold together: those of one who asks a server.
#[derive(Debug, Clone)]
pub struct MemoryShare(Arc<RuntimeEnv>);

impl MemoryShare {
    /// At most so many bytes of what a runtime has.
    ///
    /// # Errors
    /// If there is no such runtime.
    pub(super) fn of(runtime: &RuntimeEnv, bytes: u64) -> Result<MemoryShare> {
        let most = usize::try_from(bytes).unwrap_or(usize::MAX);
        let pool = Share { own: FairSpillPool::new(most), most, of: runtime.memory_pool.clone() };
        let builder = RuntimeEnvBuilder::from_runtime_env(runtime).with_memory_pool(Arc::new(pool));
        Ok(MemoryShare(builder.build_arc()?))
    }

    /// What statements run with.
    pub(super) fn runtime(&self) -> Arc<RuntimeEnv> {
        self.0.clone()
    }
}

/// Memory that is taken of a pool, and bounded beside.
#[derive(Debug)]
struct Share {
    own: FairSpillPool,
    most: usize,
    of: Arc<dyn MemoryPool>,
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "share of {}", self.most)
    }
}

impl MemoryPool for Share {
    fn name(&self) -> &'static str {
        "share"
    }

    fn register(&self, consumer: &MemoryConsumer) {
        self.own.register(consumer);
        self.of.register(consumer);
    }

    fn unregister(&self, consumer: &MemoryConsumer) {
        self.own.unregister(consumer);
        self.of.unregister(consumer);
    }

    fn grow(&self, reservation: &MemoryReservation, additional: usize) {
        self.own.grow(reservation, additional);
        self.of.grow(reservation, additional);
    }

    fn shrink(&self, reservation: &MemoryReservation, shrink: usize) {
        self.own.shrink(reservation, shrink);
        self.of.shrink(reservation, shrink);
    }

    fn try_grow(&self, reservation: &MemoryReservation, additional: usize) -> Result<()> {
        self.own.try_grow(reservation, additional).map_err(|error| match error {
            DataFusionError::ResourcesExhausted(text) => {
                DataFusionError::ResourcesExhausted(format!("{OF_A_SHARE}{text}"))
            }
            other => other,
        })?;
        let taken = self.of.try_grow(reservation, additional);
        if taken.is_err() {
            self.own.shrink(reservation, additional);
        }
        taken
    }

    fn reserved(&self) -> usize {
        self.own.reserved()
    }

    fn memory_limit(&self) -> MemoryLimit {
        match self.of.memory_limit() {
            MemoryLimit::Finite(all) => MemoryLimit::Finite(all.min(self.most)),
            _ => MemoryLimit::Finite(self.most),
        }
    }
}

/// Removes what processes that were killed have left.
fn remove_stale(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let changed = entry.metadata().and_then(|m| m.modified());
        let age = changed.ok().and_then(|at| SystemTime::now().duration_since(at).ok());
        if age.is_some_and(|age| age >= STALE) {
            // What cannot be removed is left for another time.
            _ = fs::remove_dir_all(entry.path());
        }
    }
}

/// Memory that counts among what statements hold; it is given back when this is dropped.
pub(super) fn reservation(runtime: &RuntimeEnv, name: &str) -> MemoryReservation {
    MemoryConsumer::new(name).register(&runtime.memory_pool)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_that_do_not_fit_go_into_the_database() {
        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join("VERSION"), "2\n").unwrap();
        let stale = root.path().join("tmp").join("datafusion-old");
        fs::create_dir_all(&stale).unwrap();
        let old = SystemTime::now() - STALE - Duration::from_secs(1);
        fs::File::open(&stale).unwrap().set_modified(old).unwrap();
        let runtime = runtime(root.path(), 1 << 20).unwrap();
        assert!(runtime.disk_manager.temp_dir_paths().iter().all(|p| p.starts_with(root.path())));
        assert!(!stale.exists());
        let held = reservation(&runtime, "rows");
        assert!(held.try_grow(1 << 19).is_ok());
        assert!(held.try_grow(1 << 20).is_err());
        // A database that is not there yet is not made by being asked.
        let nowhere = root.path().join("not-there");
        assert!(super::runtime(&nowhere, 1 << 20).is_ok());
        assert!(!nowhere.exists());
        assert!(default_limit() > 64 << 20);
    }

    #[test]
    fn a_share_is_a_part_of_all() {
        let root = tempfile::tempdir().unwrap();
        let all = runtime(root.path(), 1000).unwrap();
        let (one, other) = (MemoryShare::of(&all, 600).unwrap(), MemoryShare::of(&all, 600).unwrap());
        let (of_one, of_other) = (reservation(&one.0, "rows"), reservation(&other.0, "rows"));
        assert!(of_one.try_grow(500).is_ok());
        // One has no more than its share, and both no more than there is.
        let error = of_one.try_grow(200).unwrap_err().to_string();
        assert!(error.contains(OF_A_SHARE), "{error}");
        let error = of_other.try_grow(501).unwrap_err().to_string();
        assert!(!error.contains(OF_A_SHARE), "{error}");
        assert!(of_other.try_grow(500).is_ok());
        assert_eq!((all.memory_pool.reserved(), one.0.memory_pool.reserved()), (1000, 500));
        drop(of_one);
        assert_eq!((all.memory_pool.reserved(), one.0.memory_pool.reserved()), (500, 0));
        assert!(of_other.try_grow(100).is_ok() && of_other.try_grow(1).is_err());
    }
}
